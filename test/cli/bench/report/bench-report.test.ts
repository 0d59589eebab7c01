/** Reports of a run that was made up: every number is where it belongs, and markup stays markup. */
import { describe, expect, it } from 'vitest';
import { WindowTally } from '../../../../cli/bench/load/window-tally.ts';
import { generatorProblem, mergeWindows } from '../../../../cli/bench/load/window-result.ts';
import type { MeasuredPoint } from '../../../../cli/bench/measured-point.ts';
import {
  type BenchRun,
  csvReport,
  htmlReport,
  jsonReport,
  notes,
  plotsOf,
  svgReport,
  tableRows,
} from '../../../../cli/bench/report/bench-report.ts';
import { niceTicks } from '../../../../cli/bench/report/plot.ts';

interface Made {
  readonly value: number;
  readonly failed?: number;
  readonly lateUs?: number;
  readonly busyShare?: number;
  readonly kind?: 'open' | 'closed';
}

function point({ value, failed = 0, lateUs = 10, busyShare = 0.5, kind = 'open' }: Made): MeasuredPoint {
  const tally = new WindowTally(kind);
  for (let index = 0; index < 100; index++) {
    tally.offered();
    if (kind === 'open') tally.late(lateUs);
    if (index < failed) tally.settled('failed', 5, { isInTime: true, reason: 'status 500, "<bad>"' });
    else tally.settled('good', (index + 1) * 20, { isInTime: true });
  }
  const result = tally.result({ seconds: 2, busyShare });
  return { point: { kind, value }, result, windows: 1, isStable: undefined, server: undefined };
}

const run = (...points: readonly MeasuredPoint[]): BenchRun => ({
  settings: { url: 'http://h', model: 'a<b' },
  points,
  limit: undefined,
  isInterrupted: false,
});

describe('reports', () => {
  it('say the same in JSON, CSV and table', () => {
    const made = run(point({ value: 100 }), point({ value: 200 }));
    expect(jsonReport(made)).toMatchObject({
      format: 1,
      model: 'a<b',
      points: [
        {
          mode: 'open',
          load: 100,
          throughput_per_second: 50,
          good: 100,
          latency_p50_us: expect.closeTo(1000, 0) as number,
          valid: true,
          problems: [],
        },
        { load: 200, latency_max_us: 2000, lateness_p99_us: 10, server_queue_us: null },
      ],
      limit: null,
    });
    const [heading = '', first = ''] = csvReport(made).split('\r\n');
    const cells = Object.fromEntries(
      heading.split(',').map((name, index) => [name, first.split(',')[index]]),
    );
    expect(cells).toMatchObject({ load: '100', throughput_per_second: '50', valid: 'true', stable: '' });
    expect(tableRows(made)[2]?.slice(0, 3)).toEqual(['200', '50', '1']);
  });

  it('quote what would break a line of CSV, and markup', () => {
    const made = run(point({ value: 1, failed: 3 }));
    expect(csvReport(made)).toContain('"{""status 500, \\""<bad>\\"""":3}"');
    const page = htmlReport(made);
    expect(page).toContain('a&lt;b');
    expect(page).not.toContain('<bad>');
    expect(page).not.toMatch(/(src|href)=/);
  });

  it('say what spoils a point', () => {
    expect(notes(run(point({ value: 7, failed: 3 }))).join()).toContain(
      'NOT VALID at 7/s: 3 of 100 requests failed',
    );
    expect(notes(run(point({ value: 7, lateUs: 5000 }))).join()).toMatch(/sent too late, 5.0 ms/);
    expect(notes(run(point({ value: 7, kind: 'closed', busyShare: 0.99 }))).join()).toMatch(/busy 99%/);
    expect(notes({ ...run(point({ value: 7 })), isInterrupted: true })).toEqual([
      'Interrupted: this is what was measured so far.',
    ]);
  });

  it('draw lines within the picture', () => {
    const made = run(point({ value: 100 }), point({ value: 400 }), point({ value: 200 }));
    expect(plotsOf(made).map(({ title }) => title)).toEqual([
      'Throughput',
      'Latency',
      'Latency by percentile',
    ]);
    const svg = svgReport(made);
    expect(svg.match(/<polyline/g)).toHaveLength(1 + 2 + 3);
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(svgReport(run(point({ value: 5 })))).not.toMatch(/NaN|Infinity/);
  });
});

describe('ticks', () => {
  it.each([
    [1, [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]],
    [7, [0, 2, 4, 6, 8]],
    [430, [0, 100, 200, 300, 400, 500]],
  ])('up to %d are round', (high, ticks) => {
    expect(niceTicks(high)).toEqual(ticks);
  });
});

describe('a generator', () => {
  it('may be late by a tenth of the latency it reports', () => {
    expect(generatorProblem(point({ value: 1, lateUs: 900 }).result)).toBeUndefined();
    expect(generatorProblem(point({ value: 1, lateUs: 1100 }).result)).toMatch(/too late/);
  });

  it('adds windows up', () => {
    const { result } = point({ value: 1, failed: 2 });
    expect(mergeWindows([result, result])).toMatchObject({
      offered: 200,
      good: 196,
      failed: 4,
      seconds: 4,
      busyShare: 0.5,
    });
    expect(mergeWindows([result, result]).latency.count).toBe(196);
    expect(() => mergeWindows([])).toThrow(RangeError);
  });
});
