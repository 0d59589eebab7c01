/**
 * How many threads of this node a version gets of those that its deployment asks for, and between which numbers its load
 * may move it. One process cannot hold a model to a part of a core or of its memory; what it can do is to give it fewer
 * threads. Pure.
 */
import type { DeploymentResources } from '../../../registry-store/manifest/deployment.ts';
import { runsAtOnce } from '../../../runtime/pool/core-room.ts';
import type { ReplicaBounds } from '../../scale/replica-scaler.ts';
import type { DeploymentProblem } from '../../telemetry/store-report.ts';

export interface NodeRoom {
  readonly threads: number;
  /** What the version takes on one thread, about. */
  readonly bytesPerReplica: number;
  /** A thread keeps `intraOpThreads` of them at work, so load alone never asks for more; default no bound. */
  readonly cores?: number;
  /** Threads that one run uses; default 1. */
  readonly intraOpThreads?: number;
  /** On how many threads it may be for the memory that all models share; default on all. */
  readonly affordable?: number | undefined;
}

/** What stands in the way of more. */
type Bound = 'THREADS' | 'CORES' | 'CPU_LIMIT' | 'MEMORY_LIMIT' | 'MODEL_MEMORY';

export interface ReplicaDemand {
  /** The fewest that the deployment wants; undefined for as many as there are. */
  readonly asked: number | undefined;
  /** To begin with. */
  readonly placed: number;
  readonly bound: Bound;
  /** Why that bound is where it is. */
  readonly because: string;
  /** Where its load decides from then on. */
  readonly scaled?: ReplicaBounds;
}

interface Room {
  readonly bound: Bound;
  readonly replicas: number;
  readonly because: string;
}

/**
 * With `auto_scaling` it begins with `replicas`, or with the fewest. What the load would want beyond the room is no
 * shortfall: `max_replicas` is what it may have, not what it must.
 */
export function replicaDemand(resources: DeploymentResources | undefined, node: NodeRoom): ReplicaDemand {
  const { replicas, autoScaling } = resources ?? {};
  const { bound, replicas: room, because } = leastOf(roomsFor(resources, node));
  if (autoScaling === undefined) {
    return { asked: replicas, placed: Math.min(replicas ?? node.threads, room), bound, because };
  }
  const { minReplicas, maxReplicas, targetCpuPercent } = autoScaling;
  const min = Math.min(minReplicas, room);
  const forLoad = leastOf([
    { bound: 'THREADS', replicas: maxReplicas, because: `max_replicas is ${maxReplicas}` },
    ...roomsFor(resources, node),
    ...roomsForLoad(node),
  ]);
  const max = Math.max(min, forLoad.replicas);
  const scaled = { min, max, because: forLoad.because, busyShareMax: targetCpuPercent / 100 };
  const placed = Math.min(Math.max(replicas ?? minReplicas, min), max);
  return { asked: minReplicas, placed, bound, because, scaled };
}

/** Undefined when all that was asked for is there. `placed` as it came to be. */
export function shortfallOf({ asked, placed, bound, because }: ReplicaDemand): DeploymentProblem | undefined {
  if (asked === undefined || placed >= asked) return undefined;
  const detail = `${asked} asked, ${placed} placed: ${because}`;
  return { problem: 'FEWER_REPLICAS', reason: bound, detail };
}

/**
 * Undefined while one replica is within the `memory_limit`. What is live is not taken out for a limit that came later, but what
 * loads it the next time will refuse it.
 */
export function overLimitOf(
  resources: DeploymentResources | undefined,
  { bytesPerReplica }: Pick<NodeRoom, 'bytesPerReplica'>,
): DeploymentProblem | undefined {
  const memoryLimitBytes = resources?.memoryLimitBytes ?? Infinity;
  if (bytesPerReplica <= memoryLimitBytes) return undefined;
  const detail = `over its memory_limit: needs ${sizeText(bytesPerReplica)}, limit ${sizeText(memoryLimitBytes)}; it serves on, but is not loaded again`;
  return { problem: 'OVER_LIMIT', reason: 'MEMORY_LIMIT', detail };
}

function roomsFor(resources: DeploymentResources | undefined, node: NodeRoom): readonly Room[] {
  const { cpuLimitMillis, memoryLimitBytes } = resources ?? {};
  const { threads, bytesPerReplica, affordable = Infinity, intraOpThreads = 1 } = node;
  const rooms: Room[] = [
    {
      bound: 'THREADS',
      replicas: threads,
      because: `this node has ${count(threads, 'thread')}${eachUsing(node)}`,
    },
  ];
  if (cpuLimitMillis !== undefined) {
    const room = runsAtOnce({ cores: Math.ceil(cpuLimitMillis / 1000), intraOpThreads });
    const because = `a cpu_limit of ${cpuLimitMillis / 1000} allows ${room}${eachUsing({ intraOpThreads })}`;
    rooms.push({ bound: 'CPU_LIMIT', replicas: room, because });
  }
  if (memoryLimitBytes !== undefined) {
    const room = Math.max(1, Math.floor(memoryLimitBytes / bytesPerReplica));
    const because = `a memory_limit of ${memoryLimitBytes} bytes allows ${room} of ${bytesPerReplica} bytes each`;
    rooms.push({ bound: 'MEMORY_LIMIT', replicas: room, because });
  }
  if (affordable !== Infinity) {
    const room = Math.max(1, affordable);
    const because = `the memory for models allows ${room} of ${bytesPerReplica} bytes each`;
    rooms.push({ bound: 'MODEL_MEMORY', replicas: room, because });
  }
  return rooms;
}

function roomsForLoad({ cores, intraOpThreads = 1 }: NodeRoom): readonly Room[] {
  if (cores === undefined) return [];
  const because = `this node has ${count(cores, 'core')}${intraOpThreads > 1 ? `, and each run uses ${intraOpThreads}` : ''}`;
  return [{ bound: 'CORES', replicas: runsAtOnce({ cores, intraOpThreads }), because }];
}

/** What makes the number of threads smaller than that of the cores, where it does. */
function eachUsing({ cores, intraOpThreads = 1 }: Pick<NodeRoom, 'cores' | 'intraOpThreads'>): string {
  if (intraOpThreads === 1) return '';
  return `, each using ${intraOpThreads}${cores === undefined ? ' cores' : ` of ${count(cores, 'core')}`}`;
}

/** The first of those that are least. */
function leastOf(rooms: readonly Room[]): Room {
  return rooms.reduce((least, room) => (room.replicas < least.replicas ? room : least));
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function sizeText(bytes: number): string {
  return bytes < 2 ** 20 ? count(bytes, 'byte') : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
