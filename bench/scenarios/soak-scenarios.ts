/**
 * Long scenarios: models that are deployed, flipped and undeployed again and again under load. What counts is what their
 * neighbour's callers notice, what fails, and whether memory comes back.
 */
import { readFileSync } from 'node:fs';
import { deployModel, publishModel } from '../../registry-store/main.ts';
import { demoModels } from '../../deploy/demo/demo-models.ts';
import { HttpClient } from '../../client/http-client.ts';
import { tensor } from '../../client/tensor/tensor.ts';
import { Children } from '../children.ts';
import { Deployer } from '../load/deployer.ts';
import type { PhaseReport } from '../load/load-job.ts';
import { spreadOf } from '../report/spread.ts';
import { wideMobilenet } from './bench-models.ts';
import { type BenchModel, peerNames, type Publisher } from './field.ts';
import { closedLoop, loadOn } from './load-scenarios.ts';
import type { Scenario, ScenarioContext, ScenarioRow } from './scenario.ts';
import { until, watchedDuring } from './store-changes.ts';

/** The share of what the neighbour can do that it is asked for. */
const steadyShare = 0.6;
/** So many clients find out what that is. */
const capacityConcurrency = 16;
/** Connections for the steady load: more than ever wait. */
const steadyConnections = 256;
const steadyWindows = 3;
/** What is measured after a tenth of the changes is what the end is compared with. */
const earlyShare = 0.1;

/** A gateway of its own that is gone afterwards. */
async function withGateway<Value>(
  { field }: ScenarioContext,
  options: readonly string[],
  work: (port: number, children: Children) => Promise<Value>,
): Promise<Value> {
  const children = new Children();
  try {
    return await work(await field.startGateway([], children, options), children);
  } finally {
    await children.stopAll();
  }
}

/** The short form does not wait for time that nothing else wants: it has a busy machine. */
const loadOptions = ({ isQuick }: ScenarioContext): readonly string[] =>
  isQuick ? ['--limit', 'loadBehindMsMax=0'] : [];

const p99 = ({ numbers }: PhaseReport): number => numbers['p99_us'] ?? 0;
const failedIn = (parts: readonly PhaseReport[]): number =>
  parts.reduce((sum, { numbers }) => sum + (numbers['failed'] ?? 0) + (numbers['refused'] ?? 0), 0);

/** Memory of the gateway after a tenth of the changes, after half of them, and after all. */
interface MemoryCourse {
  early: Memory;
  middle: Memory;
  late: Memory;
}

interface Memory {
  readonly residentBytes: number;
  /** What the event loop holds of it in objects, garbage among them. */
  readonly heapBytes: number;
}

const noMemory: Memory = { residentBytes: NaN, heapBytes: NaN };

async function memoryOf(port: number): Promise<Memory> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return {
    residentBytes: Number(/^process_resident_memory_bytes (\S+)/m.exec(page)?.[1] ?? NaN),
    heapBytes: Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(page)?.[1] ?? NaN),
  };
}

async function times(
  count: number,
  port: number,
  change: (at: number) => Promise<void>,
): Promise<MemoryCourse> {
  const memory: MemoryCourse = { early: noMemory, middle: noMemory, late: noMemory };
  const early = Math.max(1, Math.round(count * earlyShare));
  const middle = Math.max(1, Math.round(count / 2));
  for (let at = 1; at <= count; at++) {
    await change(at);
    if (at === early) memory.early = await memoryOf(port);
    if (at === middle) memory.middle = await memoryOf(port);
  }
  memory.late = await memoryOf(port);
  return memory;
}

const mib = 2 ** 20;

const memoryNumbers = ({ early, middle, late }: MemoryCourse): Readonly<Record<string, number>> => ({
  memory_ratio: late.residentBytes / early.residentBytes,
  late_memory_ratio: late.residentBytes / middle.residentBytes,
  early_mib: early.residentBytes / mib,
  middle_mib: middle.residentBytes / mib,
  late_mib: late.residentBytes / mib,
  early_heap_mib: early.heapBytes / mib,
  late_heap_mib: late.heapBytes / mib,
});

/** The model that comes and goes, in two versions of the same shape. */
async function publishComing(publisher: Publisher, isQuick: boolean): Promise<void> {
  for (const [index, version] of comingVersions.entries()) {
    const about = { model: comingName, version, framework: 'onnx', author: 'bench' };
    const { bytes: artifact } = wideMobilenet(isQuick ? 'tiny' : 'full', index);
    await publishModel({ ...publisher, ...about, artifact, nowMs: Date.now() });
  }
}

const comingName = 'coming';
const comingVersions = ['1.0.0', '2.0.0'] as const;

/** Deployed, flipped to the other version, undeployed, each seen by callers before the next. */
async function comeAndGo(deployer: Deployer, port: number): Promise<void> {
  for (const version of comingVersions) {
    await deployer.deploy(version);
    await until(async () => (await versionsOf(port, comingName)).includes(version));
  }
  await deployer.undeploy();
  await until(async () => (await versionsOf(port, comingName)).length === 0);
}

/** Those that are served; a new one appears in the step in which it becomes live. Empty where the model is not known. */
async function versionsOf(port: number, model: string): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${port}/v2/models/${model}`);
  const body = (await response.json()) as { readonly versions?: readonly string[] };
  return response.ok ? (body.versions ?? []) : [];
}

/** The version that answers a row. */
async function versionThatAnswers(port: number, { input, rowShape, name }: BenchModel): Promise<string> {
  const client = new HttpClient({ url: `http://127.0.0.1:${port}` });
  const shape = [1, ...rowShape];
  const row = tensor('FP32', shape, new Float32Array(shape.reduce((product, size) => product * size)));
  return (await client.infer({ model: name, inputs: { [input]: row } })).version;
}

export const churn: Scenario = {
  name: 'churn',
  title: 'mlp at 60 % of its capacity, while a 30 MB network is deployed, flipped and undeployed',
  headline: ['p99_ratio', 'worst_p99_ratio', 'memory_ratio'],
  isLong: true,
  run: async (context) => {
    const { field, isQuick, changes, progress, seconds, round } = context;
    // Alone, because whatever else a thread holds it loads once more before it takes over.
    const store = await field.ownStore('churn', [[field.model('mlp'), {}]]);
    const publisher = field.ownPublisher('churn');
    if (round === 0) await publishComing(publisher, isQuick);
    const model = field.model('mlp');
    const rows: ScenarioRow[] = [];
    for (const threads of isQuick ? [1] : [1, 2]) {
      const options = [...store, '--threads', String(threads), ...loadOptions(context)];
      const row = await withGateway(context, options, async (port, children) => {
        const job = { publisher, model: comingName, versions: comingVersions };
        // The short form runs on a machine that is busy, too.
        const deployer = new Deployer(children, job, { givesWay: !isQuick });
        progress(`churn, ${threads} threads: what mlp can do`);
        const load = { port, protocol: 'http-binary' } as const;
        const alone = await closedLoop(context, model, { ...load, concurrency: capacityConcurrency });
        const ratePerSecond = Math.max(1, steadyShare * (alone.numbers['per_second'] ?? 0));
        const shape = { kind: 'open', ratePerSecond, arrivals: 'poisson', seed: 1 } as const;
        const watch = async (): Promise<PhaseReport> => {
          // A core that is kept awake to be on time is one of two that the gateway has, and its 60 % are of both.
          const phases = [{ shape, seconds, startSeconds: 0, staysAwake: false }];
          const [report] = await loadOn(context, model, { ...load, phases, connections: steadyConnections });
          if (report === undefined) throw new Error('The load generator reported nothing.');
          return report;
        };
        progress(`churn, ${threads} threads: calm`);
        const calm: PhaseReport[] = [];
        for (let window = 0; window < (isQuick ? 1 : steadyWindows); window++) calm.push(await watch());
        progress(`churn, ${threads} threads: ${changes} times deployed, flipped and undeployed`);
        const changing = times(changes, port, () => comeAndGo(deployer, port));
        const beside = await watchedDuring(watch, changing);
        const calmP99 = Math.max(1, spreadOf(calm.map(p99)).median);
        const numbers = {
          p99_ratio: spreadOf(beside.map(p99)).median / calmP99,
          worst_p99_ratio: Math.max(...beside.map(p99)) / calmP99,
          calm_p99_us: calmP99,
          ...memoryNumbers(await changing),
          changes,
          rate_per_second: ratePerSecond,
          failed: failedIn([...calm, ...beside]),
        };
        const problems = [...calm, ...beside].flatMap((part) => part.problems);
        return { load: `${threads} threads`, peer: peerNames.gateway, numbers, problems };
      });
      rows.push(row);
    }
    return rows;
  },
};

export const reloads: Scenario = {
  name: 'reloads',
  title: 'iris under load, while its live version is changed again and again',
  headline: ['failed', 'memory_ratio', 'changes_per_second'],
  isLong: true,
  run: async (context) => {
    const { field, changes, progress, seconds } = context;
    const { publisher } = field;
    const model = field.model('iris');
    const other = demoModels().find(({ name, version }) => name === 'iris' && version !== model.version);
    if (other === undefined) throw new Error('There is only one version of iris.');
    if (context.round === 0) {
      const about = { model: 'iris', version: other.version, framework: 'onnx', author: 'bench' };
      const artifact = new Uint8Array(readFileSync(other.file));
      await publishModel({ ...publisher, ...about, artifact, nowMs: Date.now() });
    }
    const row = await withGateway(context, loadOptions(context), async (port) => {
      progress(`reloads: ${changes} times another version`);
      const startMs = performance.now();
      const changing = times(changes, port, async (at) => {
        const version = at % 2 === 1 ? other.version : model.version;
        await deployModel({ ...publisher, model: 'iris', version, nowMs: Date.now() });
        await until(async () => (await versionThatAnswers(port, model)) === version);
      });
      const load = { port, concurrency: capacityConcurrency };
      const parts = await watchedDuring(() => closedLoop({ ...context, seconds }, model, load), changing);
      const numbers = {
        failed: failedIn(parts),
        ...memoryNumbers(await changing),
        changes,
        changes_per_second: (changes / (performance.now() - startMs)) * 1000,
        answers: parts.reduce((sum, part) => sum + (part.numbers['good'] ?? 0), 0),
      };
      const problems = parts.flatMap((part) => part.problems);
      return { load: `${changes} changes`, peer: peerNames.gateway, numbers, problems };
    });
    await deployModel({ ...publisher, model: 'iris', version: model.version, nowMs: Date.now() });
    return [row];
  },
};
