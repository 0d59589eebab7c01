/**
 * The real pool with real threads for tests: what its lanes report can be awaited, and the threads it starts are at hand
 * so that one can be killed from outside, as the operating system would, without a hook in the product.
 */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { describeOnnxModel } from '../../../registry-store/onnx/describe-model.ts';
import type { ModelToLoad } from '../../../runtime/pool/held-sessions.ts';
import type { Lane, LaneReply } from '../../../runtime/pool/lane.ts';
import type { LaneLoss } from '../../../runtime/pool/lane-loss.ts';
import type { LoadedModel, PoolOptions } from '../../../runtime/pool/pool-options.ts';
import { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import type { Ran, RunOutput } from '../../../runtime/protocol/worker-task.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import { engineUnderTest, libraryUnderTest } from '../engine-under-test.ts';

const workerFile = new URL('../../../dist/runtime/worker/main.js', import.meta.url);

/** A committed demo model, for example `iris-1.0.0`. */
export function demoModel(name: string): Uint8Array {
  return readFileSync(new URL(`../../../deploy/demo/models/${name}.onnx`, import.meta.url));
}

export function signatureOf(file: Uint8Array): ModelSignature {
  const described = describeOnnxModel(file);
  if (!described.ok) throw new Error(described.message);
  return described.value.signature;
}

export interface PoolUnderTest {
  readonly pool: WorkerPool;
  /** Every thread started since, the replaced ones included. */
  readonly threads: readonly Worker[];
  /** What was said of each loss, and the whole of it. */
  readonly lost: readonly string[];
  readonly losses: readonly LaneLoss[];
  /** The only lane, or the one of that index. */
  readonly lane: (index?: number) => Lane;
  /** Resolves when a lane reports itself idle the next time. */
  readonly nextIdle: () => Promise<Lane>;
  /** Loads a model of which only the file matters; the signature is what the file says. */
  readonly load: (file: Uint8Array, more?: Partial<ModelToLoad>) => Promise<LoadedModel>;
  readonly close: () => Promise<void>;
}

/** Starts a pool and waits until all of its lanes are idle. */
export async function startTestPool(options: Partial<PoolOptions>): Promise<PoolUnderTest> {
  if (!existsSync(workerFile)) throw new Error('The threads run compiled code; run npm run build first.');
  const threads: Worker[] = [];
  const lost: string[] = [];
  const losses: LaneLoss[] = [];
  let onIdle: ((lane: Lane) => void)[] = [];
  const watch = (thread: Worker): void => {
    threads.push(thread);
  };
  process.on('worker', watch);
  const pool = WorkerPool.start({
    threads: 1,
    workerFile,
    arenaBytes: 32 * 1024 * 1024,
    resultBytes: 64 * 1024,
    inlineRunUsMax: 0,
    engine: await engineUnderTest(),
    onInlineLost: () => undefined,
    ...options,
    onIdle: (lane) => {
      const waiting = onIdle;
      onIdle = [];
      for (const resolve of waiting) resolve(lane);
    },
    onLost: (_lane, loss) => {
      lost.push(loss.detail);
      losses.push(loss);
    },
  });
  const nextIdle = (): Promise<Lane> =>
    new Promise((resolve) => {
      onIdle.push(resolve);
    });
  while (pool.lanes.some((lane) => lane.state !== 'idle')) await nextIdle();
  return {
    pool,
    threads,
    lost,
    losses,
    nextIdle,
    lane: (index = 0) => pool.lanes[index]!,
    load: async (file, more) => {
      const readModel = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(file));
      const signature = more?.signature ?? signatureOf(file);
      const outcome = await pool.load({ warmRows: [], readModel, ...more, signature });
      if (outcome.kind !== 'loaded') throw new Error(JSON.stringify(outcome));
      return outcome;
    },
    close: async () => {
      process.off('worker', watch);
      await pool.close();
    },
  };
}

/** Resolves when the thread has ended; kills it first, whatever it does. */
export async function kill(thread: Worker): Promise<void> {
  const ended = once(thread, 'exit');
  void thread.terminate();
  await ended;
}

/** Packed elements as one piece of the arena; they stay there until the pool is closed. */
export function place(pool: WorkerPool, elements: Uint8Array): number {
  const byteOffset = pool.pages.allocate(elements.byteLength);
  if (byteOffset === undefined) throw new Error('the arena of the test is full');
  new Uint8Array(pool.arena).set(elements, byteOffset);
  return byteOffset;
}

export function floatBytes(values: Iterable<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** Runs FP32 rows of shape `[rows, width]` in one piece. */
export function runRows(
  { pool, lane }: PoolUnderTest,
  run: {
    readonly session: number;
    readonly width: number;
    readonly values: readonly number[];
    readonly lane?: number;
  },
): Promise<LaneReply> {
  const { session, width, values } = run;
  const byteOffset = place(pool, floatBytes(values));
  const shape = [values.length / width, width];
  const inputs = [{ shape, pieces: [{ byteOffset, elements: values.length }] }];
  return lane(run.lane).run({ session, inputs, outputs: undefined });
}

export function ranOf(reply: LaneReply): Ran {
  if (reply.kind !== 'ran') throw new Error(`expected a result, got ${JSON.stringify(reply)}`);
  return reply;
}

/** The bytes of a result, wherever they are. */
export function outputBytes(pool: WorkerPool, output: RunOutput | undefined, byteLength: number): number[] {
  if (output === undefined || 'strings' in output) throw new Error('expected numbers');
  if ('moved' in output) return [...new Uint8Array(output.moved)];
  return [...new Uint8Array(pool.arena, output.byteOffset, byteLength)];
}

/** The bytes of every output of a direct run in this thread, for FP32 rows of shape `[rows, width]`. */
export async function runDirectly(
  file: Uint8Array,
  { width, values }: { readonly width: number; readonly values: readonly number[] },
): Promise<{ readonly shape: readonly number[]; readonly bytes: number[] }[]> {
  const { InferenceSession, Tensor } = await libraryUnderTest();
  const session = await InferenceSession.create(file);
  const [input = ''] = session.inputNames;
  const x = new Tensor('float32', Float32Array.from(values), [values.length / width, width]);
  const results = await session.run({ [input]: x });
  const outputs = session.outputNames.map((name) => {
    const { dims, data } = results[name]!;
    if (!ArrayBuffer.isView(data)) throw new Error('expected numbers');
    return { shape: dims, bytes: [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] };
  });
  await session.release();
  return outputs;
}
