/**
 * What batching costs who asks alone, and what it brings where many ask. The two gateways live side by side and take turns in
 * short slices, in the order on, off, off, on, with one generator: measured one after the other, for seconds each, whichever came
 * first took up to twice as long.
 */
import type { LoadPhase, PhaseReport } from '../load/load-job.ts';
import { spreadOf } from '../report/spread.ts';
import { loadOn } from './load-scenarios.ts';
import type { Scenario, ScenarioContext, ScenarioRow } from './scenario.ts';
import type { ModelName } from './field.ts';

/** Limits of the gateway, and how the report calls it. */
const sides = [
  { peer: 'gateway, batching', limits: [] },
  { peer: 'gateway, no batching', limits: ['batchRowsMax=1'] },
] as const;

/** Of `--seconds`, for each side, after those of the warm-up; even, so that the order is kept. */
const slicesPerSide = 8;
const quickSlicesPerSide = 2;
/** Between two slices, for what the last one still has under way. */
const pauseSeconds = 0.05;

const loads: readonly (readonly [ModelName, number])[] = [
  ['iris', 1],
  ['iris', 32],
  ['mlp', 1],
  ['mlp', 32],
];
/** Each model, and both who ask alone and who do not. */
const quickLoads = loads.filter(([model, concurrency]) => (model === 'iris') === (concurrency === 1));

export const batching: Scenario = {
  name: 'batching',
  title: 'Batching on and off (batchRowsMax=1), a closed loop in turns, JSON over HTTP',
  headline: ['p50_us', 'p50_ratio', 'per_second', 'p99_us'],
  run: async (context) => {
    const rows: ScenarioRow[] = [];
    for (const [model, concurrency] of context.isQuick ? quickLoads : loads) {
      rows.push(...(await inTurns(context, model, concurrency)));
    }
    return rows;
  },
};

async function inTurns(
  context: ScenarioContext,
  name: ModelName,
  concurrency: number,
): Promise<readonly ScenarioRow[]> {
  const { field, round, seconds, warmUpSeconds, isQuick, progress } = context;
  const load = `${name}, ${concurrency} under way`;
  progress(`batching, ${load}`);
  const ports: number[] = [];
  for (const { limits } of sides) ports.push(await field.gateway(limits));
  const slices = isQuick ? quickSlicesPerSide : slicesPerSide;
  const sliceSeconds = seconds / slices;
  const shape = { kind: 'closed', concurrency } as const;
  // Both are warmed in turns too.
  const warmSlices = 2 * Math.ceil(warmUpSeconds / sliceSeconds / 2);
  const order = Array.from({ length: 2 * (warmSlices + slices) }, (_, at) => sideOf(at + 2 * (round % 2)));
  const phases = order.map((side, at): LoadPhase => ({
    shape,
    seconds: sliceSeconds,
    startSeconds: at * (sliceSeconds + pauseSeconds),
    asks: { port: ports[side] ?? 0 },
  }));
  const model = field.model(name);
  const reports = await loadOn(context, model, { port: ports[0] ?? 0, phases, warmUpSeconds: 0 });
  const measured = reports.slice(2 * warmSlices);
  const medians = sides.map((_, side) => {
    const own = measured.filter((_report, at) => order[2 * warmSlices + at] === side);
    const median = (number: string): number =>
      spreadOf(own.map(({ numbers }) => numbers[number] ?? 0)).median;
    return {
      p50_us: median('p50_us'),
      per_second: median('per_second'),
      p99_us: median('p99_us'),
      ...failures(own),
    };
  });
  const withoutUs = medians[1]?.p50_us ?? 0;
  return medians.map((numbers, side) => ({
    load,
    peer: sides[side]?.peer ?? '',
    numbers: { ...numbers, p50_ratio: numbers.p50_us / Math.max(1, withoutUs) },
    problems: [...new Set(reports.flatMap(({ problems }) => problems))],
  }));
}

/** On, off, off, on, and again. */
function sideOf(at: number): 0 | 1 {
  return at % 4 === 0 || at % 4 === 3 ? 0 : 1;
}

function failures(parts: readonly PhaseReport[]): { readonly failed: number } {
  return { failed: parts.reduce((sum, { numbers }) => sum + (numbers['failed'] ?? 0), 0) };
}
