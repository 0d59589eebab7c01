/** Why versions stay in memory, and how much of it they and one more may take. */
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ModelGeneration } from '../../../gateway/dispatch/model-generation.ts';
import { ModelMemory } from '../../../gateway/live/model-memory.ts';
import { modelQuarantined } from '../../../gateway/dispatch/failure-answers.ts';
import { VersionMetrics } from '../../../gateway/telemetry/version-metrics.ts';
import type { KeptThread } from '../../../runtime/pool/thread-supply.ts';

let nowMs = 0;
beforeEach(() => {
  nowMs = 0;
  kept = undefined;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const signature = { inputs: [], outputs: [], batching: 'rows' } as const;

function generation(modelName: string, session: number): ModelGeneration {
  const metrics = new VersionMetrics(modelName, '1');
  const platform = 'onnx';
  const names = { modelName, modelVersion: '1', sha256: modelName };
  return new ModelGeneration({
    ...names,
    signature,
    platform,
    session,
    costs: [],
    metrics,
    bytesPerReplica: 10,
  });
}

/** Sessions on the thread that is kept; undefined while there is none. */
let kept: readonly number[] | undefined;
const pool = {
  replicasOf: () => 2,
  spare: {
    get kept(): KeptThread | undefined {
      return kept && { heapBytes: 1000, sessions: new Set(kept) };
    },
    endKept: (): Promise<void> => {
      kept = undefined;
      return Promise.resolve();
    },
  },
};

/** Each version is on two threads and takes 20 bytes. */
function memory(isUsed: (generation: ModelGeneration) => boolean = () => false): ModelMemory {
  return new ModelMemory({
    pool,
    limits: { modelIdleMsMax: 1000, modelChurnMsMin: 0 },
    bytesMax: 40,
    pinned: new Set(['pinned']),
    isUsed,
  });
}

describe('ModelMemory', () => {
  it.each<[string, (memory: ModelMemory, generation: ModelGeneration) => void]>([
    [
      'has a request under way',
      (_, each) => {
        each.acquire();
      },
    ],
    [
      'is in quarantine',
      (_, each) => {
        each.refusal = modelQuarantined(1000);
      },
    ],
    [
      'is in a rollout',
      (all, each) => {
        all.assign(each, 'rollout');
      },
    ],
    [
      'still answers its last requests',
      (all, each) => {
        all.assign(each, 'retired');
      },
    ],
  ])('keeps a version that %s', (_what, hold) => {
    const all = memory();
    const [held, other] = [generation('held', 1), generation('other', 2)];
    all.enter(held, true);
    nowMs = 5;
    all.enter(other, true);
    hold(all, held);
    nowMs = 5000;
    expect(all.room(20, { isAsked: true })).toEqual({ kind: 'room', evict: [other] });
    expect(all.room(21, { isAsked: true }).kind).toBe('later');
    expect(all.idle()).toEqual([other]);
  });

  it('keeps a pinned model while it is live, and one with an open sequence', () => {
    const [pinned, open] = [generation('pinned', 1), generation('open', 2)];
    const all = memory((each) => each === open);
    all.enter(pinned, false);
    all.enter(open, false);
    nowMs = 5000;
    expect(all.idle()).toEqual([]);
    expect(all.room(1, { isAsked: true }).kind).toBe('later');
    all.assign(pinned, 'spare');
    expect(all.idle()).toEqual([pinned]);
  });

  it.each<readonly [string, (each: ModelGeneration) => void]>([
    [
      'batch',
      ({ metrics }) => {
        metrics.lastBatchMs = 900;
      },
    ],
    [
      'answer of the response cache',
      ({ metrics }) => {
        metrics.cache.hit(899, 900);
      },
    ],
  ])('knows the last use from the last %s', (_what, use) => {
    const all = memory();
    const [first, second] = [generation('a', 1), generation('b', 2)];
    all.enter(first, true);
    all.enter(second, true);
    use(first);
    nowMs = 1000;
    expect(all.idle()).toEqual([second]);
    expect(all.room(1, { isAsked: true })).toEqual({ kind: 'room', evict: [second] });
  });

  it('does not count what left, and takes nothing from whom it is to keep', () => {
    const all = memory();
    const [first, second] = [generation('a', 1), generation('b', 2)];
    all.enter(first, true);
    all.enter(second, true);
    expect(all.bytes).toBe(40);
    expect(all.room(20, { isAsked: true, keep: first })).toEqual({ kind: 'room', evict: [second] });
    all.leave(first);
    expect(all.bytes).toBe(20);
    expect(all.room(20, { isAsked: true })).toEqual({ kind: 'room', evict: [] });
  });

  it('counts what the thread holds that is kept, and ends it for what does not fit beside it', async () => {
    const all = memory();
    const first = generation('a', 1);
    all.enter(first, true);
    // Of a session that is gone, or that another load is about to bring, nothing is counted.
    kept = [1, 7];
    expect([all.keptBytes, all.bytes, all.bytesOf(first)]).toEqual([10, 20, 20]);
    expect([...all.taken()]).toEqual([{ generation: first, bytes: 20 }]);
    // It takes no room from anything.
    expect(all.room(20, { isAsked: true })).toEqual({ kind: 'room', evict: [] });
    expect(all.affordable(generation('b', 2))).toBe(2);
    await all.makeWay(10);
    expect(kept).toEqual([1, 7]);
    await all.makeWay(11);
    expect([kept, all.keptBytes]).toEqual([undefined, 0]);
  });

  it('says how many threads a version can have beside the others, one at least', () => {
    const all = memory();
    const [first, second] = [generation('a', 1), generation('b', 2)];
    all.enter(first, true);
    expect([all.affordable(first), all.affordable(second)]).toEqual([4, 2]);
    all.enter(second, true);
    expect(all.affordable(generation('c', 3))).toBe(1);
  });
});
