/** How many turns of the event loop a request waits for others, turn by turn: the turns are the test's. */
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BurstGate } from '../../../gateway/dispatch/burst-gate.ts';

let nowMs = 0;
let flushes = 0;

beforeEach(() => {
  [nowMs, flushes] = [0, 0];
  vi.useFakeTimers({ toFake: ['setImmediate'] });
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function gate(mayWait = (): boolean => true): BurstGate {
  return new BurstGate({ mayWait, flush: () => (flushes += 1) });
}

/** Turns until the next flush, with so many arrivals before each of the first ones. */
function turnsWith(burst: BurstGate, ...arrivals: readonly number[]): number {
  const before = flushes;
  for (let turn = 0; turn < 20; turn++) {
    for (let count = 0; count < (arrivals[turn] ?? 0); count++) burst.arrived();
    vi.advanceTimersToNextTimer();
    if (flushes > before) return turn + 1;
  }
  throw new Error('nothing was flushed');
}

test('a burst is flushed once, in the first turn that brings nothing more', () => {
  expect([turnsWith(gate(), 3), turnsWith(gate(), 3, 1, 2)]).toEqual([2, 4]);
  expect(flushes).toBe(2);
});

test('it is flushed in the turn in which its time is over, or in which more would not fit', () => {
  expect(
    turnsWith(
      gate(() => false),
      3,
      3,
    ),
  ).toBe(1);
  const burst = gate(() => {
    nowMs += 0.06;
    return true;
  });
  expect(turnsWith(burst, 1, 1, 1, 1, 1)).toBe(2);
});

test('a request that comes alone goes at once when those before it stayed alone, and others are gathered at once again', () => {
  const burst = gate();
  const lone = Array.from({ length: 10 }, () => turnsWith(burst, 1));
  expect(lone).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 1, 1]);
  expect(turnsWith(burst, 2, 1)).toBe(3);
  expect(turnsWith(burst, 1)).toBe(2);
});
