/**
 * Threads that fail in every way they can, on real threads: the batch is answered, the thread replaced, what it held is
 * there again, and a session that goes on like this is no longer run. Which value stands for which fault is said in
 * faulty-worker.mjs.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Quarantine } from '../../../runtime/pool/fault-record.ts';
import type { LossCause } from '../../../runtime/pool/lane-loss.ts';
import type { LaneReply } from '../../../runtime/pool/lane.ts';
import type { PoolOptions } from '../../../runtime/pool/pool-options.ts';
import { type PoolUnderTest, runRows, startTestPool } from './pool-under-test.ts';
import { rowModel, spinModel } from './row-models.ts';

const workerFile = new URL('faulty-worker.mjs', import.meta.url);
/** Waits are bounds, not measurements: the machine may be busy. */
const patience = { timeout: 20_000, interval: 10 };

let test: PoolUnderTest;
afterEach(() => test.close());

async function start(options: Partial<PoolOptions> = {}): Promise<number> {
  test = await startTestPool({ workerFile, restartDelayMsMax: 50, ...options });
  return (await test.load(rowModel())).session;
}

async function idle(): Promise<void> {
  await vi.waitUntil(() => test.lane().state === 'idle', patience);
}

function run(session: number, value: number): Promise<LaneReply> {
  return runRows(test, { session, width: 1, values: [value] });
}

/** Where hanging runs are given little time, a thread that stands still is taken for one of those: until a run is well. */
async function runsWell(session: number, value = 2): Promise<void> {
  const isWell = async (): Promise<boolean> => {
    await idle();
    return (await run(session, value)).kind === 'ran';
  };
  await vi.waitUntil(isWell, patience);
}

describe('a run', () => {
  it.each<[string, number, LossCause, RegExp]>([
    ['does not come back', 1001, 'hung', /did not answer within 300 ms/],
    ['ends its thread', 1002, 'ended', /./],
    ['traps the runtime', 1003, 'ended', /unreachable/],
    ['answers a row too many', 1005, 'nonsense', /output y has 2 rows for 1/],
    ['answers with memory of others', 1006, 'nonsense', /output y lies outside of the memory/],
    ['answers without outputs', 1007, 'nonsense', /0 outputs came for 1/],
    ['answers another question', 1008, 'nonsense', /a run was answered with unloaded/],
  ])('that %s is lost with its thread, and the next one is well', async (_, value, cause, detail) => {
    // Only where it is waited for: any thread may stand still for so long on a busy machine.
    const session = await start(cause === 'hung' ? { runMsMax: 300 } : {});
    const reply = await run(session, value);
    expect(reply).toMatchObject({ kind: 'lost', detail: expect.stringMatching(detail) as string });
    expect(test.losses).toMatchObject([{ cause, session, detail: expect.stringMatching(detail) as string }]);
    expect(test.pool.threadChanges.get(cause)).toBe(1);
    await runsWell(session);
    await vi.waitUntil(() => test.threads.filter(({ threadId }) => threadId !== -1).length === 1, patience);
    expect(test.threads[0]!.threadId).toBe(-1);
  });

  it('that finds no memory is told so, and its thread goes, because it never gives memory back', async () => {
    const session = await start();
    expect(await run(session, 1004)).toMatchObject({ kind: 'failed', code: 'OUT_OF_MEMORY' });
    expect(test.losses).toMatchObject([{ cause: 'out_of_memory', session }]);
    await runsWell(session);
  });

  it('of a real model that spins for ever is ended too', async () => {
    test = await startTestPool({ runMsMax: 300, restartDelayMsMax: 50 });
    const { session } = await test.load(spinModel());
    await runsWell(session, 3);
    await idle();
    expect(await run(session, 1e12)).toMatchObject({ kind: 'lost' });
    expect(test.losses.at(-1)).toMatchObject({ cause: 'hung', session });
    await runsWell(session, 3);
  });
});

describe('a session that costs thread after thread', () => {
  const faults = { lossesMax: 3, windowMs: 60_000, quarantineMsMin: 500, quarantineMsMax: 60_000 };

  it('is not run for a while, others are, and it gets another chance', async () => {
    const quarantines: Quarantine[] = [];
    const released: number[] = [];
    const bad = await start({
      faults,
      onQuarantine: (quarantine) => quarantines.push(quarantine),
      onRelease: (session) => released.push(session),
    });
    const { session: good } = await test.load(rowModel());
    for (let loss = 0; loss < 3; loss++) {
      expect(quarantines).toEqual([]);
      await run(bad, 1002);
      await idle();
    }
    expect(quarantines).toEqual([{ session: bad, losses: 3, lengthMs: 500 }]);
    const losses = test.losses.length;
    if (released.length === 0) expect(await run(bad, 2)).toMatchObject({ code: 'QUARANTINED' });
    expect(await run(good, 2)).toMatchObject({ kind: 'ran' });
    expect(test.losses.length).toBe(losses);

    await vi.waitUntil(() => released.length > 0, patience);
    expect(released).toEqual([bad]);
    expect(await run(bad, 2)).toMatchObject({ kind: 'ran' });
    // It has no second credit.
    await run(bad, 1002);
    expect(quarantines.at(-1)).toEqual({ session: bad, losses: 4, lengthMs: 1000 });
  });
});

describe('a load', () => {
  it('that does not come back within its time is lost, and the lane works on', async () => {
    test = await startTestPool({
      workerFile: new URL('stuck-loader.mjs', import.meta.url),
      // Enough for one that is well, on a busy machine too.
      loadMsMax: 1000,
      restartDelayMsMax: 50,
    });
    const outcome = await test.pool.load({
      signature: signatureOfRow,
      warmRows: [],
      readModel: () => Promise.resolve(new Uint8Array(8)),
    });
    expect(outcome).toMatchObject({ kind: 'lost' });
    expect(test.losses[0]).toMatchObject({ cause: 'hung' });
    await idle();
    const readModel = (): Promise<Uint8Array> => Promise.resolve(rowModel());
    const isLoaded = async (): Promise<boolean> =>
      (await test.pool.load({ signature: signatureOfRow, warmRows: [], readModel })).kind === 'loaded';
    await vi.waitUntil(isLoaded, { timeout: 60_000 });
  }, 90_000);
});

const signatureOfRow = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
  batching: 'rows',
} as const;
