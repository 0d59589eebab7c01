/**
 * A burst as water in a tub: work comes at a rate, each replica takes one second of it a second, new ones come 2 s after it
 * was decided. With the windows of 60 s and 6 s a simulation of another hand had 21 replica-seconds of backlog at the most,
 * gone 12 s after the burst began; with the 60 s alone 28 and 20 s. Ours is to be about as good, and the second window to matter.
 */
import { describe, expect, it } from 'vitest';
import { ReplicaScaler } from '../../../gateway/scale/replica-scaler.ts';
import { type ScalingOptions, scalingDefaults } from '../../../gateway/scale/scaling-options.ts';

interface Course {
  readonly backlogMost: number;
  readonly clearedAfterS: number;
  readonly changes: readonly number[];
  readonly replicasMost: number;
}

const burst = { fromS: 300, forS: 90 };
const stepS = 0.05;

/** 0.5 replicas of work, then 5, then 0.5 again. */
function pour(options: ScalingOptions): Course {
  const scaler = new ReplicaScaler(options, 0);
  const coming: { readonly atS: number; readonly replicas: number }[] = [];
  let [placed, ready, backlog, backlogMost, clearedAfterS] = [1, 1, 0, 0, 0];
  let [work, busy, share, came, looks] = [0, 0, 0, 0, 0];
  const numbers: number[] = [placed];
  for (let step = 1; step * stepS < 900; step++) {
    const nowS = step * stepS;
    const inBurst = nowS >= burst.fromS && nowS < burst.fromS + burst.forS;
    while (coming[0] !== undefined && coming[0].atS <= nowS) ready = coming.shift()!.replicas;
    const inflow = inBurst ? 5 : 0.5;
    const taken = Math.min(ready, inflow + backlog / stepS);
    backlog = Math.max(0, backlog + (inflow - taken) * stepS);
    backlogMost = Math.max(backlogMost, backlog);
    if (inBurst && backlog > 0.01) clearedAfterS = nowS - burst.fromS;
    work += taken + backlog;
    busy += taken;
    share += taken / ready;
    came += inflow;
    looks += 1;
    if (step % Math.round(2 / stepS) !== 0) continue;
    const bounds = { min: 1, max: 8, because: 'there are 8', busyShareMax: 0.7 };
    const seen = {
      work: work / looks,
      busy: busy / looks,
      offered: came / looks,
      busyShare: share / looks,
      rowsPerSecond: busy,
    };
    [work, busy, share, came, looks] = [0, 0, 0, 0, 0];
    const { replicas } = scaler.tick({ ...seen, placed, ready, bounds, mayShrink: true }, nowS * 1000);
    if (replicas === placed) continue;
    // What goes is gone at once.
    if (replicas < placed) ready = Math.min(ready, replicas);
    else coming.push({ atS: nowS + 2, replicas });
    placed = replicas;
    numbers.push(placed);
  }
  const changes = numbers.slice(1).map((number, index) => number - (numbers[index] ?? 0));
  return { backlogMost, clearedAfterS, changes, replicasMost: Math.max(...numbers) };
}

describe('a toy burst from 0.5 to 5 replicas of work', () => {
  const both = pour(scalingDefaults);

  it('piles up no more than 21 replica-seconds, which are gone within 13 s', () => {
    expect(both.backlogMost).toBeLessThanOrEqual(21);
    // Decided at the first two ticks: 3, then 8. What piled up by the sixth second goes at 3 a second.
    expect(both.clearedAfterS).toBeLessThanOrEqual(13);
  });

  it('needs the short window: without it more piles up, for longer', () => {
    const slow = pour({ ...scalingDefaults, burstFactor: Infinity });
    expect(slow.backlogMost).toBeGreaterThan(both.backlogMost);
    expect(slow.clearedAfterS).toBeGreaterThan(both.clearedAfterS);
  });

  it('does not flap: up while it comes, down when it is over, and nothing in between', () => {
    const firstDown = both.changes.findIndex((change) => change < 0);
    expect(firstDown).toBeGreaterThan(0);
    expect(both.changes.slice(firstDown).every((change) => change < 0)).toBe(true);
    expect(firstDown).toBeLessThanOrEqual(3);
    expect(both.replicasMost).toBe(8);
  });
});
