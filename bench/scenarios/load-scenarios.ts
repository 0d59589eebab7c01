/** Scenarios that are nothing but load: capacity, given rates, overload, large models. */
import { demoModels } from '../../deploy/demo/demo-models.ts';
import { answersPerSecond } from '../load/load-report.ts';
import { runWrk, wrkVersion } from '../load/wrk.ts';
import { type LoopReport, runBareLoop } from '../peers/loop-report.ts';
import { type LoadJob, type PhaseReport, runLoad } from '../load/load-job.ts';
import { rotated } from '../plan.ts';
import {
  type AnyModel,
  type BenchModel,
  type Field,
  type ModelName,
  peerKinds,
  peerNames,
  type PeerKind,
} from './field.ts';
import { inferPath, jsonRequest, modelName } from '../workload.ts';
import { pick, type Scenario, type ScenarioContext, type ScenarioRow } from './scenario.ts';

type LoadOptions = Pick<LoadJob, 'port' | 'phases'> & Partial<LoadJob>;

/** Load on one model of one server. */
export function loadOn(
  context: ScenarioContext,
  model: AnyModel,
  options: LoadOptions,
): Promise<readonly PhaseReport[]> {
  const { name, input, rowShape } = model;
  const { warmUpSeconds } = context;
  return runLoad(context.field.children, {
    model: name,
    input,
    rowShape,
    protocol: 'http-json',
    connections: 128,
    warmUpSeconds,
    ...options,
  });
}

export async function closedLoop(
  context: ScenarioContext,
  model: AnyModel,
  options: Omit<LoadOptions, 'phases'> & { readonly concurrency: number },
): Promise<PhaseReport> {
  const { concurrency, ...rest } = options;
  const phase = {
    shape: { kind: 'closed', concurrency },
    seconds: context.seconds,
    startSeconds: 0,
  } as const;
  const [report] = await loadOn(context, model, { ...rest, phases: [phase] });
  if (report === undefined) throw new Error('The load generator reported nothing.');
  return report;
}

/** The gateway and those peers that have the model, in the order of this round. */
async function servers(
  context: ScenarioContext,
  model: ModelName,
): Promise<readonly (readonly [string, number])[]> {
  const { field, round } = context;
  const found: (readonly [string, number])[] = [[peerNames.gateway, await field.gateway()]];
  for (const kind of peerKinds) {
    const port = hasModel(kind, model) ? await field.peer(kind) : undefined;
    if (port !== undefined) found.push([peerNames[kind], port]);
  }
  return rotated(found, round);
}

/** scikit-learn brings the iris rows along, the digits it knows are others; the bare server answers one thing. */
function hasModel(kind: PeerKind, model: ModelName): boolean {
  return (kind !== 'flask' && kind !== 'bare-uws') || model === 'iris';
}

const capacityConcurrency: Readonly<Record<ModelName, number>> = {
  iris: 64,
  digits: 32,
  mlp: 16,
  mobilenet: 4,
};

export const capacity: Scenario = {
  name: 'capacity',
  title: 'Capacity: a closed loop, JSON over HTTP, one row a request; gateway_ratio is the gateway over each',
  headline: ['per_second', 'gateway_ratio', 'p50_us', 'p99_us'],
  run: async (context) => {
    const { field, isQuick, models, connections } = context;
    const all = [...field.models.values()];
    const wanted = models === undefined ? all : all.filter(({ name }) => models.includes(name));
    const rows: ScenarioRow[] = [];
    for (const model of isQuick ? wanted.slice(0, 1) : wanted) {
      const concurrency = connections ?? capacityConcurrency[model.name];
      const found: ScenarioRow[] = [];
      for (const [peer, port] of await servers(context, model.name)) {
        context.progress(`capacity, ${model.name}, ${peer}`);
        const { numbers, problems } = await capacityOf(context, model, { port, concurrency });
        found.push({ load: `${model.name}, ${concurrency} under way`, peer, numbers, problems });
      }
      rows.push(...withRatios(found));
    }
    return rows;
  },
};

/** Our own generator is a match for the gateway, not for a bare server with a fixed answer: of iris, wrk asks where there is one. */
async function capacityOf(
  context: ScenarioContext,
  model: BenchModel,
  { port, concurrency }: { readonly port: number; readonly concurrency: number },
): Promise<PhaseReport> {
  const { field, seconds, warmUpSeconds, isQuick } = context;
  const sample = demoModels().find(({ name }) => name === model.name)?.sample;
  // A second is the least that wrk takes.
  if (isQuick || model.name !== modelName || sample === undefined || wrkVersion() === undefined) {
    const { numbers, problems } = await closedLoop(context, model, { port, concurrency });
    const names = ['per_second', 'p50_us', 'p99_us', 'failed', 'refused', 'generator_busy_share'];
    return { numbers: pick(numbers, names), problems };
  }
  const url = `http://127.0.0.1:${port}${inferPath}`;
  const load = { url, body: jsonRequest(sample), connections: concurrency, warmUpSeconds, seconds };
  const report = await runWrk(field.children, load, field.folder);
  const { p50Us, p99Us, failures } = report;
  const numbers = { per_second: answersPerSecond(report), p50_us: p50Us, p99_us: p99Us, failed: failures };
  return { numbers, problems: failures === 0 ? [] : [`${failures} answers were errors or did not come`] };
}

/** The answers of the gateway over those of each, of the same round. */
function withRatios(rows: readonly ScenarioRow[]): readonly ScenarioRow[] {
  const of = (row: ScenarioRow | undefined): number => row?.numbers['per_second'] ?? 0;
  const gateway = of(rows.find(({ peer }) => peer === peerNames.gateway));
  return rows.map((row) => ({
    ...row,
    numbers: { ...row.numbers, gateway_ratio: gateway / Math.max(1, of(row)) },
  }));
}

export const open: Scenario = {
  name: 'open',
  title: 'Latency at given rates: an open loop with Poisson arrivals, iris',
  headline: ['p50_us', 'p99_us', 'per_second'],
  run: async (context) => {
    const rows: ScenarioRow[] = [];
    const model = context.field.model('iris');
    for (const ratePerSecond of context.rates) {
      for (const [peer, port] of await servers(context, 'iris')) {
        context.progress(`open, ${ratePerSecond}/s, ${peer}`);
        const seed = context.round + 1;
        const shape = { kind: 'open', ratePerSecond, arrivals: 'poisson', seed } as const;
        const phases = [{ shape, seconds: context.seconds, startSeconds: 0 }];
        const [report] = await loadOn(context, model, { port, phases });
        const names = ['p50_us', 'p99_us', 'p999_us', 'per_second', 'failed', 'refused', 'lateness_p99_us'];
        const numbers = pick(report?.numbers ?? {}, names);
        rows.push({ load: `${ratePerSecond} requests/s`, peer, numbers, problems: report?.problems ?? [] });
      }
    }
    return rows;
  },
};

/** Each request of an overload says how long it may take: without that a server may as well queue. Milliseconds. */
const overloadDeadlineMs = 500;
/** So many clients find out what the capacity is: two full batches, since batches are full in the overload. */
const overloadConcurrency = 128;
/** Afterwards it is over when nobody waits longer than this. */
const recoveredMs = overloadDeadlineMs / 5;

export const overload: Scenario = {
  name: 'overload',
  title: `Overload: twice the capacity, then half of it; mlp over WebSocket, ${overloadDeadlineMs} ms a request`,
  headline: ['goodput_share', 'accepted_p99_us', 'in_time_share', 'refusal_p50_us', 'recovery_ms'],
  run: async (context) => {
    const { field, seconds, round, progress } = context;
    const model = field.model('mlp');
    const port = await field.gateway();
    progress('overload: what the gateway can do');
    const calm = await closedLoop(context, model, {
      port,
      protocol: 'stream',
      connections: 4,
      concurrency: overloadConcurrency,
    });
    const perSecond = Math.max(1, calm.numbers['per_second'] ?? 0);
    const at = (share: number) =>
      ({ kind: 'open', ratePerSecond: perSecond * share, arrivals: 'poisson', seed: round + 1 }) as const;
    progress(`overload: ${Math.round(2 * perSecond)}/s, then ${Math.round(perSecond / 2)}/s`);
    const [over, after] = await loadOn(context, model, {
      port,
      protocol: 'stream',
      connections: 8,
      warmUpSeconds: 0,
      deadlineMs: overloadDeadlineMs,
      slowMs: recoveredMs,
      phases: [
        // To deadlines of half a second a millisecond is nothing, and the core is needed.
        { shape: at(2), seconds, startSeconds: 0, staysAwake: false },
        // Begins when the overload ends, and does not wait for what is left of it.
        { shape: at(0.5), seconds, startSeconds: seconds, staysAwake: false },
      ],
    });
    const of = (report: PhaseReport | undefined, name: string): number => report?.numbers[name] ?? 0;
    const numbers = {
      capacity_per_second: perSecond,
      offered: of(over, 'offered'),
      accepted: of(over, 'good'),
      refused: of(over, 'refused'),
      goodput_per_second: of(over, 'per_second'),
      goodput_share: of(over, 'per_second') / perSecond,
      accepted_p99_us: of(over, 'p99_us'),
      in_time_share: of(over, 'in_time') / Math.max(1, of(over, 'good')),
      lateness_p99_us: of(over, 'lateness_p99_us'),
      refused_share: of(over, 'refused') / Math.max(1, of(over, 'offered')),
      refusal_p50_us: of(over, 'refusal_p50_us'),
      recovery_ms: of(after, 'recovered_ms'),
      failed: of(over, 'failed') + of(after, 'failed'),
    };
    const problems = [calm, over, after].flatMap((report) => report?.problems ?? ['nothing was reported']);
    return [{ load: 'twice the capacity', peer: peerNames.gateway, numbers, problems }];
  },
};

export const large: Scenario = {
  name: 'large',
  title: 'Large models, one request at a time: the gateway (binary over HTTP) and session.run in a loop',
  headline: ['p50_us', 'p99_us', 'per_second'],
  run: async (context) => {
    const rows: ScenarioRow[] = [];
    for (const name of ['mlp', 'mobilenet'] as const) {
      const model = context.field.model(name);
      const runs = [
        () => gatewayAlone(context, model),
        () => loopRow(context, model, 'web'),
        () => loopRow(context, model, 'node'),
      ];
      for (const run of rotated(runs, context.round)) rows.push(...(await run()));
    }
    return rows;
  },
};

async function gatewayAlone(context: ScenarioContext, model: BenchModel): Promise<readonly ScenarioRow[]> {
  context.progress(`large, ${model.name}, gateway`);
  const port = await context.field.gateway();
  const report = await closedLoop(context, model, { port, protocol: 'http-binary', concurrency: 1 });
  const numbers = pick(report.numbers, ['p50_us', 'p99_us', 'per_second', 'failed']);
  return [{ load: model.name, peer: peerNames.gateway, numbers, problems: report.problems }];
}

async function loopRow(
  { field, seconds, progress }: ScenarioContext,
  model: BenchModel,
  kind: 'web' | 'node',
): Promise<readonly ScenarioRow[]> {
  const backend = field.backend(kind);
  if (backend === undefined) return [];
  const peer = `onnxruntime-${kind} in a loop`;
  progress(`large, ${model.name}, ${peer}`);
  const [report] = await loopOf(field, model, { backend, seconds, batches: [1] });
  if (report === undefined) throw new Error('The loop reported nothing.');
  const { p50Us, p99Us, runsPerSecond } = report;
  const numbers = { p50_us: p50Us, p99_us: p99Us, per_second: runsPerSecond };
  return [{ load: model.name, peer, numbers, problems: [] }];
}

async function loopOf(
  field: Field,
  { file, input, rowShape }: BenchModel,
  {
    backend,
    seconds,
    batches,
  }: { readonly backend: string; readonly seconds: number; readonly batches: readonly number[] },
): Promise<readonly LoopReport[]> {
  // Over the range of what the gateway is asked.
  const values = Array.from({ length: 97 }, (_, index) => index / 97);
  const job = { modelFile: file, input, values, rowShape, batches, seconds, backend };
  return runBareLoop(field.children, job);
}

/** Batches of the bare loop; the gateway chooses its own, up to `batchRowsMax`, which is the last of these. */
const batchSizes = [1, 2, 4, 8, 16, 32, 64];
/** Under way, one row each: two batches of the largest size. */
const largeConcurrency = 128;
/**
 * Turns of the gateway and of the loop at the size that was best: the speed of a virtual machine changes by a quarter from
 * ten seconds to the next, and the best of seven looks of some seconds each may only be the luckiest of them.
 */
const largeTurns = 4;

export const largeBatches: Scenario = {
  name: 'large-batches',
  title:
    'mlp, rows a second: the gateway, one row a request, and session.run in a loop at its best batch size, in turns',
  headline: ['rows_per_second', 'share_of_best'],
  run: async (context) => {
    const { field, isQuick, progress, round, seconds } = context;
    const model = field.model('mlp');
    const port = await field.gateway();
    const loop = async (batches: readonly number[]): Promise<readonly LoopSpeed[]> => {
      progress(`large-batches, onnxruntime-web in a loop, ${batches.join()} rows`);
      const each = await loopOf(field, model, { backend: 'web', seconds, batches });
      return each.map(({ rows, runsPerSecond }) => ({ rows, perSecond: rows * runsPerSecond }));
    };
    const speeds = await loop(isQuick ? [1] : batchSizes);
    const best = speeds.reduce((left, right) => (right.perSecond > left.perSecond ? right : left));

    const reports: PhaseReport[] = [];
    const loops: number[] = [];
    const askGateway = async (): Promise<void> => {
      progress('large-batches, gateway');
      const load = { port, protocol: 'stream', connections: 4, concurrency: largeConcurrency } as const;
      reports.push(await closedLoop(context, model, load));
    };
    const askLoop = async (): Promise<void> => {
      loops.push(...(await loop([best.rows])).map(({ perSecond }) => perSecond));
    };
    for (let turn = 0; turn < (isQuick ? 1 : largeTurns); turn++)
      for (const ask of rotated([askGateway, askLoop], round + turn)) await ask();

    const ofGateway = (name: string): readonly number[] => reports.map(({ numbers }) => numbers[name] ?? 0);
    const numbers = {
      rows_per_second: mean(ofGateway('per_second')),
      loop_rows_per_second: mean(loops),
      best_batch_rows: best.rows,
      share_of_best: mean(ofGateway('per_second')) / mean(loops),
      failed: ofGateway('failed').reduce((sum, failed) => sum + failed, 0),
    };
    return [
      {
        load: 'mlp',
        peer: peerNames.gateway,
        numbers,
        problems: reports.flatMap(({ problems }) => problems),
      },
    ];
  },
};

interface LoopSpeed {
  readonly rows: number;
  readonly perSecond: number;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
