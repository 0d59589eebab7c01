/** How many threads a version gets, and what is said when that is fewer than asked for. */
import { expect, it } from 'vitest';
import type { DeploymentResources } from '../../../../registry-store/manifest/deployment.ts';
import {
  type NodeRoom,
  overLimitOf,
  replicaDemand,
  shortfallOf,
} from '../../../../gateway/live/replicas/replica-demand.ts';

interface Case {
  readonly what: string;
  readonly resources: DeploymentResources | undefined;
  readonly affordable?: number;
  readonly placed: number;
  readonly reason?: string;
  readonly detail?: string;
}

function scaling(replicas: {
  readonly minReplicas: number;
  readonly maxReplicas: number;
}): DeploymentResources {
  return { autoScaling: { ...replicas, targetCpuPercent: 70 } };
}

const cases: readonly Case[] = [
  { what: 'all threads, when nothing is asked', resources: undefined, placed: 2 },
  { what: 'as many as asked', resources: { replicas: 1 }, placed: 1 },
  {
    what: 'no more threads than there are',
    resources: { replicas: 3 },
    placed: 2,
    reason: 'THREADS',
    detail: '3 asked, 2 placed: this node has 2 threads',
  },
  {
    what: 'the fewest, where the load decides',
    resources: scaling({ minReplicas: 1, maxReplicas: 8 }),
    placed: 1,
  },
  {
    what: 'what it is to begin with, where the load decides',
    resources: { ...scaling({ minReplicas: 1, maxReplicas: 8 }), replicas: 2 },
    placed: 2,
  },
  {
    what: 'no more threads than there are, where the load decides above that',
    resources: scaling({ minReplicas: 3, maxReplicas: 8 }),
    placed: 2,
    reason: 'THREADS',
    detail: '3 asked, 2 placed: this node has 2 threads',
  },
  { what: 'one thread for less than a core', resources: { cpuLimitMillis: 200 }, placed: 1 },
  { what: 'two threads for more than one core', resources: { cpuLimitMillis: 1001, replicas: 2 }, placed: 2 },
  {
    what: 'fewer than asked within a limit of cores',
    resources: { cpuLimitMillis: 500, replicas: 2 },
    placed: 1,
    reason: 'CPU_LIMIT',
    detail: '2 asked, 1 placed: a cpu_limit of 0.5 allows 1',
  },
  {
    what: 'fewer than asked within a limit of memory',
    resources: { memoryLimitBytes: 1999, replicas: 2 },
    placed: 1,
    reason: 'MEMORY_LIMIT',
    detail: '2 asked, 1 placed: a memory_limit of 1999 bytes allows 1 of 1000 bytes each',
  },
  {
    what: 'one at least, once it is loaded',
    resources: { memoryLimitBytes: 10, replicas: 2 },
    placed: 1,
    reason: 'MEMORY_LIMIT',
    detail: '2 asked, 1 placed: a memory_limit of 10 bytes allows 1 of 1000 bytes each',
  },
  {
    what: 'fewer than asked within what all models may take',
    resources: { replicas: 2 },
    affordable: 1,
    placed: 1,
    reason: 'MODEL_MEMORY',
    detail: '2 asked, 1 placed: the memory for models allows 1 of 1000 bytes each',
  },
  { what: 'one at least, whatever others take', resources: undefined, affordable: 0, placed: 1 },
];

it.each(cases)('a version gets $what', ({ resources, affordable, placed, reason, detail }) => {
  const demand = replicaDemand(resources, { threads: 2, bytesPerReplica: 1000, affordable });
  expect(demand.placed).toBe(placed);
  const shortfall = reason === undefined ? undefined : { problem: 'FEWER_REPLICAS', reason, detail };
  expect(shortfallOf(demand)).toEqual(shortfall);
});

it('a version gets fewer threads than asked within the memory for models', () => {
  const demand = replicaDemand({ replicas: 2 }, { threads: 2, bytesPerReplica: 1000, affordable: 1 });
  expect(demand.placed).toBe(1);
  const detail = '2 asked, 1 placed: the memory for models allows 1 of 1000 bytes each';
  expect(shortfallOf(demand)).toEqual({ problem: 'FEWER_REPLICAS', reason: 'MODEL_MEMORY', detail });
});

const room = { threads: 8, cores: 6, bytesPerReplica: 1000 };
const bounds: readonly {
  readonly what: string;
  readonly from?: { readonly minReplicas?: number; readonly maxReplicas?: number };
  readonly limits?: DeploymentResources;
  readonly node?: Partial<NodeRoom>;
  readonly max: number;
  readonly because: string;
}[] = [
  { what: 'what the deployment says', max: 4, because: 'max_replicas is 4' },
  { what: 'the cores', from: { maxReplicas: 9 }, max: 6, because: 'this node has 6 cores' },
  {
    what: 'the threads',
    from: { maxReplicas: 9 },
    node: { threads: 5 },
    max: 5,
    because: 'this node has 5 threads',
  },
  {
    what: 'the limit of memory',
    from: { maxReplicas: 9 },
    limits: { memoryLimitBytes: 3000 },
    max: 3,
    because: 'a memory_limit of 3000 bytes allows 3 of 1000 bytes each',
  },
  {
    what: 'the limit of cores',
    limits: { cpuLimitMillis: 2500 },
    max: 3,
    because: 'a cpu_limit of 2.5 allows 3',
  },
  {
    what: 'the memory for models',
    node: { affordable: 2 },
    max: 2,
    because: 'the memory for models allows 2 of 1000 bytes each',
  },
  {
    what: 'one thread, where there is no memory for that either',
    node: { affordable: 0 },
    max: 1,
    because: 'the memory for models allows 1 of 1000 bytes each',
  },
];

it.each(bounds)('the load moves it up to $what', ({ from, limits, node, max, because }) => {
  const resources = { ...scaling({ minReplicas: 1, maxReplicas: 4, ...from }), ...limits };
  const { scaled } = replicaDemand(resources, { ...room, ...node });
  expect(scaled).toEqual({ min: from?.minReplicas ?? 1, max, because, busyShareMax: 0.7 });
});

const twice = { cores: 4, threads: 2, intraOpThreads: 2, bytesPerReplica: 1000 };

it.each<Pick<Case, 'what' | 'resources' | 'placed'> & { readonly because: string }>([
  {
    what: 'the threads',
    resources: { replicas: 4 },
    placed: 2,
    because: 'this node has 2 threads, each using 2 of 4 cores',
  },
  {
    what: 'the limit of cores',
    resources: { replicas: 2, cpuLimitMillis: 2500 },
    placed: 1,
    because: 'a cpu_limit of 2.5 allows 1, each using 2 cores',
  },
  {
    what: 'one at least',
    resources: { replicas: 2, cpuLimitMillis: 500 },
    placed: 1,
    because: 'a cpu_limit of 0.5 allows 1, each using 2 cores',
  },
])('runs of several threads get fewer replicas: $what', ({ resources, placed, because }) => {
  const demand = replicaDemand(resources, twice);
  expect(demand.placed).toBe(placed);
  expect(shortfallOf(demand)?.detail).toBe(`${String(demand.asked)} asked, ${placed} placed: ${because}`);
});

it('the load moves runs of several threads up to what the cores have room for', () => {
  const resources = scaling({ minReplicas: 1, maxReplicas: 9 });
  const { scaled } = replicaDemand(resources, { ...room, intraOpThreads: 4 });
  expect(scaled).toMatchObject({ max: 1, because: 'this node has 6 cores, and each run uses 4' });
});

it('no load moves what no deployment lets it move', () => {
  expect(replicaDemand({ replicas: 2 }, room).scaled).toBeUndefined();
});

it('a version is over its memory_limit when one thread of it is, and then both numbers are told', () => {
  const mib = 2 ** 20;
  const over = (memoryLimitBytes: number | undefined, bytesPerReplica: number): unknown =>
    overLimitOf(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }, { bytesPerReplica });
  expect(over(undefined, 1e12)).toBeUndefined();
  expect(over(mib, mib)).toBeUndefined();
  expect(over(mib, 20_000_151)).toEqual({
    problem: 'OVER_LIMIT',
    reason: 'MEMORY_LIMIT',
    detail: 'over its memory_limit: needs 19.1 MiB, limit 1.0 MiB; it serves on, but is not loaded again',
  });
  expect(over(500, 643)).toMatchObject({
    detail: expect.stringContaining('needs 643 bytes, limit 500 bytes') as string,
  });
});
