/**
 * The choices of the hot path that are made by measurement, each beside its alternatives: how Piscina waits for tasks, how
 * many threads run models, whether the cheapest run on the event loop, how many requests share a run, how many threads one
 * run uses. All of it in one session, the alternatives by turns in every round.
 *
 * `node dist/bench/decisions.js [rounds] [seconds] [--only <parts of ids, with commas>] [--tiny]`. A ratio is formed with
 * the first alternative of the same round; medians stand with the lowest and the highest round. `--tiny` has narrow large
 * models: to see that it works.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Children, nodeCommand } from './children.ts';
import { numberField } from './json-field.ts';
import { runBareLoop } from './peers/loop-report.ts';
import { rotated } from './plan.ts';
import { formatNumber, formatSpread, spreadOf } from './report/spread.ts';
import { renderTable } from './report/table.ts';
import { type BenchModel, Field, type ModelName } from './scenarios/field.ts';
import { closedLoop } from './scenarios/load-scenarios.ts';
import type { ScenarioContext } from './scenarios/scenario.ts';

interface Measured {
  readonly perSecond: number;
  readonly p50Us: number;
  /** Why it must not be used; empty when it may. */
  readonly problems: readonly string[];
}

interface Alternative {
  readonly name: string;
  readonly measure: (context: ScenarioContext) => Promise<Measured>;
}

/** The first alternative is what the others are compared with. */
interface Decision {
  /** As `--only` knows it. */
  readonly id: string;
  readonly question: string;
  readonly load: string;
  readonly alternatives: readonly Alternative[];
}

interface GatewayChoice {
  readonly threads?: number;
  readonly inlineRunUsMax?: number;
  readonly limits?: Readonly<Record<string, number>>;
}

const { values: given, positionals } = parseArgs({
  options: { only: { type: 'string', default: '' }, tiny: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const isTiny = given.tiny;
const [rounds = 5, seconds = 5] = positionals.map(Number);
const all = decisions();
const wanted = all.filter(({ id }) => given.only.split(',').some((part) => id.includes(part)));
if (wanted.length === 0) {
  console.error(`No decision is called ${given.only}; there are ${all.map(({ id }) => id).join(', ')}.`);
  process.exit(1);
}
const handOver = new URL('./peers/hand-over.js', import.meta.url);
const oneGateway = new URL('./peers/tensor-gateway.js', import.meta.url);
const children = new Children();
const folder = mkdtempSync(join(tmpdir(), 'tidegate-decisions-'));
/** Ports of the gateways so far, by choice: they wait idly for their next turn. */
const gateways = new Map<string, Promise<number>>();
try {
  const field = await Field.make({ children, folder, isQuick: isTiny, mayInstall: false });
  console.log(report(wanted, await measureAll(field, wanted)));
} finally {
  await children.stopAll();
  rmSync(folder, { recursive: true, force: true });
}

function decisions(): readonly Decision[] {
  const cores = availableParallelism();
  const threads = Array.from({ length: cores }, (_, index) => index + 1);
  return [
    ...(['iris', 'mlp'] as const).map((name) => ({
      id: `atomics-${name}`,
      question: 'Piscina atomics',
      load: `${name}, one run after the other`,
      alternatives: (['disabled', 'sync', 'async'] as const).map((atomics) => ({
        name: atomics,
        measure: ({ field }: ScenarioContext) => handedOver(field.model(name), atomics),
      })),
    })),
    ...loads([
      ['iris', 64],
      ['mlp', 16],
    ]).map(({ load, ...ask }) => ({
      id: `threads-${ask.model}`,
      question: 'threads',
      load,
      alternatives: threads.map((count) => asked(ask, `${count}`, { threads: count })),
    })),
    ...loads([
      ['iris', 1],
      ['iris', 64],
    ]).map(({ load, ...ask }) => ({
      id: `event-loop-${ask.model}-${ask.concurrency}`,
      question: 'event loop',
      load,
      alternatives: [asked(ask, 'on threads', { inlineRunUsMax: 0 }), asked(ask, 'on the event loop', {})],
    })),
    ...loads([
      ['iris', 64],
      ['mlp', 16],
    ]).map(({ load, ...ask }) => ({
      id: `rows-${ask.model}`,
      question: 'rows a run at most',
      load,
      alternatives: [1, 8, 64].map((rows) => asked(ask, `${rows}`, { limits: { batchRowsMax: rows } })),
    })),
    ...(
      [
        ['mlp', 1],
        ['mlp', 16],
        ['mobilenet', 1],
      ] as const
    ).map(([name, rows]) => ({
      id: `intra-op-${name}-${rows}`,
      question: 'threads a run',
      load: `${name}, ${rows === 1 ? '1 row' : `${rows} rows`}, session.run in a loop`,
      alternatives: [
        { name: '1', intraOpThreads: 1, loops: 1 },
        { name: '2', intraOpThreads: 2, loops: 1 },
        { name: '1, in two loops', intraOpThreads: 1, loops: 2 },
      ].map(({ name: alternative, ...shape }) => ({
        name: alternative,
        measure: ({ field }: ScenarioContext) => looped(field.model(name), { ...shape, rows }),
      })),
    })),
  ];
}

interface Ask {
  readonly model: ModelName;
  readonly concurrency: number;
}

function loads(
  wanted: readonly (readonly [ModelName, number])[],
): readonly (Ask & { readonly load: string })[] {
  return wanted.map(([model, concurrency]) => ({
    model,
    concurrency,
    load: `${model}, ${concurrency} under way`,
  }));
}

/** JSON over HTTP in a closed loop. */
function asked({ model, concurrency }: Ask, name: string, choice: GatewayChoice): Alternative {
  const measure = async (context: ScenarioContext): Promise<Measured> => {
    const port = await gatewayOf(choice);
    const { numbers, problems } = await closedLoop(context, context.field.model(model), {
      port,
      concurrency,
    });
    const { per_second: perSecond = 0, p50_us: p50Us = 0 } = numbers;
    return { perSecond, p50Us, problems };
  };
  return { name, measure };
}

function gatewayOf(choice: GatewayChoice): Promise<number> {
  const { limits = {}, ...options } = choice;
  const key = JSON.stringify(choice);
  let port = gateways.get(key);
  if (port === undefined) {
    const state = `state-decision-${gateways.size}`;
    const args = [folder, JSON.stringify(limits), JSON.stringify({ ...options, state })];
    const child = children.start(nodeCommand('gateway', oneGateway, { args }));
    port = child.firstLine().then((line) => numberField(JSON.parse(line), 'port'));
    gateways.set(key, port);
  }
  return port;
}

async function handedOver({ file }: BenchModel, atomics: string): Promise<Measured> {
  const args = [file, JSON.stringify({ atomics, seconds })];
  const output = await children.start(nodeCommand('hand-over', handOver, { args })).output();
  const parsed: unknown = JSON.parse(output);
  return {
    perSecond: numberField(parsed, 'runsPerSecond'),
    p50Us: numberField(parsed, 'p50Us'),
    problems: [],
  };
}

interface LoopShape {
  readonly intraOpThreads: number;
  /** Side by side, each in a process of its own. */
  readonly loops: number;
  readonly rows: number;
}

/** What all loops did together, and the median of the slowest. */
async function looped(
  { file, input, rowShape }: BenchModel,
  { intraOpThreads, loops, rows }: LoopShape,
): Promise<Measured> {
  const values = Array.from({ length: 97 }, (_, index) => index / 97);
  const job = { modelFile: file, input, values, rowShape, batches: [rows], seconds, backend: 'web' };
  const reports = await Promise.all(
    Array.from({ length: loops }, () => runBareLoop(children, { ...job, intraOpThreads })),
  );
  const measured = reports.flat();
  return {
    perSecond: measured.reduce((sum, { runsPerSecond }) => sum + runsPerSecond, 0),
    p50Us: Math.max(...measured.map(({ p50Us }) => p50Us)),
    problems: [],
  };
}

/** By decision, alternative and round. */
async function measureAll(field: Field, all: readonly Decision[]): Promise<Measured[][][]> {
  const measured: Measured[][][] = all.map(({ alternatives }) => alternatives.map(() => []));
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { question, load, alternatives }] of all.entries()) {
      for (const [place, alternative] of rotated([...alternatives.entries()], round)) {
        console.error(`round ${round + 1} of ${rounds}: ${question}, ${load}, ${alternative.name}`);
        const context: ScenarioContext = {
          ...{ field, round, seconds, warmUpSeconds: seconds / 4, rates: [], changes: 0, kills: 0, seed: 0 },
          isQuick: isTiny,
          progress: () => undefined,
        };
        const result = await alternative.measure(context);
        const taken = measured[index]?.[place];
        if (taken !== undefined) taken[round] = result;
      }
    }
  }
  return measured;
}

function report(all: readonly Decision[], measured: readonly (readonly (readonly Measured[])[])[]): string {
  const rows = all.flatMap(({ question, load, alternatives }, index) => {
    const first = measured[index]?.[0] ?? [];
    return alternatives.map(({ name }, place) => {
      const mine = measured[index]?.[place] ?? [];
      // A round counts where both were valid.
      const counted = mine.flatMap((one, round) => {
        const base = first[round];
        const isValid = base?.problems.length === 0 && one.problems.length === 0;
        return isValid ? [{ ...one, ratio: one.perSecond / base.perSecond }] : [];
      });
      if (counted.length === 0) return [question, load, name, 'no valid round', '', ''];
      const cell = (value: (one: (typeof counted)[number]) => number, digits?: number): string =>
        formatSpread(spreadOf(counted.map(value)), (number) =>
          digits === undefined ? formatNumber(number) : number.toFixed(digits),
        );
      return [
        question,
        load,
        name,
        cell(({ perSecond }) => perSecond),
        cell(({ ratio }) => ratio, 2),
        cell(({ p50Us }) => p50Us),
      ];
    });
  });
  const titles = ['decision', 'load', 'alternative', 'a second', 'over the first', 'p50 us'];
  return renderTable(
    titles.map((title, index) => ({ title, align: index < 3 ? 'left' : 'right' })),
    rows,
  );
}
