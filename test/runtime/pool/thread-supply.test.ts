/** A thread whose place another took is kept for a while: what it holds is not loaded again, and it goes when nobody needs it. */
import { afterEach, expect, it, vi } from 'vitest';
import { demoModel, type PoolUnderTest, runRows, startTestPool } from './pool-under-test.ts';
import { rowModel } from './row-models.ts';

const patience = { timeout: 25_000, interval: 10 };

let test: PoolUnderTest;
afterEach(() => test.close());

/** A row model that counts how often its file is read. */
async function loadCounted(): Promise<{ readonly session: number; readonly reads: () => number }> {
  let reads = 0;
  const file = rowModel();
  const readModel = (): Promise<Uint8Array> => {
    reads += 1;
    return Promise.resolve(new Uint8Array(file));
  };
  const { session } = await test.load(file, { readModel });
  return { session, reads: () => reads };
}

/** So that the lane is in use, and the next load happens beside it. */
const runs = async (session: number): Promise<string> =>
  (await runRows(test, { session, width: 1, values: [2] })).kind;
const living = (): number => test.threads.filter(({ threadId }) => threadId !== -1).length;

it('takes turns with its successor, and each load reads and loads only what is new to the thread', async () => {
  test = await startTestPool({ spareMsMax: 60_000 });
  const first = await loadCounted();
  expect(await runs(first.session)).toBe('ran');
  const second = await loadCounted();
  expect([first.reads(), second.reads(), test.threads.length]).toEqual([2, 1, 2]);
  // The thread that had the first one gets the second, too.
  const third = await loadCounted();
  expect([first.reads(), second.reads(), third.reads(), test.threads.length]).toEqual([2, 2, 1, 2]);
  for (const { session } of [first, second, third]) expect(await runs(session)).toBe('ran');
  // What is gone is gone from both.
  await test.pool.unload(second.session);
  const fourth = await loadCounted();
  expect(await runRows(test, { session: second.session, width: 1, values: [2] })).toMatchObject({
    code: 'UNKNOWN_SESSION',
  });
  for (const { session } of [first, third, fourth]) expect(await runs(session)).toBe('ran');
  expect([living(), test.lost]).toEqual([2, []]);
  expect(test.pool.threadChanges.get('loaded_beside')).toBe(3);
});

it('is replaced by a fresh one when it ended meanwhile', async () => {
  test = await startTestPool({ spareMsMax: 60_000 });
  const first = await loadCounted();
  await runs(first.session);
  await loadCounted();
  await test.threads[0]!.terminate();
  await vi.waitUntil(() => living() === 1, patience);
  const third = await loadCounted();
  expect([first.reads(), test.lost]).toEqual([3, []]);
  for (const { session } of [first, third]) expect(await runs(session)).toBe('ran');
});

it('goes when nothing is loaded for a while, and with the pool', async () => {
  test = await startTestPool({ spareMsMax: 100 });
  const { session } = await loadCounted();
  await runs(session);
  await loadCounted();
  await vi.waitUntil(() => living() === 1, patience);
  expect(await runs(session)).toBe('ran');
  await test.close();

  test = await startTestPool({ spareMsMax: 60_000 });
  const other = await loadCounted();
  await runs(other.session);
  await loadCounted();
  expect(living()).toBe(2);
  await test.close();
  expect(living()).toBe(0);
});

it('says what it holds, and goes when its memory is needed', async () => {
  test = await startTestPool({ spareMsMax: 60_000 });
  expect(test.pool.spare.kept).toBeUndefined();
  const first = await loadCounted();
  await runs(first.session);
  const second = await loadCounted();
  const { kept } = test.pool.spare;
  expect([...(kept?.sessions ?? [])]).toEqual([first.session]);
  expect((kept?.heapBytes ?? 0) > 0).toBe(test.pool.engine.name === 'wasm');
  await test.pool.spare.endKept('its memory is needed');
  await vi.waitUntil(() => living() === 1, patience);
  expect(test.pool.spare.kept).toBeUndefined();
  // What is loaded next has a fresh one, which has nothing yet.
  await loadCounted();
  expect([first.reads(), second.reads(), test.lost]).toEqual([3, 2, []]);
});

it('is not kept past the limit of its memory, nor where nothing is to be kept', async () => {
  for (const options of [{ spareMsMax: 60_000, threadMemoryBytesMax: 1024 * 1024 }, { spareMsMax: 0 }]) {
    test = await startTestPool(options);
    const { session } = await loadCounted();
    await runs(session);
    await test.load(demoModel('iris-1.0.0'));
    await vi.waitUntil(() => living() === 1, patience);
    await test.close();
  }
});
