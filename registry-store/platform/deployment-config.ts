/**
 * How a deployment is wanted, checked field by field when it is made, so that a mistake in a pipeline shows where it was
 * written and not where it is signed. It says nothing about which version; the platform joins the two.
 */
import { batchingProblem, type DeploymentBatching } from '../manifest/batching.ts';
import type { PipelineModelRequest, PipelineRequest } from '../lifecycle/plan-pipeline.ts';
import { cacheProblem, type DeploymentCache } from '../manifest/cache.ts';
import { StoreError } from '../store-error.ts';
import { parseCoresMillis, parseShareBps, parseSizeBytes } from './quantity.ts';

/** How the traffic moves to another version. All but IMMEDIATE put a candidate beside the version that is live. */
export const DeploymentStrategy = {
  /** The new version takes all traffic at once; the old one is kept for going back. */
  IMMEDIATE: 'all',
  /** The candidate stands ready beside the live version until it is promoted. */
  BLUE_GREEN: 'blue_green',
  /** A share of the traffic goes to the candidate. */
  CANARY: 'canary',
  /** Replica by replica. */
  ROLLING: 'rolling',
  /** A share of the requests is also given to the candidate; its answers are compared and never returned. */
  SHADOW: 'shadow',
} as const;

export type DeploymentStrategy = (typeof DeploymentStrategy)[keyof typeof DeploymentStrategy];

export interface DeploymentConfigOptions {
  /** Default IMMEDIATE. */
  readonly strategy?: DeploymentStrategy;
  /** Threads on each node that load the version, 1 to 1024. Default: the node decides. */
  readonly replicas?: number;
  /** Whether a node may move between `minReplicas` and `maxReplicas`. Default: whether one of its fields is given. */
  readonly autoScaling?: boolean;
  /** Default 1. */
  readonly minReplicas?: number;
  /** Default: the larger of `minReplicas`, `replicas` and 4. */
  readonly maxReplicas?: number;
  /** Percent, 1 to 100, that threads are to be busy at most; below it a node adds no replica. Default 70. */
  readonly targetCpuUtilization?: number;
  /** Cores, as `1.5` or `'1500m'`. Default: no limit. */
  readonly cpuLimit?: number | string;
  /** Bytes, or text like `'512Mi'`. Default: no limit. */
  readonly memoryLimit?: number | string;
  /** Percent in steps of 0.01, for CANARY (default 10) and SHADOW (default 100) only. */
  readonly canaryTrafficPercentage?: number;
  /**
   * Models that run before the version, and after it, in their order; 8 in all. With both left out, those of the version
   * that it replaces stay; with one named the other is empty, and with two empty lists the version runs alone.
   */
  readonly before?: readonly PipelineModelRequest[];
  readonly after?: readonly PipelineModelRequest[];
  /** How requests are batched. Fields that are left out stay as they are. */
  readonly batching?: DeploymentBatching;
  /** Whether and how long answers may be kept. Likewise. */
  readonly cache?: DeploymentCache;
}

/** What of a config says how much a deployment may use, in the units that are signed. */
export interface WantedResources {
  readonly replicas?: number;
  readonly autoScaling?: {
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly targetCpuPercent: number;
  };
  /** Thousandths of a core. */
  readonly cpuLimitMillis?: number;
  readonly memoryLimitBytes?: number;
}

export const replicasMax = 1024;
const maxReplicasDefault = 4;
const targetCpuPercentDefault = 70;
const shareBpsDefault: ReadonlyMap<DeploymentStrategy, number> = new Map([
  [DeploymentStrategy.CANARY, 1000],
  [DeploymentStrategy.SHADOW, 10_000],
]);

/** Throws INVALID_ARGUMENT that names the field. An instance never changes. */
export class DeploymentConfig {
  readonly strategy: DeploymentStrategy;
  readonly replicas: number | undefined;
  readonly autoScaling: boolean;
  /** These three are undefined without auto-scaling. */
  readonly minReplicas: number | undefined;
  readonly maxReplicas: number | undefined;
  readonly targetCpuUtilization: number | undefined;
  /** Cores. */
  readonly cpuLimit: number | undefined;
  /** Bytes. */
  readonly memoryLimit: number | undefined;
  /** Percent; undefined for strategies without a share. */
  readonly canaryTrafficPercentage: number | undefined;
  /** Undefined when nothing is said of it. */
  readonly pipeline: PipelineRequest | undefined;
  readonly batching: DeploymentBatching | undefined;
  readonly cache: DeploymentCache | undefined;

  constructor(options: DeploymentConfigOptions = {}) {
    refuseUnknownFields(options);
    this.strategy = checkStrategy(options.strategy ?? DeploymentStrategy.IMMEDIATE);
    this.replicas = checkCount('replicas', options.replicas);
    const scaling = [options.minReplicas, options.maxReplicas, options.targetCpuUtilization];
    const isScalingGiven = scaling.some((value) => value !== undefined);
    this.autoScaling = options.autoScaling ?? isScalingGiven;
    if (!this.autoScaling && isScalingGiven) {
      throw refused('autoScaling', 'is false, but a field that only counts with auto-scaling is given');
    }
    const min = checkCount('minReplicas', options.minReplicas) ?? 1;
    const max =
      checkCount('maxReplicas', options.maxReplicas) ?? Math.max(min, this.replicas ?? 0, maxReplicasDefault);
    if (this.autoScaling) checkRange({ min, max, replicas: this.replicas });
    this.minReplicas = this.autoScaling ? min : undefined;
    this.maxReplicas = this.autoScaling ? max : undefined;
    this.targetCpuUtilization = this.autoScaling
      ? checkPercent(options.targetCpuUtilization ?? targetCpuPercentDefault)
      : undefined;
    this.cpuLimit = checkCores(options.cpuLimit);
    this.memoryLimit = checkBytes(options.memoryLimit);
    this.canaryTrafficPercentage = checkShare(options.canaryTrafficPercentage, this.strategy);
    this.pipeline = checkPipeline(options);
    this.batching = checkPart('batching', options.batching, batchingProblem);
    this.cache = checkPart('cache', options.cache, cacheProblem);
  }

  /** The share of the candidate in hundredths of a percent. */
  get trafficBps(): number | undefined {
    const percentage = this.canaryTrafficPercentage;
    return percentage === undefined ? undefined : Math.round(percentage * 100);
  }

  /** Undefined when nothing is wanted of them, so that the deployment keeps what it has. */
  get resources(): WantedResources | undefined {
    const { replicas, minReplicas, maxReplicas, targetCpuUtilization, cpuLimit, memoryLimit } = this;
    const isScaled =
      minReplicas !== undefined && maxReplicas !== undefined && targetCpuUtilization !== undefined;
    const resources = {
      ...(replicas !== undefined && { replicas }),
      ...(isScaled && {
        autoScaling: { minReplicas, maxReplicas, targetCpuPercent: targetCpuUtilization },
      }),
      ...(cpuLimit !== undefined && { cpuLimitMillis: Math.round(cpuLimit * 1000) }),
      ...(memoryLimit !== undefined && { memoryLimitBytes: memoryLimit }),
    };
    return Object.keys(resources).length === 0 ? undefined : resources;
  }
}

const fields: ReadonlySet<string> = new Set<keyof DeploymentConfigOptions>([
  'strategy',
  'replicas',
  'autoScaling',
  'minReplicas',
  'maxReplicas',
  'targetCpuUtilization',
  'cpuLimit',
  'memoryLimit',
  'canaryTrafficPercentage',
  'before',
  'after',
  'batching',
  'cache',
]);

/** Callers without a type checker: a misspelt limit must not be no limit. */
function refuseUnknownFields(options: object): void {
  for (const name of Object.keys(options)) {
    if (!fields.has(name)) throw refused(name, `is not known; there are ${[...fields].join(', ')}`);
  }
}

function checkStrategy(strategy: DeploymentStrategy): DeploymentStrategy {
  const known: readonly string[] = Object.values(DeploymentStrategy);
  if (known.includes(strategy)) return strategy;
  throw refused('strategy', `is ${shown(strategy)}; use one of DeploymentStrategy: ${known.join(', ')}`);
}

function checkCount(field: string, count: number | undefined): number | undefined {
  if (count === undefined || (Number.isInteger(count) && count >= 1 && count <= replicasMax)) return count;
  throw refused(field, `is ${shown(count)}; it is a whole number from 1 to ${replicasMax}`);
}

function checkRange(range: {
  readonly min: number;
  readonly max: number;
  readonly replicas: number | undefined;
}): void {
  const { min, max, replicas } = range;
  if (min > max) throw refused('maxReplicas', `is ${max}, less than minReplicas, which is ${min}`);
  if (replicas !== undefined && (replicas < min || replicas > max)) {
    throw refused('replicas', `is ${replicas}, outside of minReplicas to maxReplicas, ${min} to ${max}`);
  }
}

function checkPercent(percent: number): number {
  if (Number.isInteger(percent) && percent >= 1 && percent <= 100) return percent;
  const hint = percent > 0 && percent < 1 ? `; write ${Math.round(percent * 100)}, not a fraction` : '';
  throw refused(
    'targetCpuUtilization',
    `is ${shown(percent)}; it is a whole percentage from 1 to 100${hint}`,
  );
}

function checkCores(limit: number | string | undefined): number | undefined {
  if (limit === undefined) return undefined;
  const millis = parseCoresMillis(String(limit));
  if (millis !== undefined) return millis / 1000;
  throw refused('cpuLimit', `is ${shown(limit)}; write cores like 0.5, 2 or '1500m'`);
}

function checkBytes(limit: number | string | undefined): number | undefined {
  if (limit === undefined) return undefined;
  const bytes = parseSizeBytes(String(limit));
  if (bytes !== undefined) return bytes;
  throw refused('memoryLimit', `is ${shown(limit)}; write bytes, or a size like '512Mi' or '2GB'`);
}

function checkShare(percentage: number | undefined, strategy: DeploymentStrategy): number | undefined {
  const initialBps = shareBpsDefault.get(strategy);
  if (percentage === undefined) return initialBps === undefined ? undefined : initialBps / 100;
  if (initialBps === undefined) {
    throw refused(
      'canaryTrafficPercentage',
      `is given, but the strategy ${strategy} has no share of traffic`,
    );
  }
  if (parseShareBps(String(percentage)) !== undefined) return percentage;
  throw refused(
    'canaryTrafficPercentage',
    `is ${shown(percentage)}; it is a percentage from 0 to 100 in steps of 0.01`,
  );
}

function checkPipeline({ before, after }: DeploymentConfigOptions): PipelineRequest | undefined {
  if ((before ?? after) === undefined) return undefined;
  checkModels('before', before);
  checkModels('after', after);
  return { before: before ?? [], after: after ?? [] };
}

/** Whether there are such models, and whether they fit together, is found out where it is signed. */
function checkModels(field: 'before' | 'after', models: unknown = []): void {
  if (Array.isArray(models) && models.every(isModelRequest)) return;
  const form = "a list like [{ model: 'scale', version: '1.0.0', wires: [{ output: 'y', input: 'x' }] }]";
  throw refused(field, `is not ${form}; wires may be left out where it is clear what goes where`);
}

/** Callers without a type checker. */
function isModelRequest(value: unknown): boolean {
  const wires = fieldOf(value, 'wires') ?? [];
  const isWire = (wire: unknown): boolean => hasText(wire, 'output') && hasText(wire, 'input');
  return hasText(value, 'model') && hasText(value, 'version') && Array.isArray(wires) && wires.every(isWire);
}

function hasText(value: unknown, name: string): boolean {
  const found = fieldOf(value, name);
  return typeof found === 'string' && found !== '';
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function checkPart<Part>(
  field: string,
  part: Part | undefined,
  problemOf: (part: Part) => string | undefined,
): Part | undefined {
  const problem = part === undefined ? undefined : problemOf(part);
  if (problem !== undefined) throw refused(field, `is refused: ${problem}`);
  return part;
}

function refused(field: string, problem: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', `The deployment config cannot be used: ${field} ${problem}.`);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
}
