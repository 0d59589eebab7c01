/** What a gateway is started with, and what whoever started it holds in hands. */
import type { VerifiedStore, VersionMetadata } from '../registry-store/main.ts';
import type { FlipState } from './rollout/flip-course.ts';
import type { StepState } from './rollout/rollout-steps.ts';
import type { SharedCounts } from './rollout/shared-counts.ts';
import type { RolloutDecision } from './telemetry/rollout-report.ts';
import type { WorkerPool } from '../runtime/pool/worker-pool.ts';
import type { EngineChoice } from '../runtime/protocol/engine-choice.ts';
import type { Limits } from './admission/limits.ts';
import type { HeadKeySource, KeySource } from './route/routing-key.ts';
import type { MissingKeyPolicy } from './route/missing-key.ts';
import type { ScalingOptions } from './scale/scaling-options.ts';
import type { ForcePolicy } from './socket/force-permission.ts';
import type { ProxyTrust } from './socket/client-address.ts';
import type { RepositoryControl } from './socket/repository-routes.ts';
import type { Logger } from './telemetry/logger.ts';
import type { MetricList } from './telemetry/merged-metrics.ts';
import type { ServerIdentity } from './wire/oip-metadata.ts';

export type { SharedCounts };

export interface GatewayOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Open and verified; the gateway closes it when it stops. */
  readonly store: VerifiedStore;
  readonly limits: Limits;
  /** Started with the same options, see start-pool.ts; the gateway closes it when it stops. Default a new one. */
  readonly pool?: WorkerPool;
  /** Threads that run models; default as many runs as one less than the cores have room for, at least 1. */
  readonly threads?: number;
  /** What runs the models, the copies for shadows too; default WebAssembly. */
  readonly engine?: EngineChoice;
  /** See `PoolOptions.inlineRunUsMax`; 0 runs every model on the threads. */
  readonly inlineRunUsMax?: number;
  /** What all models together may take on the threads, bytes; default no limit. Those that do not fit wait on disk. */
  readonly modelMemoryBytesMax?: number;
  /** Models whose live version never leaves memory; default none. */
  readonly pinnedModels?: readonly string[];
  /** See `PoolOptions.loadsBeside`; default true. */
  readonly loadsBeside?: boolean;
  /** How replicas follow the load where a deployment lets them; what is left out is as `scalingDefaults`. */
  readonly scaling?: Partial<ScalingOptions>;
  readonly identity: ServerIdentity;
  /** Origins of web pages that may call the gateway, or `*`; default none. */
  readonly corsOrigins?: readonly string[];
  /** Whether WebSockets may agree to permessage-deflate; default not. */
  readonly websocketCompression?: boolean;
  /** Where requests carry the key that rollouts divide by, those in the body side by side; default `defaultKeySources`. */
  readonly keySources?: readonly KeySource[];
  /** What tells callers apart where `callerRowsMax` or `callerBytesMax` bounds them; by their address where none of these is sent. */
  readonly callerSources?: readonly HeadKeySource[];
  /** Proxies whose word counts for the address of their clients; default none. */
  readonly trustedProxies?: ProxyTrust;
  /** Where requests without a key go while a rollout divides; default `random`. */
  readonly missingKey?: MissingKeyPolicy;
  /** Who may choose a version by header; default `any`. */
  readonly forceVersion?: ForcePolicy;
  /** Keeps answers and gives them again to the same question; without it every request is run. */
  readonly responseCache?: ResponseCacheOptions;
  /**
   * Where this node remembers which rollouts it went back from, with what their judges counted in a folder beside it; without
   * it a restart forgets.
   */
  readonly rolloutsFile?: string;
  /** For one of several processes that are one node. */
  readonly siblings?: Siblings;
  /** For a node that may change its store; without it, load and unload are refused. */
  readonly control?: RepositoryControl;
  readonly log: Logger;
  /** The compiled worker module; default the one beside this file, which must then be compiled too. */
  readonly workerFile?: URL;
}

/** The other processes of a node, which share its port. */
export interface Siblings {
  /** What each of them counts, for the metrics of the node. */
  metrics(): Promise<readonly MetricList[]>;
  /** This process went back from a rollout, and the others should. */
  rolledBack(rolloutId: string, reason: string): void;
  /** How many there are with this one: a caller may come to each of them. */
  readonly processes: number;
  /** What this process counted of its rollouts until now, told again and again. */
  counted(rollouts: readonly SharedCounts[]): void;
  /** The process that decides for the node went on with a rollout. */
  wentOn(step: SharedStep): void;
}

/** Where the node stands with a rollout from now on, and what was decided. */
export interface SharedStep {
  readonly model: string;
  readonly rolloutId: string;
  /** Of one in steps; absent where only something was decided. */
  readonly state?: StepState;
  /** Of a blue/green and of the watch after a promotion. */
  readonly flip?: FlipState;
  readonly decisions: readonly RolloutDecision[];
}

/** Only for models that always answer the same to the same: nothing random, nothing remembered between requests. */
export interface ResponseCacheOptions {
  /** For answers and their keys together; 1 or more. */
  readonly bytesMax: number;
  /** Names of the models; default all. */
  readonly models?: readonly string[];
}

export interface Gateway {
  readonly port: number;
  /** Resolves when every deployment of the store was tried once; then `failures` says what is not served. */
  readonly loaded: Promise<void>;
  readonly failures: ReadonlyMap<string, string>;
  /** Why a file can never be in memory here, whoever deploys it, for people; undefined when it may. */
  memoryRefusalOf(artifact: VersionMetadata['artifact']): string | undefined;
  /** Takes no new requests, finishes those it has within the grace period, and lets everything go. */
  close(): Promise<void>;
  /**
   * The same for one of several processes while the others serve on: every request that still comes is answered, and each
   * client is sent to the others with its next answer.
   */
  retire(): Promise<void>;
  /** What this process alone counts. */
  ownMetrics(): Promise<MetricList>;
  /** Another process of the node went back from a rollout: so does this one, now or when it begins. */
  goBack(rolloutId: string, reason?: string): void;
  /** What the other processes of the node counted, all of it each time. */
  countedByOthers(rollouts: readonly SharedCounts[]): void;
  /** Whether this process decides for the node when a rollout goes on; of several, none does until it is told so. */
  lead(isLeading: boolean): void;
  /** The process that decides went on with a rollout. */
  follow(step: SharedStep): void;
}

/** A header of ours, and what callers often send already. */
export const defaultKeySources: readonly KeySource[] = [
  { kind: 'header', name: 'x-routing-key' },
  { kind: 'header', name: 'x-user-id' },
  { kind: 'query', name: 'routing_key' },
];
