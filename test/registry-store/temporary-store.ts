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

/** Brings an empty store into the state that several tests begin with. */
export type Preparation = (store: TemporaryStore) => Promise<void>;

/** As `TemporaryStore.makeWithIris` says. */
export async function withIris(store: TemporaryStore): Promise<void> {
  await store.init();
  for (const version of ['1.0.0', '2.0.0']) {
    await store.publish('iris', version);
    await store.deploy('iris', version);
  }
}

/** iris 2.0.0 is live, 1.0.0 was before, 3.0.0 is new; revision 6. */
export async function withNewIris(store: TemporaryStore): Promise<void> {
  await store.become(await TemporaryStore.prepared(withIris));
  await store.publish('iris', '3.0.0');
}

/** Folders of prepared stores, which last as long as the process. */
const leftovers: string[] = [];
process.once('exit', () => {
  for (const folder of leftovers) rmSync(folder, { recursive: true, force: true });
});

export class TemporaryStore {
  static readonly #prepared = new Map<Preparation, Promise<TemporaryStore>>();
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
  static makeWithIris(): Promise<TemporaryStore> {
    return TemporaryStore.makeAs(withIris);
  }

  /** A copy of the store that `prepare` makes of an empty folder. */
  static async makeAs(prepare: Preparation): Promise<TemporaryStore> {
    return (await TemporaryStore.prepared(prepare)).copy();
  }

  /** The store that `makeAs` copies: made once per process, never to be changed. */
  static prepared(prepare: Preparation): Promise<TemporaryStore> {
    const made = TemporaryStore.#prepared.get(prepare) ?? TemporaryStore.#prepare(prepare);
    TemporaryStore.#prepared.set(prepare, made);
    return made;
  }

  static async #prepare(prepare: Preparation): Promise<TemporaryStore> {
    const store = new TemporaryStore(await mkdtemp(join(tmpdir(), 'tidegate-')));
    leftovers.push(store.base);
    await prepare(store);
    return store;
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
    await copy.become(this);
    return copy;
  }

  /** Takes over everything of another one. This one is empty. */
  async become({ base }: TemporaryStore): Promise<void> {
    await cp(base, this.base, { recursive: true });
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
