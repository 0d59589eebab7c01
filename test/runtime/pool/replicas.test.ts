/**
 * On which threads models are, on real threads: as many as asked for and no more, changed while batches run; loads that
 * keep nobody waiting; threads that have grown are replaced by fresh ones that hold the same.
 */
import { isNative } from '../engine-under-test.ts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LaneReply } from '../../../runtime/pool/lane.ts';
import { mayBringBack } from '../../../runtime/pool/thread-policy.ts';
import { HeldThreads } from '../../e2e/held-threads.ts';
import { fixedBatchModel } from '../../e2e/odd-models.ts';
import {
  demoModel,
  outputBytes,
  type PoolUnderTest,
  ranOf,
  runRows,
  signatureOf,
  startTestPool,
} from './pool-under-test.ts';
import { rowModel, widenModel } from './row-models.ts';
import { threadsBehind } from './thread-state.ts';

/** What it does takes no time worth mentioning, also where nothing is left by others. */
const lightWorker = new URL('light-worker.mjs', import.meta.url);
const patience = { timeout: 25_000, interval: 10 };
const mib = 1024 * 1024;

const mayComeBack = await mayBringBack();
let test: PoolUnderTest;
afterEach(() => test.close());

/** Which lanes run the session, as they say themselves. */
async function lanesThatRun(session: number): Promise<number[]> {
  const lanes: number[] = [];
  for (const { index } of test.pool.lanes) {
    const reply = await runRows(test, { session, width: 1, values: [2], lane: index });
    if (reply.kind === 'ran') lanes.push(index);
    else expect(reply).toMatchObject({ code: 'UNKNOWN_SESSION' });
  }
  return lanes;
}

function lanesThatHold(session: number): number[] {
  return test.pool.lanes.filter((lane) => test.pool.holds(lane, session)).map(({ index }) => index);
}

/** How many threads ran behind all others at some time meanwhile. */
async function wereBehind(action: () => Promise<unknown>): Promise<number> {
  const seen = new Set<number>();
  const looking = setInterval(() => {
    for (const thread of threadsBehind()) seen.add(thread);
  }, 1);
  await action();
  clearInterval(looking);
  return seen.size;
}

describe('a model with replicas', () => {
  it('is on so many threads, on the emptiest ones, and on no other', async () => {
    test = await startTestPool({ threads: 3 });
    const two = await test.load(rowModel(), { replicas: 2 });
    const one = await test.load(rowModel(), { replicas: 1 });
    const all = await test.load(rowModel(), { replicas: 9 });
    expect([two.replicas, one.replicas, all.replicas]).toEqual([2, 1, 3]);
    for (const [{ session }, lanes] of [
      [two, [0, 1]],
      [one, [2]],
      [all, [0, 1, 2]],
    ] as const) {
      expect(lanesThatHold(session)).toEqual(lanes);
      expect(await lanesThatRun(session)).toEqual(lanes);
    }
  });

  it('has runs of a fixed number of rows filled up on each of them, also on one that joins later', async () => {
    test = await startTestPool({ threads: 2 });
    const file = fixedBatchModel(4, 2);
    const signature = { ...signatureOf(file), fixedRows: 4 };
    const loaded = await test.load(file, { signature, replicas: 1 });
    expect(loaded).toMatchObject({ batching: 'rows', costs: [{ rows: 4 }] });
    expect(await test.pool.scale(loaded.session, 2)).toBe(2);
    for (const lane of [0, 1]) {
      const reply = await runRows(test, {
        session: loaded.session,
        width: 2,
        values: [0, 9, 9, 0, 0, 9],
        lane,
      });
      const [shares, largest] = ranOf(reply).outputs;
      expect([shares?.shape, largest?.shape]).toEqual([[3, 2], [3]]);
      const bytes = outputBytes(test.pool, largest, 3 * 8);
      expect([...new BigInt64Array(Uint8Array.from(bytes).buffer)]).toEqual([1n, 0n, 1n]);
    }
  });

  it('is scaled while it runs, and is only said to be where it is', async () => {
    test = await startTestPool({ threads: 2 });
    const { session } = await test.load(rowModel(), { replicas: 1 });
    const work: { goesOn: boolean } = { goesOn: true };
    const replies: LaneReply['kind'][] = [];
    const done = (async (): Promise<void> => {
      while (work.goesOn) {
        const lane = test.pool.lanes.find((each) => each.state === 'idle' && test.pool.holds(each, session));
        if (lane !== undefined) {
          const { index } = lane;
          replies.push((await runRows(test, { session, width: 1, values: [2], lane: index })).kind);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    expect(await test.pool.scale(session, 2)).toBe(2);
    expect(lanesThatHold(session)).toEqual([0, 1]);
    expect(await test.pool.scale(session, 1)).toBe(1);
    expect(await test.pool.scale(session, undefined)).toBe(2);
    expect(await test.pool.scale(session, 1)).toBe(1);
    await vi.waitUntil(() => replies.length > 5, patience);
    work.goesOn = false;
    await done;
    expect(new Set(replies)).toEqual(new Set(['ran']));
    expect(await lanesThatRun(session)).toEqual(lanesThatHold(session));
  });

  it('comes back to the threads it was on, and to no other', async () => {
    test = await startTestPool({ threads: 2, restartDelayMsMax: 50 });
    const { session } = await test.load(rowModel(), { replicas: 1 });
    const [held] = lanesThatHold(session);
    for (const thread of [...test.threads]) await thread.terminate();
    await vi.waitUntil(() => test.lost.length === 2, patience);
    await vi.waitUntil(() => test.pool.lanes.every(({ state }) => state === 'idle'), patience);
    expect(await lanesThatRun(session)).toEqual([held]);
  });

  it('is not loaded when it takes more memory than it may, and leaves nothing behind', async () => {
    test = await startTestPool({ threads: 2 });
    const file = rowModel(mib / 4);
    const readModel = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(file));
    const model = {
      signature: signatureOfRow,
      warmRows: [],
      readModel,
      memoryBytesMax: 1.5 * file.byteLength,
    };
    expect(await test.pool.load(model)).toMatchObject({ kind: 'over_memory' });
    expect((await lanesThatRun(1)).length).toBe(0);
    expect((await test.load(rowModel(8))).memoryBytes).toBeGreaterThan(0);
  });
});

describe('a load', () => {
  it('happens beside a lane at work that nobody can stand in for: batches run until the change of threads', async () => {
    const held = new HeldThreads();
    test = await startTestPool({ threads: 1, workerFile: held.workerFile });
    const first = await test.load(rowModel());
    await runRows(test, { session: first.session, width: 1, values: [2] });
    held.hold('load');
    const loading = test.load(demoModel('iris-1.0.0'));
    await vi.waitUntil(() => held.counted === 1, patience);
    // As long as the load may last, the lane takes the next batch whenever it is asked.
    for (let run = 0; run < 20; run++) {
      expect(test.lane().state).toBe('idle');
      ranOf(await runRows(test, { session: first.session, width: 1, values: [2] }));
    }
    held.release();
    const { session } = await loading;
    expect(test.pool.threadChanges.get('loaded_beside')).toBe(1);
    expect(await runRows(test, { session, width: 4, values: [5, 3, 1, 0] })).toMatchObject({ kind: 'ran' });
    expect(test.lost).toEqual([]);
    await vi.waitUntil(() => test.threads.filter(({ threadId }) => threadId !== -1).length === 1, patience);
  });

  it.runIf(mayComeBack)('comes after all other threads, and its thread serves among them', async () => {
    // Two lanes can stand in for each other, but what is loaded so costs nobody anything.
    // On a machine that is full the time for that is over before the load is.
    const held = new HeldThreads();
    test = await startTestPool({ threads: 2, loadBehindMsMax: 3000, workerFile: held.workerFile });
    const first = await test.load(rowModel());
    for (const lane of [0, 1]) await runRows(test, { session: first.session, width: 1, values: [2], lane });
    held.hold('load');
    const loading = test.load(demoModel('iris-1.0.0'), { replicas: 1 });
    await vi.waitUntil(() => threadsBehind().length === 1, patience);
    held.release();
    const { session } = await loading;
    expect(threadsBehind()).toEqual([]);
    expect(test.pool.threadChanges.get('loaded_beside')).toBe(1);
    expect(await lanesThatRun(first.session)).toEqual([0, 1]);
    const [lane] = lanesThatHold(session);
    const run = { session, width: 4, values: [5, 3, 1, 0], ...(lane !== undefined && { lane }) };
    expect(await runRows(test, run)).toMatchObject({ kind: 'ran' });
    // So does one more replica, unless work waits for it.
    expect(await wereBehind(() => test.pool.scale(session, 2))).toBe(1);
    await test.pool.scale(session, 1);
    for (const lane of [0, 1]) await runRows(test, { session: first.session, width: 1, values: [2], lane });
    expect(await wereBehind(() => test.pool.scale(session, 2, true))).toBe(0);
    expect(test.pool.replicasOf(session)).toBe(2);
    expect(test.lost).toEqual([]);
  });

  it('takes the time of others too when callers wait for it', async () => {
    test = await startTestPool({ threads: 1, loadBehindMsMax: 25_000 });
    const first = await test.load(rowModel());
    await runRows(test, { session: first.session, width: 1, values: [2] });
    expect(await wereBehind(() => test.load(demoModel('iris-1.0.0'), { isAwaited: true }))).toBe(0);
    expect(test.pool.threadChanges.get('loaded_beside')).toBe(1);
  });

  it.runIf(mayComeBack)('goes on among the others when no processor was free for too long', async () => {
    const held = new HeldThreads();
    test = await startTestPool({ threads: 1, loadBehindMsMax: 1, workerFile: held.workerFile });
    const first = await test.load(rowModel());
    await runRows(test, { session: first.session, width: 1, values: [2] });
    held.hold('load');
    const loading = test.load(demoModel('digits-1.0.0'));
    await vi.waitUntil(() => held.counted === 1, patience);
    // The load is not over yet, however long it lasts.
    await vi.waitUntil(() => threadsBehind().length === 0, patience);
    held.release();
    expect(await loading).toMatchObject({ kind: 'loaded' });
  });

  it.runIf(process.platform === 'linux')(
    'leaves threads that nobody waits for behind all others',
    async () => {
      const behind = { background: true, loadBehindMsMax: 25_000 };
      test = await startTestPool({ threads: 1, workerFile: lightWorker, ...behind });
      expect(threadsBehind()).toHaveLength(1);
      await test.load(rowModel());
      const [before] = threadsBehind();
      await test.lane().renew();
      await vi.waitUntil(() => threadsBehind().length === 1 && threadsBehind()[0] !== before, patience);
    },
  );

  it('happens between batches where that is asked for, or where nothing is at work', async () => {
    test = await startTestPool({ threads: 1, loadsBeside: false });
    const { session } = await test.load(rowModel());
    await runRows(test, { session, width: 1, values: [2] });
    await test.load(rowModel());
    expect(test.threads.length).toBe(1);
    await test.close();

    test = await startTestPool({ threads: 1 });
    await test.load(rowModel());
    await test.load(rowModel());
    expect(test.threads.length).toBe(1);
  });

  it('keeps one lane of several from work at a time', async () => {
    test = await startTestPool({ threads: 2 });
    const { session } = await test.load(rowModel());
    const busy = new Set<string>();
    const load: { isDone: boolean } = { isDone: false };
    const loading = test.load(demoModel('iris-2.0.0')).then(() => (load.isDone = true));
    while (!load.isDone) {
      busy.add(test.pool.lanes.map(({ state }) => state).join());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await loading;
    expect(busy).toContain('busy,idle');
    expect(busy).toContain('idle,busy');
    expect(busy).not.toContain('busy,busy');
    expect(await lanesThatRun(session)).toEqual([0, 1]);
  });

  it('that fails beside leaves the lane as it was', async () => {
    test = await startTestPool({ threads: 1 });
    const { session } = await test.load(rowModel());
    await runRows(test, { session, width: 1, values: [2] });
    const readModel = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(64));
    const outcome = await test.pool.load({ signature: signatureOfRow, warmRows: [], readModel });
    expect(outcome).toMatchObject({ kind: 'failed', code: 'MODEL_INVALID' });
    expect(await runRows(test, { session, width: 1, values: [2] })).toMatchObject({ kind: 'ran' });
    await vi.waitUntil(() => test.threads.filter(({ threadId }) => threadId !== -1).length === 1, patience);
  });
});

// The native engine has none to tell of.
describe.skipIf(isNative)('the memory of a thread', () => {
  it('is told, grows with what it runs, and is given back by a fresh thread that holds the same', async () => {
    test = await startTestPool({ threads: 1, threadMemoryBytesMax: 48 * mib, resultBytes: 4096 });
    const kept = await test.load(rowModel());
    const { session } = await test.load(widenModel(8192));
    const before = test.lane().heapBytes;
    expect(before).toBeGreaterThan(8 * mib);
    expect(before).toBeLessThan(48 * mib);
    const reply = await runRows(test, { session, width: 1, values: Array<number>(2048).fill(1) });
    expect(ranOf(reply).heapBytes).toBeGreaterThan(48 * mib);
    await vi.waitUntil(() => test.pool.threadChanges.get('overgrown') === 1, patience);
    expect(test.lane().heapBytes).toBeLessThan(48 * mib);
    for (const each of [kept.session, session]) {
      expect(await runRows(test, { session: each, width: 1, values: [2] })).toMatchObject({ kind: 'ran' });
    }
    expect(test.lost).toEqual([]);
  });

  it('is not changed over and over when what it must hold is past the limit already', async () => {
    test = await startTestPool({ threads: 1, threadMemoryBytesMax: 1 });
    const { session } = await test.load(rowModel());
    for (let round = 0; round < 20; round++) {
      if (test.lane().state === 'idle') await runRows(test, { session, width: 1, values: [2] });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await vi.waitUntil(() => test.lane().state === 'idle', patience);
    expect(test.pool.threadChanges.get('overgrown') ?? 0).toBeLessThanOrEqual(1);
  });
});

const signatureOfRow = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
  batching: 'rows',
} as const;
