/**
 * How a store behaves when it is large: time to verify and to list all of it, time from a change to the event on a
 * serving node, how many models that event touches, and the longest time for which the serving thread could do nothing
 * else meanwhile. `node dist/bench/store-scale.js [models] [revisions]` prints it; a small size runs among the tests.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type VerifiedStore, openStore } from '../registry-store/main.ts';
import { projectRoot } from './project-root.ts';
import { publishBeside } from './scale-publisher.ts';
import { scaleModel } from './scale-store.ts';

export interface StoreScale {
  readonly models: number;
  readonly versions: number;
  readonly revision: number;
  readonly makeMs: number;
  /** A node that was never here opens the store: every file of it verified. */
  readonly openMs: number;
  /** The same node again, which remembers. */
  readonly reopenMs: number;
  /** All models, versions and deployments listed, with everything verified first. */
  readonly listMs: number;
  /** Of a deploy and of a publish by the lifecycle, as the publisher waits for it. */
  readonly changeMs: readonly number[];
  /** From the rename that puts the timestamp in place to the event. */
  readonly reloadMs: readonly number[];
  /** Models named by each event. */
  readonly changedModels: readonly number[];
  /** Longest time between two turns of the serving thread while the store opened, and while it changed. */
  readonly openPauseMs: number;
  readonly reloadPauseMs: number;
  /** The same while nothing happens: what the machine and the probe themselves are worth. */
  readonly idlePauseMs: number;
}

export async function measureStoreScale(options: {
  readonly models: number;
  readonly revisions: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}): Promise<StoreScale> {
  const { models, revisions, rounds, progress } = options;
  const base = await mkdtemp(join(tmpdir(), 'tidegate-scale-'));
  try {
    progress(`making a store with ${models} models and ${revisions} revisions`);
    const modelFile = join(fileURLToPath(projectRoot), 'deploy/demo/models/iris-1.0.0.onnx');
    const makeMs = await publishBeside({
      kind: 'make',
      options: { base, models, revisions, modelFile, nowMs: Date.now() },
    });
    const [folder, keysFolder] = [join(base, 'store'), join(base, 'keys')];
    const node = { folder, pinnedRootPath: join(keysFolder, 'root.json'), stateFolder: join(base, 'state') };
    progress('listing it');
    const listed = { ...node, stateFolder: join(base, 'none'), nowMs: Date.now() };
    const listMs = await publishBeside({ kind: 'list', options: listed });
    progress('opening it');
    const openProbe = new PauseProbe();
    const [first, openMs] = await timed(() => openStore(node));
    const openPauseMs = openProbe.stop();
    await first.close();
    const [opened, reopenMs] = await timed(() => openStore(node));
    const versions = [...opened.current.models.values()].reduce((sum, { size }) => sum + size, 0);

    // Published beside the store and carried over, so that no work of the publisher is taken for the node's.
    const beside = join(base, 'beside');
    await publishBeside({ kind: 'copy', from: folder, to: beside });
    const publisher = { folder: beside, keysFolders: [keysFolder], actor: 'bench' };
    const artifact = new Uint8Array(await readFile(modelFile));
    const [changeMs, reloadMs, changedModels] = [[] as number[], [] as number[], [] as number[]];
    let reloadPauseMs = 0;
    for (let round = 0; round < rounds; round++) {
      const model = scaleModel(round);
      const changes = [
        { kind: 'publish', publisher, model, artifact },
        { kind: 'deploy', publisher, model },
      ] as const;
      for (const change of changes) {
        progress(`changing ${model}`);
        changeMs.push(await publishBeside(change));
        const seen = nextSnapshot(opened);
        const probe = new PauseProbe();
        const renamedAtMs = await publishBeside({ kind: 'carry', model, from: beside, to: folder });
        const event = await seen;
        reloadPauseMs = Math.max(reloadPauseMs, probe.stop());
        reloadMs.push(event.atMs - renamedAtMs);
        changedModels.push(event.changedModels);
      }
    }
    const { revision } = opened.current;
    const idleProbe = new PauseProbe();
    await new Promise((resolveTimer) => setTimeout(resolveTimer, idleMs));
    const idlePauseMs = idleProbe.stop();
    await opened.close();
    return {
      ...{ models, versions, revision, makeMs, openMs, reopenMs, listMs },
      ...{ changeMs, reloadMs, changedModels, openPauseMs, reloadPauseMs, idlePauseMs },
    };
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

const idleMs = 1000;

/** Takes turns without end, and remembers the longest one. */
class PauseProbe {
  #lastMs = performance.now();
  #longestMs = 0;
  #stopped = false;

  constructor() {
    this.#turn();
  }

  stop(): number {
    this.#stopped = true;
    return this.#longestMs;
  }

  #turn(): void {
    setImmediate(() => {
      const nowMs = performance.now();
      this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
      if (!this.#stopped) this.#turn();
    });
  }
}

function nextSnapshot(
  store: VerifiedStore,
): Promise<{ readonly atMs: number; readonly changedModels: number }> {
  return new Promise((resolvePromise) => {
    const unsubscribe = store.subscribe((event) => {
      if (event.kind !== 'snapshot') return;
      unsubscribe();
      resolvePromise({
        atMs: performance.timeOrigin + performance.now(),
        changedModels: event.changedModels.size,
      });
    });
  });
}

async function timed<Value>(run: () => Promise<Value>): Promise<readonly [Value, number]> {
  const startMs = performance.now();
  const value = await run();
  return [value, performance.now() - startMs];
}

function lines(scale: StoreScale): readonly string[] {
  return Object.entries(scale).map(([name, value]) => {
    const numbers = (Array.isArray(value) ? value : [value]) as readonly number[];
    return `${name.padEnd(16)} ${numbers.map((number) => Math.round(number * 10) / 10).join(' ')}`;
  });
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [models = 1000, revisions = 10_000] = process.argv.slice(2).map(Number);
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const scale = await measureStoreScale({ models, revisions, rounds: 5, progress });
  process.stdout.write(`${lines(scale).join('\n')}\n`);
}
