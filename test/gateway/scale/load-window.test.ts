/** Averages over windows, and the means between two ticks that they are made of. */
import { describe, expect, it } from 'vitest';
import { LoadMeter } from '../../../gateway/scale/load-meter.ts';
import { LoadWindow } from '../../../gateway/scale/load-window.ts';

describe('the load of the last while', () => {
  it('is weighted by time, and a span that reaches out of the window counts with its part in it', () => {
    const window = new LoadWindow(60_000);
    window.add({ fromMs: 0, untilMs: 4000, work: 1, busy: 1, offered: 3 });
    window.add({ fromMs: 4000, untilMs: 6000, work: 4, busy: 0, offered: 0 });
    expect(window.average(60_000, 6000)).toEqual({ work: 2, busy: 2 / 3, offered: 2 });
    expect(window.average(3000, 6000)).toEqual({ work: 3, busy: 1 / 3, offered: 1 });
  });

  it('is nothing where nothing was seen, and forgets what is older than its longest window', () => {
    const window = new LoadWindow(10_000);
    expect(window.average(10_000, 0)).toEqual({ work: 0, busy: 0, offered: 0 });
    window.add({ fromMs: 0, untilMs: 1000, work: 9, busy: 1, offered: 1 });
    window.add({ fromMs: 20_000, untilMs: 21_000, work: 1, busy: 1, offered: 1 });
    expect(window.average(60_000, 21_000).work).toBe(1);
  });
});

describe('what is seen between two ticks', () => {
  it('is the mean of the looks, and the share of threads that were busy', () => {
    const meter = new LoadMeter();
    meter.look({ rows: 4, work: 2, workMs: 40, lanes: 2, lanesBusy: 2 });
    meter.look({ rows: 0, work: 0, workMs: 0, lanes: 2, lanesBusy: 1 });
    expect(meter.take()).toEqual({ rows: 2, rowsGrown: 2, work: 1, busyShare: 0.75, ready: 2, rowMs: 10 });
    expect(meter.take()).toMatchObject({ rows: 0, rowsGrown: -2 });
  });

  it('takes a row for what the rows cost that were seen last', () => {
    const meter = new LoadMeter();
    expect(meter.take()).toEqual({ rows: 0, rowsGrown: 0, work: 0, busyShare: 0, ready: 0, rowMs: 0 });
    meter.look({ rows: 1, work: 1, workMs: 10, lanes: 1, lanesBusy: 1 });
    meter.look({ rows: 3, work: 1, workMs: 10, lanes: 1, lanesBusy: 1 });
    expect(meter.take().rowMs).toBe(5);
    expect(meter.take().rowMs).toBe(5);
  });
});
