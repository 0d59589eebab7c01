/**
 * The publisher's part of the scale bench, in a thread of its own where it is compiled: signing leaves garbage behind, and
 * collecting it in the thread that serves would be taken for the node's own pauses.
 */
import { cp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { deployModel, publishModel, readStatus } from '../registry-store/main.ts';
import { type ScaleOptions, makeScaleStore } from './scale-store.ts';

interface Publisher {
  readonly folder: string;
  readonly keysFolders: readonly string[];
  readonly actor: string;
}

export type PublisherTask =
  | { readonly kind: 'make'; readonly options: ScaleOptions }
  | { readonly kind: 'list'; readonly options: Parameters<typeof readStatus>[0] }
  | {
      readonly kind: 'publish';
      readonly publisher: Publisher;
      readonly model: string;
      readonly artifact: Uint8Array;
    }
  /** A whole folder. */
  | { readonly kind: 'copy'; readonly from: string; readonly to: string }
  /** What is new about a model; resolves with the moment of the last rename, milliseconds since 1970. */
  | { readonly kind: 'carry'; readonly model: string; readonly from: string; readonly to: string }
  | { readonly kind: 'deploy'; readonly publisher: Publisher; readonly model: string };

/** Resolves with the time it took, milliseconds, unless the task says otherwise. */
export function publishBeside(task: PublisherTask): Promise<number> {
  if (!import.meta.url.endsWith('.js')) return carryOut(task);
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { scaleTask: task } });
    // Only when it is gone: taking a thread with a large heap down holds up the thread that waits for it.
    worker.once('message', (result: number) => {
      worker.once('exit', () => {
        resolve(result);
      });
    });
    worker.once('error', reject);
  });
}

async function carryOut(task: PublisherTask): Promise<number> {
  const startMs = performance.now();
  const nowMs = Date.now();
  switch (task.kind) {
    case 'make':
      await makeScaleStore(task.options);
      break;
    case 'list':
      await readStatus(task.options);
      break;
    case 'publish': {
      const { publisher, model, artifact } = task;
      const about = { framework: 'onnx', author: 'bench', version: 'next' };
      await publishModel({ ...publisher, ...about, nowMs, model, artifact });
      break;
    }
    case 'deploy':
      await deployModel({ ...task.publisher, nowMs, model: task.model, version: 'next' });
      break;
    case 'copy':
      await cp(task.from, task.to, { recursive: true });
      break;
    case 'carry':
      return carryOver(task.model, task);
    default:
      task satisfies never;
  }
  return performance.now() - startMs;
}

/** Copies what is new, the timestamp last and by a rename; returns when that happened. */
async function carryOver(
  model: string,
  way: { readonly from: string; readonly to: string },
): Promise<number> {
  for (const folder of ['metadata', 'targets/deployments', `targets/models/${model}`]) {
    const [from, to] = [join(way.from, folder), join(way.to, folder)];
    const filter = (path: string): boolean => !path.endsWith('timestamp.json');
    await cp(from, to, { recursive: true, force: false, filter });
  }
  const [timestamp, draft] = [join(way.to, 'metadata/timestamp.json'), join(way.to, '../timestamp-draft')];
  await cp(join(way.from, 'metadata/timestamp.json'), draft);
  await rename(draft, timestamp);
  return performance.timeOrigin + performance.now();
}

const order = (isMainThread ? undefined : workerData) as
  { readonly scaleTask?: PublisherTask } | null | undefined;
if (order?.scaleTask !== undefined) parentPort?.postMessage(await carryOut(order.scaleTask));
