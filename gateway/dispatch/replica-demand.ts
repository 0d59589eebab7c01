/**
 * How many threads of this node a version gets of those that its deployment asks for. One process cannot hold a model to a
 * part of a core or of its memory; what it can do is to give it fewer threads. Pure.
 */
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import type { DeploymentProblem } from '../telemetry/store-report.ts';

export interface NodeRoom {
  readonly threads: number;
  /** What the version takes on one thread, about. */
  readonly bytesPerReplica: number;
}

/** What stands in the way of more. */
type Bound = 'THREADS' | 'CPU_LIMIT' | 'MEMORY_LIMIT';

export interface ReplicaDemand {
  /** Undefined for as many as there are. */
  readonly asked: number | undefined;
  readonly placed: number;
  readonly bound: Bound;
  /** Why that bound is where it is. */
  readonly because: string;
}

/** `auto_scaling` without `replicas` asks for its largest number: threads that nobody needs cost memory only. */
export function replicaDemand(
  resources: DeploymentResources | undefined,
  { threads, bytesPerReplica }: NodeRoom,
): ReplicaDemand {
  const { replicas, autoScaling, cpuLimitMillis, memoryLimitBytes } = resources ?? {};
  const asked = replicas ?? autoScaling?.maxReplicas;
  const byCpu = cpuLimitMillis === undefined ? Infinity : Math.ceil(cpuLimitMillis / 1000);
  const byMemory =
    memoryLimitBytes === undefined ? Infinity : Math.max(1, Math.floor(memoryLimitBytes / bytesPerReplica));
  const room = Math.min(threads, byCpu, byMemory);
  const placed = Math.min(asked ?? threads, room);
  if (room === threads) {
    return { asked, placed, bound: 'THREADS', because: `this node has ${count(threads, 'thread')}` };
  }
  if (room === byCpu) {
    const cores = (cpuLimitMillis ?? 0) / 1000;
    return { asked, placed, bound: 'CPU_LIMIT', because: `a cpu_limit of ${cores} allows ${room}` };
  }
  const because = `a memory_limit of ${memoryLimitBytes ?? 0} bytes allows ${room} of ${bytesPerReplica} bytes each`;
  return { asked, placed, bound: 'MEMORY_LIMIT', because };
}

/** Undefined when all that was asked for is there. `placed` as it came to be. */
export function shortfallOf({ asked, placed, bound, because }: ReplicaDemand): DeploymentProblem | undefined {
  if (asked === undefined || placed >= asked) return undefined;
  const detail = `${asked} asked, ${placed} placed: ${because}`;
  return { problem: 'FEWER_REPLICAS', reason: bound, detail };
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
