/** What the scenarios measured as text, CSV and one HTML page that needs no network. Pure. */
import { htmlPage } from '../../cli/bench/report/bench-report.ts';
import { escapeMarkup } from '../../cli/bench/report/plot.ts';
import type { ScenarioRow } from '../scenarios/scenario.ts';
import { describeEnvironment, type Environment } from './environment.ts';
import { rangeBars } from './range-bars.ts';
import { formatNumber, formatSpread, type Spread, spreadOf } from './spread.ts';
import { renderTable } from './table.ts';

export interface ScenarioRows {
  readonly name: string;
  readonly title: string;
  readonly headline: readonly string[];
  readonly rows: readonly (ScenarioRow & { readonly round: number })[];
}

/** The layout of the result file. */
export interface ScenarioResult {
  /** A reader that knows another one should stop. */
  readonly format: 1;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly command: string;
  readonly environment: Environment;
  readonly rounds: number;
  /** Of each measured run. */
  readonly seconds: number;
  /** Large models were tiny, and nothing was warm: no number of such a run means anything. */
  readonly isQuick: boolean;
  /** Peers that were left out, with the reason. */
  readonly missing: Readonly<Record<string, string>>;
  readonly scenarios: readonly ScenarioRows[];
}

interface Line {
  readonly load: string;
  readonly peer: string;
  /** Of each headline number; undefined where no round is valid. */
  readonly spreads: readonly (Spread | undefined)[];
  readonly problems: readonly string[];
}

/** One line for each load and peer, over all rounds; a round with problems counts for nothing and is named. */
export function linesOf({ rows, headline }: ScenarioRows): readonly Line[] {
  const keys = new Map(rows.map((row) => [`${row.load}\0${row.peer}`, row]));
  return [...keys.values()].map(({ load, peer }) => {
    const own = rows.filter((row) => row.load === load && row.peer === peer);
    const valid = own.filter(({ problems }) => problems.length === 0);
    const problems = own.flatMap((row) =>
      row.problems.map((problem) => `round ${row.round + 1}: ${problem}`),
    );
    const spreads = headline.map((name) => {
      const values = valid.flatMap(({ numbers }) => (numbers[name] === undefined ? [] : [numbers[name]]));
      return values.length === 0 ? undefined : spreadOf(values);
    });
    return { load, peer, spreads, problems };
  });
}

const cell = (spread: Spread | undefined): string =>
  spread === undefined ? 'not valid' : formatSpread(spread, formatNumber);

export function scenarioText(result: ScenarioResult): string {
  const parts = result.scenarios.map((scenario) => {
    const lines = linesOf(scenario);
    const columns = [
      { title: 'load', align: 'left' } as const,
      { title: 'who', align: 'left' } as const,
      ...scenario.headline.map((title) => ({ title, align: 'right' }) as const),
    ];
    const rows = lines.map(({ load, peer, spreads }) => [load, peer, ...spreads.map(cell)]);
    const notes = lines.flatMap(({ load, peer, problems }) =>
      problems.map((problem) => `${load}, ${peer}, ${problem}`),
    );
    return [scenario.title, renderTable(columns, rows), ...notes].join('\n');
  });
  return [...parts, ...remarks(result)].join('\n\n');
}

function remarks({ rounds, isQuick, missing }: ScenarioResult): readonly string[] {
  return [
    rounds === 1 ? 'One round.' : `Medians of ${rounds} rounds (lowest-highest).`,
    ...Object.entries(missing).map(([name, reason]) => `Left out: ${name} (${reason}).`),
    ...(isQuick ? ['A quick run shows that the bench works. Its numbers mean nothing.'] : []),
  ];
}

/** One line for each number, in a form that any program reads: RFC 4180. */
export function scenarioCsv({ scenarios }: ScenarioResult): string {
  const lines = scenarios.flatMap(({ name, rows }) =>
    rows.flatMap(({ load, peer, round, numbers, problems }) =>
      Object.entries(numbers).map(([number, value]) => [
        name,
        load,
        peer,
        String(round + 1),
        number,
        String(value),
        String(problems.length === 0),
      ]),
    ),
  );
  const heading = ['scenario', 'load', 'peer', 'round', 'number', 'value', 'valid'];
  const quoted = (value: string): string =>
    /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  return [heading, ...lines].map((line) => `${line.map(quoted).join(',')}\r\n`).join('');
}

export function scenarioHtml(result: ScenarioResult): string {
  const { environment, startedAt, command, seconds } = result;
  const about = [
    describeEnvironment(environment),
    `${startedAt}, ${command}, ${seconds} s a run`,
    ...remarks(result),
  ];
  const parts = result.scenarios.map((scenario) => {
    const lines = linesOf(scenario);
    const heading = ['load', 'who', ...scenario.headline]
      .map((name) => `<th>${escapeMarkup(name)}</th>`)
      .join('');
    const rows = lines.map(({ load, peer, spreads }) =>
      [load, peer, ...spreads.map(cell)].map((text) => `<td>${escapeMarkup(text)}</td>`).join(''),
    );
    const table = `<table class="numbers"><tr>${heading}</tr>${rows.map((row) => `<tr>${row}</tr>`).join('')}</table>`;
    const notes = lines.flatMap(({ load, peer, problems }) =>
      problems.map((problem) => `<p>${escapeMarkup(`${load}, ${peer}, ${problem}`)}</p>`),
    );
    return [`<h2>${escapeMarkup(scenario.title)}</h2>`, table, ...notes, ...barsOf(scenario, lines)].join(
      '\n',
    );
  });
  const text = about.map((line) => `<p>${escapeMarkup(line)}</p>`).join('\n');
  return htmlPage('Tidegate benchmarks', `${text}\n${parts.join('\n')}`);
}

function barsOf({ headline }: ScenarioRows, lines: readonly Line[]): readonly string[] {
  return headline.flatMap((name, index) => {
    const bars = lines.flatMap(({ load, peer, spreads }) => {
      const spread = spreads[index];
      return spread === undefined ? [] : [{ name: `${load}, ${peer}`, group: peer, spread }];
    });
    return bars.length === 0 ? [] : [rangeBars(name, bars)];
  });
}
