/** The text that a run ends with: the numbers, the ratios, the targets. Pure. */
import { answersPerSecond, type LoadReport } from '../load/load-report.ts';
import type { SuiteResult } from '../measurement.ts';
import { type PeerName, peerTitles } from '../peers/peer.ts';
import type { Generator, Series } from '../plan.ts';
import { throughputRatios } from './ratio.ts';
import { formatNumber, formatSpread, spreadOf } from './spread.ts';
import { type Column, renderTable } from './table.ts';
import { judge, type Verdict } from './targets.ts';

const generatorTitles: Readonly<Record<Generator, string>> = {
  wrk: 'wrk',
  autocannon: 'autocannon',
  stream: 'our client',
};

/** `series` in the order in which they are to be shown. */
export function summarize(result: SuiteResult, series: readonly Series[]): string {
  const rounds = result.rounds === 1 ? 'one round' : `median of ${result.rounds} rounds (lowest-highest)`;
  const parts = [
    section(`JSON over HTTP, one row a request; ${rounds}`, loadTable(result, series.filter(isJson))),
    section(
      `msgpack over WebSocket, one row a request; ${rounds}`,
      loadTable(
        result,
        series.filter((candidate) => !isJson(candidate)),
      ),
    ),
    section(`Bare onnxruntime-web, session.run in a loop; ${rounds}`, loopTable(result)),
    section('Gateway over peer, answers/s, same generator and same round', ratioTable(result, series)),
    section('Targets', judge(result).map(verdictLine).join('\n')),
    failureNote(result),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function isJson({ generator }: Series): boolean {
  return generator !== 'stream';
}

function section(title: string, text: string): string {
  return text === '' ? '' : `${title}\n${text}`;
}

const names = (titles: readonly string[]): readonly Column[] =>
  titles.map((title) => ({ title, align: 'left' }));
const numbers = (titles: readonly string[]): readonly Column[] =>
  titles.map((title) => ({ title, align: 'right' }));

function loadTable(result: SuiteResult, series: readonly Series[]): string {
  const rows = series.flatMap((one) => one.peers.map((peer) => loadRow(result, one, peer)));
  if (rows.length === 0) return '';
  const columns = [
    ...names(['load from', 'in flight', 'peer']),
    ...numbers(['answers/s', 'p50 us', 'p99 us', 'failed']),
  ];
  return renderTable(columns, rows);
}

function loadRow(result: SuiteResult, series: Series, peer: PeerName): readonly string[] {
  const reports = result.measurements
    .filter((candidate) => candidate.series === series.id && candidate.peer === peer)
    .map(({ report }) => report);
  const cell = (value: (report: LoadReport) => number): string =>
    formatSpread(spreadOf(reports.map(value)), formatNumber);
  return [
    generatorTitles[series.generator],
    series.inflight === 1 ? String(series.connections) : `${series.connections} x ${series.inflight}`,
    peerTitles[peer],
    cell(answersPerSecond),
    cell(({ p50Us }) => p50Us),
    cell(({ p99Us }) => p99Us),
    String(reports.reduce((sum, { failures }) => sum + failures, 0)),
  ];
}

function loopTable({ loops }: SuiteResult): string {
  const batches = loops[0]?.batches ?? [];
  if (batches.length === 0) return '';
  const rows = batches.map(({ rows }) => {
    const reports = loops.flatMap((loop) => loop.batches.filter((batch) => batch.rows === rows));
    const cell = (values: readonly number[]): string => formatSpread(spreadOf(values), formatNumber);
    return [
      String(rows),
      cell(reports.map(({ runsPerSecond }) => runsPerSecond)),
      cell(reports.map(({ runsPerSecond }) => runsPerSecond * rows)),
      cell(reports.map(({ p50Us }) => p50Us)),
      cell(reports.map(({ p99Us }) => p99Us)),
    ];
  });
  return renderTable(numbers(['rows a run', 'runs/s', 'rows/s', 'p50 us', 'p99 us']), rows);
}

function ratioTable(result: SuiteResult, series: readonly Series[]): string {
  const rows = series.flatMap((one) =>
    one.peers
      .filter((peer) => peer !== 'gateway')
      .map((peer) => ({ one, peer, ratios: throughputRatios(result, one.id, peer) }))
      .filter(({ ratios }) => ratios.length > 0)
      .map(({ one: { id }, peer, ratios }) => [
        id,
        peerTitles[peer],
        formatSpread(spreadOf(ratios), (value) => value.toFixed(2)),
      ]),
  );
  if (rows.length === 0) return '';
  return renderTable([...names(['series', 'gateway over']), ...numbers(['ratio'])], rows);
}

function verdictLine({ title, outcome, ratio, roundsMet, rounds }: Verdict): string {
  if (ratio === undefined) return `${'open'.padEnd(6)}  ${title}: not measured`;
  const value = formatSpread(ratio, (number) => number.toFixed(2));
  return `${outcome.padEnd(6)}  ${title}: ${value}, ${roundsMet} of ${rounds} rounds`;
}

function failureNote({ measurements }: SuiteResult): string {
  const failed = measurements.filter(({ report }) => report.failures > 0).length;
  if (failed === 0) return '';
  return `${failed} runs had answers that were wrong or missing. Their numbers count for no ratio and no target.`;
}
