/**
 * Two models, one asked for at twice what it can do, one now and then: what callers of the second notice. One generator sends
 * for both, first only to the cold one; what it costs is the same in both halves. The hot one has a deadline, so that the
 * gateway refuses what is too much.
 */
import { Children } from '../children.ts';
import type { Asked, PhaseReport } from '../load/load-job.ts';
import { startGateway } from '../peers/gateway.ts';
import { type AnyModel, type ModelName, peerNames, type Settings } from './field.ts';
import { compared } from './change-scenarios.ts';
import { closedLoop, loadOn } from './load-scenarios.ts';
import type { ModelPair, Scenario, ScenarioContext, ScenarioRow } from './scenario.ts';

const hotDeadlineMs = 500;
/** Of the hot load before and after the watch, so that the watch is never without it; no longer than the watch. */
const marginSecondsMax = 1;
/** Longest time in which it is found out what the hot model can do. */
const capacitySeconds = 5;
/** So many that ten of them are beyond the 99th percentile. Takes longer than `--seconds` where the rate is low. */
const coldRequestsMin = 1000;

/** How the hot model is asked: what is large by HTTP, where a refusal gives its connection back at once. */
const hotLoads: Readonly<
  Record<ModelName, Pick<Asked, 'protocol' | 'connections'> & { concurrency: number }>
> = {
  iris: { protocol: 'stream', connections: 8, concurrency: 256 },
  digits: { protocol: 'stream', connections: 8, concurrency: 128 },
  mlp: { protocol: 'stream', connections: 8, concurrency: 128 },
  mobilenet: { protocol: 'http-binary', connections: 64, concurrency: 8 },
};

/** Requests per second to the cold model, at equal distances: a quarter of what a thread can do, or less. */
const coldRates: Readonly<Record<ModelName, number>> = { iris: 200, digits: 200, mlp: 100, mobilenet: 4 };

interface Case extends ModelPair {
  readonly load: string;
  readonly gatewayOptions: readonly string[];
  /** What the deployment of the hot model says. */
  readonly hotSettings: Settings;
}

const oneThread = { gatewayOptions: ['--threads', '1'], hotSettings: {} };
/** The hot one is on one of them, and there is one that it never holds. */
const twoThreads = { gatewayOptions: ['--threads', '2'], hotSettings: { resources: { replicas: 1 } } };

/** The hard pair and the easy one: a run of mobilenet takes twenty times as long as one of mlp. */
const cases: readonly Case[] = [
  { hot: 'mobilenet', cold: 'iris', load: 'iris, which runs on the event loop', ...oneThread },
  ...casesOf({ hot: 'mobilenet', cold: 'mlp' }),
  ...casesOf({ hot: 'mlp', cold: 'mlp' }),
];

function casesOf({ hot, cold }: ModelPair): readonly Case[] {
  const beside = hot === cold ? `${cold} beside another` : `${cold} beside ${hot}`;
  return [
    { hot, cold, load: `${beside}, one thread for both`, ...oneThread },
    { hot, cold, load: `${beside}, two threads, hot one on one of them`, ...twoThreads },
  ];
}

export const hotCold: Scenario = {
  name: 'hot-cold',
  title: 'Callers of a cold model, alone and beside a hot one at twice its capacity',
  headline: ['p99_ratio', 'calm_p99_us', 'beside_p99_us', 'hot_share'],
  run: async (context) => {
    const rows: ScenarioRow[] = [];
    // The short form shows that both kinds of gateway and of deployment are measured.
    const short = cases.filter((_, at) => at === 0 || at === cases.length - 1);
    const all = context.pair === undefined ? cases : casesOf(context.pair);
    for (const each of context.isQuick && context.pair === undefined ? short : all)
      rows.push(await measured(context, each));
    return rows;
  },
};

async function measured(context: ScenarioContext, each: Case): Promise<ScenarioRow> {
  const { field, isQuick, progress } = context;
  const { hot, cold, load, gatewayOptions, hotSettings } = each;
  const [hotModel, coldModel] = [hotNamed(field.model(hot), cold), field.model(cold)];
  const coldRate = coldRates[cold];
  const seconds = Math.max(context.seconds, isQuick ? 0 : coldRequestsMin / coldRate);
  const children = new Children();
  try {
    progress(`hot-cold, ${load}: what ${hot} can do`);
    const models = [
      [coldModel, {}],
      [hotModel, hotSettings],
    ] as const;
    const store = await field.ownStore(`hot-cold-${load.replaceAll(/\W+/g, '-')}`, models);
    const port = await startGateway(children, field.folder, [...store, ...gatewayOptions]);
    const { concurrency, ...how } = hotLoads[hot];
    const alone = await closedLoop(
      { ...context, seconds: Math.min(context.seconds, capacitySeconds) },
      hotModel,
      {
        port,
        ...how,
        concurrency,
      },
    );
    const capacity = Math.max(1, alone.numbers['per_second'] ?? 0);
    progress(`hot-cold, ${load}: ${cold} at ${coldRate}/s, alone and beside ${Math.round(2 * capacity)}/s`);
    const { name: model, input, rowShape } = hotModel;
    const watch = { kind: 'open', ratePerSecond: coldRate, arrivals: 'constant', seed: 1 } as const;
    const flood = { kind: 'open', ratePerSecond: 2 * capacity, arrivals: 'poisson', seed: 1 } as const;
    const marginSeconds = Math.min(marginSecondsMax, seconds);
    const rest = { seconds: seconds + 2 * marginSeconds, startSeconds: seconds + marginSeconds };
    const asks = { port, ...how, model, input, rowShape, deadlineMs: hotDeadlineMs };
    const [calm, beside, flooded] = await loadOn(context, coldModel, {
      port,
      protocol: 'http-binary',
      connections: 64,
      phases: [
        { shape: watch, seconds, startSeconds: 0 },
        { shape: watch, seconds, startSeconds: seconds + 2 * marginSeconds },
        { shape: flood, ...rest, asks, staysAwake: false },
      ],
    });
    if (calm === undefined || beside === undefined || flooded === undefined)
      throw new Error('The load generator reported too little.');
    const parts = [alone, calm, beside, flooded];
    return {
      load,
      peer: peerNames.gateway,
      numbers: { ...compared(calm, beside), ...besides(flooded, capacity), failed: sum(parts, 'failed') },
      problems: parts.flatMap(({ problems }) => problems),
    };
  } finally {
    await children.stopAll();
  }
}

/** A model cannot be beside itself, but beside one of another name with the same file. */
function hotNamed(model: AnyModel, cold: ModelName): AnyModel {
  return model.name === cold ? { ...model, name: `${model.name}-hot` } : model;
}

const sum = (parts: readonly PhaseReport[], name: string): number =>
  parts.reduce((total, { numbers }) => total + (numbers[name] ?? 0), 0);

function besides({ numbers }: PhaseReport, capacity: number): Readonly<Record<string, number>> {
  const { per_second = 0, p99_us = 0, refused = 0, offered = 0 } = numbers;
  return {
    hot_capacity_per_second: capacity,
    hot_share: per_second / capacity,
    hot_p99_us: p99_us,
    hot_refused_share: refused / Math.max(1, offered),
  };
}
