/** How many threads a version gets, and what is said when that is fewer than asked for. */
import { expect, it } from 'vitest';
import type { DeploymentResources } from '../../../registry-store/manifest/deployment.ts';
import { replicaDemand, shortfallOf } from '../../../gateway/dispatch/replica-demand.ts';

interface Case {
  readonly what: string;
  readonly resources: DeploymentResources | undefined;
  readonly placed: number;
  readonly reason?: string;
  readonly detail?: string;
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
    what: 'the most that scaling may come to',
    resources: { autoScaling: { minReplicas: 1, maxReplicas: 8, targetCpuPercent: 70 } },
    placed: 2,
    reason: 'THREADS',
    detail: '8 asked, 2 placed: this node has 2 threads',
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
];

it.each(cases)('a version gets $what', ({ resources, placed, reason, detail }) => {
  const demand = replicaDemand(resources, { threads: 2, bytesPerReplica: 1000 });
  expect(demand.placed).toBe(placed);
  const shortfall = reason === undefined ? undefined : { problem: 'FEWER_REPLICAS', reason, detail };
  expect(shortfallOf(demand)).toEqual(shortfall);
});
