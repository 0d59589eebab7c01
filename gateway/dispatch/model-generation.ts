/**
 * One version of a model, as requests see it: its signature and its session in the pool. A request in flight holds it; it
 * is released once it is retired and the last request has let go. One that is dormant is not in memory: requests for it wait
 * until it is loaded anew, as another generation.
 */
import type { RunCost } from '../../runtime/protocol/worker-task.ts';
import type { ModelSignature } from '../../runtime/tensor/signature.ts';
import type { VersionMetrics } from '../telemetry/version-metrics.ts';
import type { WireError } from '../wire/error-code.ts';
import type { InferReply } from '../wire/infer-request.ts';
import type { StateLayout } from './sequences/state-layout.ts';

export interface GenerationOptions {
  readonly modelName: string;
  readonly modelVersion: string;
  /** Digest of the artifact, or of all that its pipeline runs: two generations of one version differ in it. */
  readonly sha256: string;
  /** Of the file, with the batching that the probe allowed. */
  readonly signature: ModelSignature;
  /** What it remembers between calls; undefined for a model without state. */
  readonly layout?: StateLayout | undefined;
  readonly platform: string;
  /** The models it is made of, in words; undefined for one that runs alone. */
  readonly pipeline?: string | undefined;
  /** Names the session in the pool; `noSession` for one that was never loaded. */
  readonly session: number;
  /** What runs took when it was warmed up, ascending by rows; empty where that is not known. */
  readonly costs: readonly RunCost[];
  readonly metrics: VersionMetrics;
  /** What it takes on one thread, about, bytes; 0 where that is not known. */
  readonly bytesPerReplica?: number;
  /** Default false. */
  readonly isDormant?: boolean;
}

/** The pool counts from 1. */
export const noSession = 0;

export class ModelGeneration implements GenerationOptions {
  /** What callers send and get. */
  readonly modelName: string;
  readonly modelVersion: string;
  readonly sha256: string;
  readonly signature: ModelSignature;
  /** What a run takes and gives: the same for most, and the tensors of the state beside them for a stateful model. */
  readonly runSignature: ModelSignature;
  readonly layout: StateLayout | undefined;
  readonly platform: string;
  readonly pipeline: string | undefined;
  readonly session: number;
  readonly costs: readonly RunCost[];
  readonly metrics: VersionMetrics;
  readonly bytesPerReplica: number;
  /** Not in memory; never false again. */
  isDormant: boolean;
  /** The answer to its requests while it is not run; undefined while it is. */
  refusal: WireError | undefined;
  #inflight = 0;
  #drained: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  constructor(options: GenerationOptions) {
    this.modelName = options.modelName;
    this.modelVersion = options.modelVersion;
    this.sha256 = options.sha256;
    this.signature = options.layout?.visible ?? options.signature;
    this.runSignature = options.signature;
    this.layout = options.layout;
    this.platform = options.platform;
    this.pipeline = options.pipeline;
    this.session = options.session;
    this.costs = options.costs;
    this.metrics = options.metrics;
    this.bytesPerReplica = options.bytesPerReplica ?? 0;
    this.isDormant = options.isDormant ?? false;
  }

  get inflight(): number {
    return this.#inflight;
  }

  /** The part of an answer that callers get. */
  visibleReply(reply: InferReply): InferReply {
    return this.layout === undefined ? reply : this.layout.visibleReply(reply);
  }

  /** A request takes hold. */
  acquire(): void {
    this.#inflight += 1;
  }

  /** A request lets go; exactly once for each `acquire`. */
  release(): void {
    this.#inflight -= 1;
    if (this.#inflight === 0) this.#onDrained?.();
  }

  /** Resolves when no request holds this generation any more. Call after it is out of the route table. */
  drained(): Promise<void> {
    if (this.#inflight === 0) return Promise.resolve();
    this.#drained ??= new Promise((resolve) => {
      this.#onDrained = resolve;
    });
    return this.#drained;
  }
}
