/** A finished run of `tidegate bench` as a table, JSON or CSV, and as a drawn page or picture. Pure. */
import { type MeasuredPoint, pointJson, problemsOf, reportedShares } from '../measured-point.ts';
import { relativeErrorMax } from '../load/latency-histogram.ts';
import { throughput } from '../load/window-result.ts';
import { escapeMarkup, linePlot, type Plot, stackedPlots } from './plot.ts';

export interface BenchRun {
  /** All that it takes to do it again: address, model, protocol, arrivals, times. */
  readonly settings: Readonly<Record<string, string | number | null>>;
  readonly points: readonly MeasuredPoint[];
  /** What came of a latency limit; undefined when none was given. */
  readonly limit: LimitAnswer | undefined;
  readonly isInterrupted: boolean;
}

export interface LimitAnswer {
  readonly limitMs: number;
  /** 1 to 100. */
  readonly percentile: number;
  /** Highest rate at which it holds; undefined for none. */
  readonly rate: number | undefined;
  readonly isHeld: boolean;
  /** One sentence. */
  readonly words: string;
}

export function jsonReport({ settings, points, limit, isInterrupted }: BenchRun): object {
  return {
    format: 1,
    ...settings,
    interrupted: isInterrupted,
    percentile_error_max: relativeErrorMax,
    points: points.map(pointJson),
    limit:
      limit === undefined
        ? null
        : {
            latency_limit_ms: limit.limitMs,
            percentile: limit.percentile,
            rate_per_second: limit.rate ?? null,
            held: limit.isHeld,
          },
  };
}

/** RFC 4180, one line for each point. */
export function csvReport({ points }: BenchRun): string {
  const rows = points.map((measured) => Object.entries(pointJson(measured)));
  const names = rows[0]?.map(([name]) => name) ?? [];
  const lines = [names, ...rows.map((row) => row.map(([, value]) => csvCell(value)))];
  return lines.map((line) => `${line.join(',')}\r\n`).join('');
}

function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const words = typeof value === 'string' ? value : JSON.stringify(value);
  return /[",\r\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
}

const loadNames = { closed: 'under way', open: 'requests/s' } as const;

/** Cells of the table: a heading and a row for each point. */
export function tableRows({ points }: BenchRun): readonly (readonly string[])[] {
  const hasServer = points.some(({ server }) => server !== undefined);
  const heading = ['good/s', 'p50 ms', 'p90 ms', 'p99 ms', 'p99.9 ms', 'refused', 'failed'];
  const serverHeading = hasServer ? ['queue ms', 'compute ms', 'other ms', 'rows/run'] : [];
  const load = loadNames[points[0]?.point.kind ?? 'closed'];
  return [
    [load, ...heading, ...serverHeading],
    ...points.map(({ point, result, server }) => [
      shortNumber(point.value),
      shortNumber(throughput(result)),
      ...[reportedShares.p50, reportedShares.p90, reportedShares.p99, reportedShares.p999].map((share) =>
        shortNumber(result.latency.percentileUs(share) / 1000),
      ),
      String(result.refused),
      String(result.failed + result.unsent),
      ...(hasServer
        ? [server?.queueUs, server?.computeUs, server?.overheadUs].map((us) =>
            us === undefined ? '' : shortNumber(us / 1000),
          )
        : []),
      ...(hasServer ? [server === undefined ? '' : shortNumber(server.rowsPerRun)] : []),
    ]),
  ];
}

/** What must be known before the numbers are used. */
export function notes(run: BenchRun): readonly string[] {
  const problems = run.points.flatMap((measured) =>
    problemsOf(measured).map((problem) => `NOT VALID at ${pointName(measured)}: ${problem}.`),
  );
  const reasons = run.points.flatMap(({ result }) => [...result.reasons]);
  const told = new Map<string, number>();
  for (const [reason, count] of reasons) told.set(reason, (told.get(reason) ?? 0) + count);
  return [
    ...problems,
    ...[...told].map(([reason, count]) => `${count} times: ${reason}`),
    ...(run.limit === undefined ? [] : [run.limit.words]),
    ...(run.isInterrupted ? ['Interrupted: this is what was measured so far.'] : []),
  ];
}

/** Three digits that matter, whole numbers from 100 on. */
export function shortNumber(value: number): string {
  if (value === 0) return '0';
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function pointName({ point }: MeasuredPoint): string {
  return point.kind === 'closed' ? `${point.value} under way` : `${shortNumber(point.value)}/s`;
}

/** Lines in one plot: more cannot be told apart. */
const linesMax = 8;

export function plotsOf({ points }: BenchRun): readonly Plot[] {
  const drawn = points.slice(0, linesMax);
  const distribution: Plot = {
    title: 'Latency by percentile',
    xLabel: 'percentile',
    yLabel: 'milliseconds',
    xTicks: percentiles.map((percent) => ({ x: tailPlace(percent), name: String(percent) })),
    series: drawn.map((measured) => ({
      name: pointName(measured),
      points: percentiles.map((percent) => ({
        x: tailPlace(percent),
        y: measured.result.latency.percentileUs(percent / 100) / 1000,
      })),
    })),
  };
  const byLoad = [...points].sort((left, right) => left.point.value - right.point.value);
  if (byLoad.length < 2) return [distribution];
  const xLabel = points[0]?.point.kind === 'open' ? 'requests per second' : 'requests under way';
  const line = (name: string, of: (measured: MeasuredPoint) => number): Plot['series'][number] => ({
    name,
    points: byLoad.map((measured) => ({ x: measured.point.value, y: of(measured) })),
  });
  return [
    {
      title: 'Throughput',
      xLabel,
      yLabel: 'good answers per second',
      series: [line('good', ({ result }) => throughput(result))],
    },
    {
      title: 'Latency',
      xLabel,
      yLabel: 'milliseconds',
      series: [
        line('median', ({ result }) => result.latency.percentileUs(reportedShares.p50) / 1000),
        line('p99', ({ result }) => result.latency.percentileUs(reportedShares.p99) / 1000),
      ],
    },
    distribution,
  ];
}

const percentiles = [1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99];

/** Every further nine takes the same room. */
function tailPlace(percent: number): number {
  return percent <= 50 ? percent / 100 : -Math.log10(2 * (1 - percent / 100)) + 0.5;
}

export function svgReport(run: BenchRun): string {
  return stackedPlots(plotsOf(run));
}

/** One file that needs no network. */
export function htmlReport(run: BenchRun): string {
  const settings = Object.entries(run.settings).map(
    ([name, value]) => `<tr><th>${escapeMarkup(name)}</th><td>${escapeMarkup(String(value ?? ''))}</td></tr>`,
  );
  const [heading = [], ...rows] = tableRows(run);
  const cells = (tag: 'td' | 'th', row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeMarkup(cell)}</${tag}>`).join('')}</tr>`;
  return htmlPage(
    'tidegate bench',
    [
      `<table>${settings.join('')}</table>`,
      `<table class="numbers">${cells('th', heading)}${rows.map((row) => cells('td', row)).join('')}</table>`,
      ...notes(run).map((note) => `<p>${escapeMarkup(note)}</p>`),
      ...plotsOf(run).map((plot) => linePlot(plot)),
    ].join('\n'),
  );
}

/** `body` is markup. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escapeMarkup(title)}</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2937 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #e5e7eb }
.numbers th, .numbers td { text-align: right; font-variant-numeric: tabular-nums }
svg { display: block; max-width: 100%; height: auto }
</style>
<h1>${escapeMarkup(title)}</h1>
${body}
</html>
`;
}
