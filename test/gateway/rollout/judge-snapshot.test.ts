/** What two nodes counted, added: the same as one node that saw all of it. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import type { Outcome } from '../../../gateway/rollout/judge.ts';
import { mergeMetrics } from '../../../gateway/rollout/metric-counts.ts';
import { mergeSnapshots } from '../../../gateway/rollout/judge-snapshot.ts';
import { judgeSnapshot } from '../../../gateway/rollout/judge-verdict.ts';
import { seatOf } from '../../../gateway/rollout/unit-ledger.ts';
import { mixedHash } from './simulated-traffic.ts';

/** Callers that do not share a seat: two in one seat count as one, but only on the same node. */
const seats = new Map(Array.from({ length: 1500 }, (_, key) => [seatOf(mixedHash(key)), key]));
const keys = [...seats.values()];

/** Each caller comes to one node, some of them again and again; the share grows half way. */
function outcomes(candidateRate: number): readonly Outcome[] {
  const random = seededRandom(3);
  return Array.from({ length: 8000 }, (_, request) => {
    const key = keys[random.below(keys.length)] ?? 0;
    const share = request < 4000 ? 0.1 : 0.3;
    const arm = mixedHash(key + 7_000_000) / 2 ** 32 < share ? 'candidate' : 'stable';
    const failed = random.next() < (arm === 'candidate' ? candidateRate : 0.02);
    return {
      arm,
      share,
      keyHash: mixedHash(key),
      failed,
      failure: key % 3 === 0 ? 'nan' : 'crash',
      nowMs: request * 50,
      serviceMs: 5 + random.next() * 10,
      predictedClass: random.below(4),
    };
  });
}

function judgeOf(all: readonly Outcome[]): CanaryJudge {
  const judge = new CanaryJudge();
  for (let sample = 0; sample < 500; sample += 1) judge.warmUp(5 + (sample / 500) * 10);
  judge.beginStep(0);
  for (const outcome of all) judge.record(outcome);
  return judge;
}

describe('the snapshots of two nodes', () => {
  test.each([0.02, 0.1])('make that of one where the candidate fails with %f', (candidateRate) => {
    const all = outcomes(candidateRate);
    // A node does not see when the row of failures of the other ends: that count is not added.
    const [first, second, both] = [
      all.filter(({ keyHash }) => keyHash % 2 === 0),
      all.filter(({ keyHash }) => keyHash % 2 === 1),
      all,
    ].map((part) => judgeOf(part).snapshot());
    const merged = mergeSnapshots(first!, second!);
    // Each node sets the runs of its own candidate against its own of the stable version.
    const latency = mergeMetrics(first!.metrics.latency, second!.metrics.latency);
    expect(latency.observed.candidate).toBeGreaterThan(100);
    expect(merged.metrics.latency).toEqual(latency);
    expect({ ...merged, failuresInARow: 0, crashesInARow: 0, stableMeanwhile: 0 }).toEqual({
      ...both,
      metrics: { ...both!.metrics, latency },
      failuresInARow: 0,
      crashesInARow: 0,
      stableMeanwhile: 0,
    });
    const verdict = judgeSnapshot(merged, {}, 400_000);
    const single = judgeSnapshot(both!, {}, 400_000);
    expect([verdict.kind, verdict.metric]).toEqual([single.kind, single.metric]);
    expect(verdict.kind).toBe(candidateRate === 0.02 ? 'healthy' : 'rollback');
  });

  test('are plain data', () => {
    const snapshot = judgeOf(outcomes(0.02)).snapshot();
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    expect(snapshot.crashed.stable).toBeGreaterThan(0);
  });

  test('have no cut points in common where each node has its own, and the earlier start', () => {
    const one = new CanaryJudge({ warmUpRequests: 1 });
    const other = new CanaryJudge({ warmUpRequests: 1 });
    one.warmUp(5);
    other.warmUp(50);
    other.beginStep(70);
    expect(mergeSnapshots(one.snapshot(), other.snapshot())).toMatchObject({
      latencyCutsMs: null,
      stepStartedMs: 70,
      hasLatency: true,
    });
    expect(mergeSnapshots(one.snapshot(), one.snapshot()).latencyCutsMs).toEqual(
      one.snapshot().latencyCutsMs,
    );
    expect(mergeSnapshots(one.snapshot(), one.snapshot()).stepStartedMs).toBeNull();
  });
});
