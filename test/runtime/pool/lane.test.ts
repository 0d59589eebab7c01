/**
 * A lane when things go wrong or end: its thread is killed in the middle of a run, and it comes back with its sessions;
 * work is handed out in order; closing answers everybody and ends every thread.
 */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import type { LaneReply } from '../../../runtime/pool/lane.ts';
import {
  demoModel,
  kill,
  outputBytes,
  type PoolUnderTest,
  ranOf,
  runRows,
  signatureOf,
  startTestPool,
} from './pool-under-test.ts';

const iris = demoModel('iris-1.0.0');
const irisRun = { width: 4, values: [5.1, 3.8, 1.6, 0.2] };

/** Seconds of work, of which no test lives to see the end: every row is widened and multiplied ten times. */
const slowRun = { width: 1, values: Array<number>(16_384).fill(0.5) };

/** Loads and warms quickly: it is only slow for many rows. */
function slowModel(): Uint8Array {
  const graph = new GraphBuilder('slow');
  const type = tensorType('FP32', ['batch', 1]);
  const wide = 256;
  const constant = (name: string, shape: readonly [number, number]): string =>
    graph.constant(name, tensor('FP32', shape, Array<number>(shape[0] * shape[1]).fill(0.001)));
  const square = constant('square', [wide, wide]);
  let value = graph.node('MatMul', [graph.input('x', type), constant('widen', [1, wide])]);
  for (let layer = 0; layer < 10; layer++) value = graph.node('MatMul', [value, square]);
  graph.node('MatMul', [value, constant('narrow', [wide, 1])], { outputs: ['y'] });
  graph.output('y', type);
  return writeOnnxModel(graph);
}

let test: PoolUnderTest;

/** The first output of an iris model, one INT64. */
function labelOf(reply: LaneReply): number[] {
  return outputBytes(test.pool, ranOf(reply).outputs[0], 8);
}

beforeEach(async () => {
  test = await startTestPool({});
});
afterEach(async () => {
  await test.close();
});

describe('a lane whose thread is killed', () => {
  it('answers the running batch as lost, and comes back with every session', async () => {
    let reads = 0;
    const readModel = (): Promise<Uint8Array> => {
      reads += 1;
      return Promise.resolve(new Uint8Array(iris));
    };
    const { session } = await test.load(iris, { readModel });
    const before = labelOf(await runRows(test, { session, ...irisRun }));
    const slow = await test.load(slowModel());
    const running = runRows(test, { session: slow.session, ...slowRun });
    expect(test.lane().state).toBe('busy');
    const [back, readsBefore] = [test.nextIdle(), reads];
    // It took the place of the first one, which was at work when the second model came.
    await kill(test.threads.at(-1)!);
    expect(await running).toMatchObject({ kind: 'lost' });
    expect(test.lane().state).toBe('lost');
    expect(test.lost.length).toBe(1);

    expect((await back).state).toBe('idle');
    expect(reads).toBe(readsBefore + 1);
    expect(labelOf(await runRows(test, { session, ...irisRun }))).toEqual(before);
  });

  it('answers maintenance that waited for the batch as lost too', async () => {
    const slow = await test.load(slowModel());
    const running = runRows(test, { session: slow.session, ...slowRun });
    const waiting = test.lane().maintain({ kind: 'unload', session: 999 });
    await kill(test.threads[0]!);
    expect((await Promise.all([running, waiting])).map(({ kind }) => kind)).toEqual(['lost', 'lost']);
  });

  it('loads a model that was asked for while it had no thread', async () => {
    const slow = await test.load(slowModel());
    const running = runRows(test, { session: slow.session, ...slowRun });
    await kill(test.threads[0]!);
    await running;
    const { session } = await test.load(iris);
    expect(await runRows(test, { session, ...irisRun })).toMatchObject({ kind: 'ran' });
  });

  it('does not bring back what was unloaded meanwhile', async () => {
    const [slow, gone] = [await test.load(slowModel()), await test.load(iris)];
    const running = runRows(test, { session: slow.session, ...slowRun });
    await kill(test.threads[0]!);
    await running;
    await test.pool.unload(gone.session);
    expect(await runRows(test, { session: gone.session, ...irisRun })).toMatchObject({
      code: 'UNKNOWN_SESSION',
    });
  });
});

describe('a lane at work', () => {
  it('takes one batch at a time and says so loudly', async () => {
    const { session } = await test.load(iris);
    const running = runRows(test, { session, ...irisRun });
    expect(() => runRows(test, { session, ...irisRun })).toThrow('lane 0 is busy, not idle');
    expect(await running).toMatchObject({ kind: 'ran' });
    expect(test.lane().state).toBe('idle');
  });

  it('does maintenance after the batch that runs and before the next one, in order', async () => {
    const { session } = await test.load(iris);
    const order: string[] = [];
    const lane = test.lane();
    const note = (what: string) => () => {
      order.push(`${what}, then ${lane.state}`);
    };
    const all = [
      runRows(test, { session, ...irisRun }).then(note('batch')),
      lane.maintain({ kind: 'unload', session: 998 }).then(note('first')),
      lane.maintain({ kind: 'unload', session: 999 }).then(note('second')),
    ];
    await Promise.all(all);
    expect(order).toEqual(['batch, then busy', 'first, then busy', 'second, then idle']);
  });

  it("reports itself idle after maintenance, and not after a batch, which is the owner's to know", async () => {
    const { session } = await test.load(iris);
    let reports = 0;
    const reported = test.nextIdle().then(() => {
      reports += 1;
    });
    await runRows(test, { session, ...irisRun });
    expect(reports).toBe(0);
    await test.lane().maintain({ kind: 'unload', session: 999 });
    await reported;
    expect(reports).toBe(1);
  });
});

describe('closing', () => {
  it('answers what runs and what waits as lost, and ends every thread', async () => {
    const slow = await test.load(slowModel());
    const running = runRows(test, { session: slow.session, ...slowRun });
    const waiting = test.lane().maintain({ kind: 'unload', session: 999 });
    const ended = Promise.all(test.threads.map((thread) => once(thread, 'exit')));
    await test.close();
    expect((await Promise.all([running, waiting])).map(({ kind }) => kind)).toEqual(['lost', 'lost']);
    await ended;
    expect(test.threads.map(({ threadId }) => threadId)).toEqual([-1]);
    expect(test.lane().state).toBe('closed');
    // A death that was asked for is nobody's news.
    expect(test.lost).toEqual([]);
  });

  it('may come while a lane has no thread', async () => {
    const slow = await test.load(slowModel());
    const running = runRows(test, { session: slow.session, ...slowRun });
    await kill(test.threads[0]!);
    await running;
    expect(test.lane().state).toBe('lost');
    await test.close();
    expect(test.lane().state).toBe('closed');
    expect(() => runRows(test, { session: slow.session, ...irisRun })).toThrow('lane 0 is closed, not idle');
  });

  it('may come twice', async () => {
    await test.close();
    await expect(test.close()).resolves.toBeUndefined();
  });
});

it('the signature of the slow model lets rows share a run, as the tests above assume', () => {
  expect(signatureOf(slowModel()).batching).toBe('rows');
});

describe('a thread that ends between tasks', () => {
  it('is noticed, and the lane comes back with its sessions', async () => {
    const { session } = await test.load(iris);
    const back = test.nextIdle();
    await kill(test.threads[0]!);
    await back;
    expect(test.lost).toEqual(['the thread ended']);
    expect((await runRows(test, { session, ...irisRun })).kind).toBe('ran');
  });
});

describe('a model that cannot be had when a thread is replaced', () => {
  it.each([
    ['cannot be read', (): Promise<Uint8Array> => Promise.reject(new Error('disk gone')), /disk gone/],
    ['is damaged', (): Promise<Uint8Array> => Promise.resolve(iris.slice(0, 40)), /./],
  ])('keeps the lane from taking work: it %s', async (_, secondRead, detail) => {
    let reads = 0;
    await test.load(iris, {
      readModel: () => (reads++ === 0 ? Promise.resolve(new Uint8Array(iris)) : secondRead()),
    });
    await kill(test.threads[0]!);
    await vi.waitUntil(() => test.lost.length >= 2, { timeout: 20_000 });
    expect(test.lost[1]).toMatch(detail);
    expect(test.lane().state).not.toBe('idle');
  });
});

it('maintenance asked of a closed lane is answered at once', async () => {
  await test.close();
  expect((await test.lane().maintain({ kind: 'unload', session: 1 })).kind).toBe('lost');
});
