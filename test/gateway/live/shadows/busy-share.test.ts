/** However long a piece of work takes, the share of the time is kept. */
import { describe, expect, it } from 'vitest';
import { BusyShare } from '../../../../gateway/live/shadows/busy-share.ts';

/** The share of `untilMs` in which pieces of `pieceMs` were worked on, one as soon as it may begin. */
function busyShareOf(percent: number, { pieceMs, untilMs }: { pieceMs: number; untilMs: number }): number {
  const share = new BusyShare(percent);
  let busyMs = 0;
  for (let nowMs = 0; nowMs < untilMs; nowMs += 1) {
    if (!share.mayBegin(nowMs)) continue;
    nowMs += pieceMs;
    share.spend(pieceMs, nowMs);
    busyMs += pieceMs;
  }
  return busyMs / untilMs;
}

describe('a share of the time', () => {
  it.each([1, 10, 50])('of %i percent is kept by short work and by long', (percent) => {
    for (const pieceMs of [1, 20, 400]) {
      const untilMs = 200_000;
      const busy = busyShareOf(percent, { pieceMs, untilMs });
      // What was saved before, and the piece that went over it.
      expect(busy).toBeLessThanOrEqual(percent / 100 + (100 + pieceMs) / untilMs);
      expect(busy).toBeGreaterThan(0.7 * (percent / 100));
    }
  });

  it('of all of it has no pauses', () => {
    const share = new BusyShare(100);
    share.spend(1_000_000, 0);
    expect(share.mayBegin(0)).toBe(true);
  });

  it('is not saved up for longer than a tenth of a second of work', () => {
    const share = new BusyShare(10);
    expect(share.mayBegin(3_600_000)).toBe(true);
    share.spend(101, 3_600_000);
    expect(share.mayBegin(3_600_000)).toBe(false);
    expect(share.mayBegin(3_600_020)).toBe(true);
  });

  it('does not grow when the clock stands still or goes back', () => {
    const share = new BusyShare(10);
    share.spend(200, 5000);
    expect(share.mayBegin(5000)).toBe(false);
    expect(share.mayBegin(4000)).toBe(false);
  });
});
