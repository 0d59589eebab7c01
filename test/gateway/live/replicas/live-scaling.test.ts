/**
 * The shell around the scaler, with a puppet for a pool and a clock that stands until it is moved: what is carried out and
 * when, what is left alone, and what it tells.
 */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DeploymentResources } from '../../../../registry-store/manifest/deployment.ts';
import { LiveReplicas } from '../../../../gateway/live/replicas/live-replicas.ts';
import { ModelGeneration } from '../../../../gateway/dispatch/model-generation.ts';
import type { VersionLoad } from '../../../../gateway/dispatch/version-load.ts';
import type { VersionScaling } from '../../../../gateway/telemetry/scaling-report.ts';
import { TrafficSplit } from '../../../../gateway/route/traffic-split.ts';
import { MetricsPage } from '../../../../gateway/telemetry/metrics-page.ts';
import { wasmChoice } from '../../../../runtime/protocol/engine-choice.ts';

const scaled: DeploymentResources = {
  autoScaling: { minReplicas: 1, maxReplicas: 4, targetCpuPercent: 70 },
};
const signature = { batching: 'rows' as const, inputs: [], outputs: [] };

/** Holds sessions on as many lanes as it is told, unless it is to fail. */
class PuppetPool {
  readonly engine = wasmChoice;
  readonly lanes = Array.from({ length: 4 }, (_, index) => ({ index, state: 'busy' }));
  readonly asked: number[] = [];
  /** Of each of those, whether work waits for it. */
  readonly awaited: boolean[] = [];
  readonly replicas = new Map<number, number>();
  readonly inline = new Set<number>();
  loads = true;
  readonly inlineLane = { holds: (session: number): boolean => this.inline.has(session) };

  holds({ index }: { readonly index: number }, session: number): boolean {
    return index < this.replicasOf(session);
  }

  replicasOf(session: number): number {
    return this.replicas.get(session) ?? 0;
  }

  scale(session: number, replicas = 4, isAwaited = false): Promise<number> {
    this.asked.push(replicas);
    this.awaited.push(isAwaited);
    if (this.loads || replicas < this.replicasOf(session)) this.replicas.set(session, replicas);
    return Promise.resolve(this.replicasOf(session));
  }
}

let pool: PuppetPool;
let replicas: LiveReplicas;
let metrics: MetricsPage;
let loads: VersionLoad[];
let log: { readonly msg: string; readonly because?: string; readonly detail?: string }[];

function generation(session: number, modelVersion: string): ModelGeneration {
  const sha256 = modelVersion;
  const own = metrics.version('m', modelVersion);
  pool.replicas.set(session, 1);
  const made = {
    modelName: 'm',
    modelVersion,
    sha256,
    signature,
    platform: '',
    session,
    costs: [],
    metrics: own,
  };
  return new ModelGeneration({ ...made, bytesPerReplica: 1000 });
}

/** What it has in hand from now on; one replica of it should have 4 rows, and takes a second for each. */
function hand(version: ModelGeneration, rows: number): void {
  loads = loads.filter((load) => load.generation !== version);
  loads.push({ generation: version, rows, work: rows / 4, workMs: rows * 1000, targetRows: 4 });
}

function seen(version: string): VersionScaling | undefined {
  return replicas.scaling.versions.find((one) => one.version === version);
}

function pass(seconds: number): Promise<unknown> {
  return vi.advanceTimersByTimeAsync(seconds * 1000);
}

beforeEach(() => {
  vi.useFakeTimers();
  [pool, metrics, loads, log] = [new PuppetPool(), new MetricsPage(), [], []];
  replicas = new LiveReplicas({
    pool: pool as unknown as ConstructorParameters<typeof LiveReplicas>[0]['pool'],
    metrics,
    log: pino({ base: null }, { write: (line) => void log.push(JSON.parse(line) as (typeof log)[number]) }),
    loads: () => loads,
    nowMs: () => Date.now(),
    cores: 8,
  });
});

afterEach(() => {
  replicas.close();
  vi.useRealTimers();
});

describe('a version that its load may move', () => {
  it('grows in a burst, once, and says so in the log, the metrics and the report', async () => {
    const one = generation(1, '1');
    await replicas.fit(one, scaled);
    hand(one, 8);
    await pass(8);
    expect(pool.replicasOf(1)).toBe(3);
    expect(pool.asked).toEqual([3]);
    // More of it is there than one can do: its threads are not to wait for time that nothing else wants.
    expect(pool.awaited).toEqual([true]);
    const because = 'burst, work for 2 over 6 s';
    expect(log).toMatchObject([{ msg: 'replicas follow the load', before: 1, replicas: 3, because }]);
    expect(seen('1')).toEqual({
      ...{ model: 'm', version: '1', replicas: 3, rows: 8, concurrency_target: 4, utilization: 0.667 },
      scaled: { desired_replicas: 3, min_replicas: 1, max_replicas: 4, decision: because },
    });
    expect(replicas.scaling).toMatchObject({ utilization: 0.5, desired_nodes: 0.714 });
    const page = await metrics.render();
    expect(page).toContain('tidegate_desired_replicas{model="m",version="1"} 3');
    expect(page).toContain('tidegate_concurrency_target{model="m",version="1"} 4');
    expect(page).toContain('tidegate_replica_changes_total{model="m",version="1",direction="up"} 1');
    expect(page).toContain('tidegate_replica_changes_total{model="m",version="1",direction="down"} 0');
    expect(page).toMatch(/^tidegate_desired_nodes 0\.714/m);
  });

  it('is not asked to load a replica again and again that could not be loaded', async () => {
    const one = generation(1, '1');
    await replicas.fit(one, scaled);
    pool.loads = false;
    hand(one, 8);
    await pass(50);
    expect(pool.asked).toEqual([3]);
    expect(seen('1')?.scaled?.decision).toContain('but another could not be loaded just now');
    await pass(20);
    expect(pool.asked.length).toBe(2);
  });

  it('keeps what its load made of it when something else of its deployment changes', async () => {
    const one = generation(1, '1');
    await replicas.fit(one, scaled);
    hand(one, 8);
    await pass(8);
    await replicas.fit(one, { ...scaled, memoryLimitBytes: 1_000_000 });
    expect(pool.replicasOf(1)).toBe(3);
    await replicas.fit(one, { ...scaled, replicas: 2 });
    expect(pool.replicasOf(1)).toBe(2);
    await replicas.fit(one, { autoScaling: { minReplicas: 4, maxReplicas: 4, targetCpuPercent: 70 } });
    expect(pool.replicasOf(1)).toBe(4);
  });

  it('is left at its fewest where it runs on the event loop', async () => {
    const one = generation(1, '1');
    pool.inline.add(1);
    await replicas.fit(one, scaled);
    hand(one, 80);
    await pass(120);
    expect(pool.asked).toEqual([]);
    expect(seen('1')?.scaled?.decision).toContain('it runs on the event loop, where threads add nothing');
    expect(replicas.scaling.desired_nodes).toBe(0);
  });
});

it('a version that no deployment scales is looked at and left alone', async () => {
  const one = generation(1, '1');
  await replicas.fit(one, { replicas: 1 });
  hand(one, 80);
  await pass(120);
  expect(pool.asked).toEqual([]);
  expect(seen('1')).toEqual({
    ...{ model: 'm', version: '1', replicas: 1, rows: 80, concurrency_target: 4, utilization: 20 },
  });
});

it('a version that is gone is not looked at any more', async () => {
  const one = generation(1, '1');
  await replicas.fit(one, scaled);
  hand(one, 80);
  replicas.forget(one);
  await pass(20);
  expect(pool.asked).toEqual([]);
  expect(replicas.scaling.versions).toEqual([]);
});

describe('before traffic moves', () => {
  const split = (stable: ModelGeneration, candidate: ModelGeneration, trafficBps: number) =>
    new TrafficSplit({ rolloutId: 'r', stable, candidate, trafficBps });

  it('the one that gets it has replicas for its share of what the one before carries', async () => {
    const [one, two] = [generation(1, '1'), generation(2, '2')];
    await replicas.fit(one, scaled);
    await replicas.prepare({ live: one });
    hand(one, 10);
    await pass(8);
    expect(pool.replicasOf(1)).toBe(4);
    await replicas.fit(two, scaled);
    await replicas.prepare({ live: one, split: split(one, two, 1000) });
    expect(pool.replicasOf(2)).toBe(1);
    await replicas.prepare({ live: one, split: split(one, two, 5000) });
    expect(pool.replicasOf(2)).toBe(2);
    await replicas.prepare({ live: two });
    expect(pool.replicasOf(2)).toBe(4);
    expect(log.at(-1)?.because).toBe('100 % of the traffic is about to come');
    // Only the first of them had work waiting.
    expect(pool.awaited).toEqual([true, false, false]);
  });

  it('the one that loses it keeps its replicas while the rollout goes on, and ten minutes more', async () => {
    const [one, two] = [generation(1, '1'), generation(2, '2')];
    await replicas.fit(one, { ...scaled, replicas: 4 });
    await replicas.prepare({ live: one });
    expect(pool.replicasOf(1)).toBe(4);
    await replicas.fit(two, scaled);
    await replicas.prepare({ live: one, split: split(one, two, 9000) });
    await pass(300);
    expect(pool.replicasOf(1)).toBe(4);
    await replicas.prepare({ live: two });
    await pass(590);
    expect(pool.replicasOf(1)).toBe(4);
    await pass(20);
    expect(pool.replicasOf(1)).toBe(1);
  });

  it('nothing is waited for where nothing is scaled, or a model is served for the first time', async () => {
    const [one, two] = [generation(1, '1'), generation(2, '2')];
    await replicas.fit(one, undefined);
    await replicas.fit(two, { replicas: 1 });
    pool.asked.splice(0);
    await replicas.prepare({ live: one });
    await replicas.prepare({ live: two });
    expect(pool.asked).toEqual([]);
  });
});

it('a version that a later memory_limit is too small for is told for as long as that is true, and once in the log', async () => {
  const one = generation(1, '1');
  await replicas.fit(one, {});
  expect(replicas.shortfallsOf([one]).size).toBe(0);
  await replicas.fit(one, { memoryLimitBytes: 999 });
  await replicas.refit(one);
  const problem = replicas.shortfallsOf([one]).get('m');
  expect(problem).toMatchObject({ problem: 'OVER_LIMIT', reason: 'MEMORY_LIMIT' });
  expect(log).toMatchObject([{ msg: 'version is over its memory_limit', detail: problem?.detail }]);
  await replicas.fit(one, { memoryLimitBytes: 1000 });
  expect(replicas.shortfallsOf([one]).size).toBe(0);
});
