/** The scaler, tick by tick: what calm, a burst and a dying load lead to, what bounds them, and what it says of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Observation,
  type ReplicaBounds,
  ReplicaScaler,
  type ScalingDecision,
} from '../../../gateway/scale/replica-scaler.ts';
import { scalingDefaults } from '../../../gateway/scale/scaling-options.ts';

const bounds: ReplicaBounds = { min: 1, max: 8, because: 'this node has 8 threads', busyShareMax: 0.7 };

/** One version whose replicas come and go as it is decided, at once. */
class Version {
  readonly scaler = new ReplicaScaler(scalingDefaults, 0);
  nowMs = 0;
  placed = 1;
  last: ScalingDecision | undefined;
  readonly #always: Partial<Observation>;
  #workBefore = 0;

  constructor(always: Partial<Observation> = {}) {
    this.#always = always;
  }

  /** For so long, with so much in hand; gives the number after each tick. */
  live(seconds: number, seen: Partial<Observation> & { readonly work: number }): readonly number[] {
    const numbers: number[] = [];
    for (let second = 0; second < seconds; second += 2) {
      this.nowMs += 2000;
      const share = Math.min(1, seen.work / this.placed);
      this.last = this.scaler.tick(
        {
          busy: share * this.placed,
          // What is answered is asked again, and what is in hand more than before came as well.
          offered: share * this.placed + Math.max(0, seen.work - this.#workBefore),
          busyShare: share,
          rowsPerSecond: 1000 * this.placed,
          placed: this.placed,
          ready: this.placed,
          bounds,
          mayShrink: true,
          ...this.#always,
          ...seen,
        },
        this.nowMs,
      );
      this.placed = this.last.replicas;
      this.#workBefore = seen.work;
      numbers.push(this.placed);
    }
    return numbers;
  }
}

describe('a calm load', () => {
  it('within what one replica should have in hand never gets another', () => {
    const version = new Version();
    expect(new Set(version.live(600, { work: 0.69 }))).toEqual(new Set([1]));
    expect(version.last).toMatchObject({ wanted: 1, inBurst: false, because: 'work for 0.69 over 60 s' });
  });

  it('that grows gets another once a minute of it asks for that, and keeps it', () => {
    const version = new Version();
    version.live(120, { work: 2.7 });
    // Less than twice what is there: no burst.
    const numbers = version.live(120, { work: 3.4 });
    expect(numbers.slice(0, 3)).toEqual([4, 4, 4]);
    expect(new Set(numbers)).toEqual(new Set([4, 5]));
    expect(numbers).toEqual(numbers.toSorted());
  });
});

describe('a burst', () => {
  it('for at least twice what is there is answered within the 6 seconds it is seen by', () => {
    const version = new Version();
    version.live(120, { work: 0.5 });
    const numbers = version.live(6, { work: 6 });
    expect(numbers.at(-1)).toBe(8);
    expect(numbers.findIndex((number) => number > 1)).toBeLessThanOrEqual(1);
    expect(version.last).toMatchObject({ inBurst: true });
    expect(version.last?.because).toMatch(/^burst, work for [\d.]+ over 6 s/);
  });

  it('is none while less comes than the replicas do, however long the queue is', () => {
    const version = new Version();
    version.live(120, { work: 0.5 });
    expect(new Set(version.live(6, { work: 2, busyShare: 1, offered: 0.89 }))).toEqual(new Set([1]));
    expect(version.last).toMatchObject({ inBurst: false });
    expect(version.live(6, { work: 2, busyShare: 1, offered: 0.91 }).at(-1)).toBeGreaterThan(1);
  });

  it('keeps the most it got for a minute, whatever becomes of the work', () => {
    const version = new Version();
    version.live(60, { work: 0.5 });
    version.live(6, { work: 2.6 });
    const most = version.placed;
    expect(most).toBeGreaterThan(2);
    expect(new Set(version.live(54, { work: 0 }))).toEqual(new Set([most]));
    expect(version.last?.because).toContain('nothing is taken away after a burst');
  });
});

describe('a dying load', () => {
  it('gives back at most half in one tick, after half a minute in which fewer were enough', () => {
    const version = new Version();
    version.live(120, { work: 5.5 });
    expect(version.placed).toBe(8);
    const numbers = version.live(300, { work: 0 });
    const first = numbers.findIndex((number) => number < 8);
    // The average has to fall, and then to stay so.
    expect(first * 2).toBeGreaterThanOrEqual(30);
    for (const [index, number] of numbers.entries()) {
      expect(number).toBeGreaterThanOrEqual(Math.ceil((numbers[index - 1] ?? 8) / 2));
    }
    expect(numbers).toEqual(numbers.toSorted().toReversed());
    expect(numbers.at(-1)).toBe(1);
  });

  it('does not give back what would leave the rest busier than the deployment wants', () => {
    const version = new Version();
    version.live(120, { work: 2.7 });
    expect(version.placed).toBe(4);
    // Little waits, but the threads are at work: 4 at 60 % are 3 at 80 %, and 70 % are wanted.
    version.live(300, { work: 1, busy: 2.4, busyShare: 0.6 });
    expect(version.placed).toBe(4);
    expect(version.last?.because).toBe('work for 1 over 60 s, fewer would be busier than 70 %');
    version.live(300, { work: 1, busy: 2, busyShare: 0.5 });
    expect(version.placed).toBe(3);
  });

  it('gives nothing back while a rollout may have to go back to it', () => {
    const version = new Version();
    version.live(120, { work: 2.7 });
    version.live(600, { work: 0, mayShrink: false });
    expect(version.placed).toBe(4);
    expect(version.last?.because).toContain('kept while a rollout may go back');
    version.live(60, { work: 0 });
    expect(version.placed).toBe(1);
  });
});

describe('more replicas are not tried', () => {
  it('than there may be, and it says why', () => {
    const two = { ...bounds, max: 2, because: 'this node has 2 threads' };
    const version = new Version({ bounds: two });
    version.live(20, { work: 6 });
    expect(version.placed).toBe(2);
    expect(version.last).toMatchObject({
      wanted: 9,
      because: 'burst, work for 6 over 6 s, but this node has 2 threads',
    });
  });

  it('while the threads that hold it are idle', () => {
    const version = new Version({ busyShare: 0.5 });
    version.live(120, { work: 6 });
    expect(version.placed).toBe(1);
    expect(version.last?.because).toContain('but its threads are busy 50 % of the time');
  });

  it('where one more was seen to bring less than a tenth of one', () => {
    const version = new Version();
    version.live(10, { work: 9, rowsPerSecond: 1000, bounds: { ...bounds, max: 1 } });
    version.live(10, { work: 9, rowsPerSecond: 1050, bounds: { ...bounds, max: 2 } });
    expect(version.placed).toBe(2);
    version.live(60, { work: 9, rowsPerSecond: 1050 });
    expect(version.placed).toBe(2);
    expect(version.last?.because).toContain('but more than 1 brought too little');
  });
});

it('a replica that is still being loaded is not taken for one that brings nothing', () => {
  const version = new Version();
  version.live(10, { work: 9, rowsPerSecond: 1000, bounds: { ...bounds, max: 1 } });
  version.live(20, { work: 9, rowsPerSecond: 1000, ready: 1, bounds: { ...bounds, max: 2 } });
  version.live(4, { work: 9, rowsPerSecond: 1900 });
  expect(version.placed).toBe(8);
});

describe('what is about to come', () => {
  it('keeps replicas that the averages do not ask for yet, for as long as they look back', () => {
    const version = new Version();
    version.live(60, { work: 0.1 });
    version.scaler.expect(4, version.nowMs);
    version.placed = 4;
    expect(new Set(version.live(58, { work: 0.1 }))).toEqual(new Set([4]));
    version.live(60, { work: 0.1 });
    expect(version.placed).toBe(1);
  });

  it('is told as a demand that is not rounded, of the larger of the two windows', () => {
    const version = new Version({ bounds: { ...bounds, max: 1 } });
    version.live(60, { work: 0.7 });
    expect(version.scaler.demand(version.nowMs)).toBeCloseTo(1);
    version.live(6, { work: 2.8 });
    expect(version.scaler.demand(version.nowMs)).toBeCloseTo(4);
  });
});

it('whatever is seen, the number is within its bounds, grows only where threads are busy, and never falls by more than half', () => {
  const tick = fc.record({
    work: fc.double({ min: 0, max: 40, noNaN: true }),
    busyShare: fc.double({ min: 0, max: 1, noNaN: true }),
    rowsPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
    offered: fc.double({ min: -40, max: 40, noNaN: true }),
    mayShrink: fc.boolean(),
  });
  const limits = fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 12 }))
    .map(([min, more]) => ({ ...bounds, min, max: min + more }));
  fc.assert(
    fc.property(limits, fc.array(tick, { maxLength: 120 }), (within, ticks) => {
      const scaler = new ReplicaScaler(scalingDefaults, 0);
      let placed = within.min;
      for (const [index, seen] of ticks.entries()) {
        const busy = seen.busyShare * placed;
        const nowMs = (index + 1) * 2000;
        const { replicas, because } = scaler.tick(
          { ...seen, busy, placed, ready: placed, bounds: within },
          nowMs,
        );
        expect(replicas).toBeGreaterThanOrEqual(within.min);
        expect(replicas).toBeLessThanOrEqual(within.max);
        expect(replicas).toBeGreaterThanOrEqual(Math.ceil(placed / 2));
        if (replicas > placed) expect(seen.busyShare).toBeGreaterThanOrEqual(0.7);
        if (replicas < placed) expect(seen.mayShrink).toBe(true);
        expect(because).not.toMatch(/NaN|Infinity|undefined/);
        placed = replicas;
      }
    }),
  );
});
