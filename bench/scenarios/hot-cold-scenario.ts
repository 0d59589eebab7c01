/**
 * Two models, one asked for at twice what it can do, one now and then: what callers of the second notice. One generator sends
 * for both, first only to the cold one; what it costs is the same in both halves. The hot one has few and long runs, so that
 * sending is no work, and a deadline, so that the gateway refuses what is too much.
 */
import { Children } from '../children.ts';
import type { PhaseReport } from '../load/load-job.ts';
import { startGateway } from '../peers/gateway.ts';
import { type ModelName, peerNames, type Settings } from './field.ts';
import { compared } from './change-scenarios.ts';
import { closedLoop, loadOn } from './load-scenarios.ts';
import type { Scenario, ScenarioContext, ScenarioRow } from './scenario.ts';

const hotName: ModelName = 'mobilenet';
const hotDeadlineMs = 500;
/** So many clients find out what it can do. */
const hotConcurrency = 8;
/** HTTP connections; a refusal gives one back at once. */
const hotConnections = 64;
/** Of the hot load before and after the watch, so that the watch is never without it; no longer than the watch. */
const marginSecondsMax = 1;

interface Case {
  readonly load: string;
  readonly cold: ModelName;
  /** Requests per second to it, at equal distances: a tenth of what a thread can do, or less. */
  readonly coldRate: number;
  readonly gatewayOptions: readonly string[];
  /** What the deployment of the hot model says. */
  readonly hotSettings: Settings;
}

const oneThread = ['--threads', '1'];

const cases: readonly Case[] = [
  {
    cold: 'iris',
    coldRate: 200,
    load: 'iris, which runs on the event loop',
    gatewayOptions: oneThread,
    hotSettings: {},
  },
  { cold: 'mlp', coldRate: 40, load: 'mlp, one thread for both', gatewayOptions: oneThread, hotSettings: {} },
  {
    cold: 'mlp',
    coldRate: 40,
    load: 'mlp, the same, hot one without batches',
    gatewayOptions: oneThread,
    hotSettings: { batching: { rowsMax: 1 } },
  },
  {
    cold: 'mlp',
    coldRate: 40,
    load: 'mlp, two threads, hot one on one of them',
    gatewayOptions: ['--threads', '2'],
    hotSettings: { batching: { rowsMax: 1 }, resources: { replicas: 1 } },
  },
];

export const hotCold: Scenario = {
  name: 'hot-cold',
  title: `Callers of a cold model, alone and beside ${hotName} at twice its capacity`,
  headline: ['p99_ratio', 'calm_p99_us', 'beside_p99_us', 'hot_share'],
  run: async (context) => {
    const rows: ScenarioRow[] = [];
    // The short form shows that both kinds of gateway and of deployment are measured.
    for (const each of context.isQuick ? cases.filter((_, at) => at === 0 || at === cases.length - 1) : cases)
      rows.push(await measured(context, each));
    return rows;
  },
};

async function measured(context: ScenarioContext, each: Case): Promise<ScenarioRow> {
  const { field, seconds, progress } = context;
  const { cold, coldRate, load, gatewayOptions, hotSettings } = each;
  const children = new Children();
  try {
    progress(`hot-cold, ${load}: what ${hotName} can do`);
    const models = { iris: {}, mlp: {}, [hotName]: hotSettings };
    const store = await field.ownStore(`hot-cold-${cases.indexOf(each)}`, models);
    const port = await startGateway(children, field.folder, [...store, ...gatewayOptions]);
    const hot = { port, protocol: 'http-binary', connections: hotConnections } as const;
    const alone = await closedLoop(context, field.model(hotName), { ...hot, concurrency: hotConcurrency });
    const capacity = Math.max(1, alone.numbers['per_second'] ?? 0);
    progress(`hot-cold, ${load}: ${cold} at ${coldRate}/s, alone and beside ${Math.round(2 * capacity)}/s`);
    const { name: model, input, rowShape } = field.model(hotName);
    const watch = { kind: 'open', ratePerSecond: coldRate, arrivals: 'constant', seed: 1 } as const;
    const flood = { kind: 'open', ratePerSecond: 2 * capacity, arrivals: 'poisson', seed: 1 } as const;
    const marginSeconds = Math.min(marginSecondsMax, seconds);
    const rest = { seconds: seconds + 2 * marginSeconds, startSeconds: seconds + marginSeconds };
    const asks = { ...hot, model, input, rowShape, deadlineMs: hotDeadlineMs };
    const [calm, beside, flooded] = await loadOn(context, field.model(cold), {
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
