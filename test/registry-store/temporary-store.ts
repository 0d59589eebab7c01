/**
 * A store in a temporary folder with its keys and a node's state, driven through the public entry, and the ways to copy
 * it. What it publishes are the demo models, so every store in these tests holds real ONNX files.
 */
import { rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type StoreError,
  type StoreEvent,
  type StoreOptions,
  type VerifiedStore,
  deployModel,
  initStore,
  openStore,
  publishModel,
} from '../../registry-store/main.ts';

export function demoModel(version: '1.0.0' | '2.0.0'): Promise<Uint8Array> {
  return readFile(new URL(`../../deploy/demo/models/iris-${version}.onnx`, import.meta.url));
}

export class TemporaryStore {
  static #template: Promise<TemporaryStore> | undefined;
  readonly base: string;

  constructor(base: string) {
    this.base = base;
  }

  /** Gone when the test that asked for it is over. */
  static async make(): Promise<TemporaryStore> {
    const store = new TemporaryStore(await mkdtemp(join(tmpdir(), 'tidegate-')));
    onTestFinished(() => store.remove());
    return store;
  }

  /** A store with iris 1.0.0 and 2.0.0, of which 2.0.0 is live and 1.0.0 the previous one; revision 5. */
  static async makeWithIris(): Promise<TemporaryStore> {
    return (await TemporaryStore.template()).copy();
  }

  /** The store that `makeWithIris` copies: made once per process, never to be changed. */
  static template(): Promise<TemporaryStore> {
    TemporaryStore.#template ??= (async () => {
      const store = new TemporaryStore(await mkdtemp(join(tmpdir(), 'tidegate-')));
      process.once('exit', () => {
        rmSync(store.base, { recursive: true, force: true });
      });
      await store.init();
      for (const version of ['1.0.0', '2.0.0'] as const) {
        await store.publish('iris', version);
        await store.deploy('iris', version);
      }
      return store;
    })();
    return TemporaryStore.#template;
  }

  get folder(): string {
    return join(this.base, 'store');
  }

  get keysFolder(): string {
    return join(this.base, 'keys');
  }

  /** What every change of the store needs to be told. */
  get publisher(): { readonly folder: string; readonly keysFolders: readonly string[] } {
    return { folder: this.folder, keysFolders: [this.keysFolder] };
  }

  /** What every look at it needs to be told. */
  get reader(): {
    readonly folder: string;
    readonly pinnedRootPath: string;
    readonly stateFolder: string;
    readonly nowMs: number;
  } {
    const { folder, pinnedRootPath, stateFolder } = this;
    return { folder, pinnedRootPath, stateFolder, nowMs: Date.now() };
  }

  get stateFolder(): string {
    return join(this.base, 'state');
  }

  get pinnedRootPath(): string {
    return join(this.keysFolder, 'root.json');
  }

  async init(nowMs = Date.now()): Promise<void> {
    await initStore({ ...this.publisher, nowMs, actor: 'test' });
  }

  async publish(model: string, version: string, nowMs = Date.now()): Promise<void> {
    await publishModel({
      ...this.publisher,
      nowMs,
      model,
      version,
      artifact: await demoModel(version === '2.0.0' ? '2.0.0' : '1.0.0'),
      framework: 'test',
      author: 'test',
      actor: 'test',
    });
  }

  async deploy(model: string, version: string, nowMs = Date.now()): Promise<void> {
    await deployModel({ ...this.publisher, nowMs, model, version, actor: 'test', why: 'a test' });
  }

  async open(options: Partial<StoreOptions> = {}): Promise<VerifiedStore> {
    const { folder, pinnedRootPath, stateFolder } = this;
    const store = await openStore({ folder, pinnedRootPath, stateFolder, ...options });
    onTestFinished(() => store.close());
    return store;
  }

  /** The error that opening ends with; a store that opens after all fails the test. */
  async refusalOf(options: Partial<StoreOptions> = {}): Promise<StoreError> {
    const opened = await this.open(options).catch((error: unknown) => error);
    if (opened instanceof Error && 'check' in opened) return opened as StoreError;
    throw new Error('the store was not refused', { cause: opened });
  }

  /** Everything, keys and node state included, in a folder of its own. */
  async copy(): Promise<TemporaryStore> {
    const copy = await TemporaryStore.make();
    await cp(this.base, copy.base, { recursive: true });
    return copy;
  }

  /** Paths relative to the store folder, sorted. */
  async files(): Promise<readonly string[]> {
    const entries = await readdir(this.folder, { withFileTypes: true, recursive: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map((entry) => join(entry.parentPath, entry.name).slice(this.folder.length + 1)).sort();
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** In one step, as a careful copier would: a reader sees the old file or the new one. */
  async write(file: string, bytes: Uint8Array): Promise<void> {
    await mkdir(dirname(this.path(file)), { recursive: true });
    const draft = join(this.base, 'draft');
    await writeFile(draft, bytes);
    await rename(draft, this.path(file));
  }

  async remove(): Promise<void> {
    await rm(this.base, { recursive: true, force: true });
  }
}

/** The next event of a kind. Ask before doing what causes it. */
export function nextEvent<Kind extends StoreEvent['kind']>(
  store: VerifiedStore,
  kind: Kind,
): Promise<Extract<StoreEvent, { kind: Kind }>> {
  return new Promise((resolve) => {
    const unsubscribe = store.subscribe((event) => {
      if (!isKind(event, kind)) return;
      unsubscribe();
      resolve(event);
    });
  });
}

function isKind<Kind extends StoreEvent['kind']>(
  event: StoreEvent,
  kind: Kind,
): event is Extract<StoreEvent, { kind: Kind }> {
  return event.kind === kind;
}
