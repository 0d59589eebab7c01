/**
 * Where a shadow candidate runs: a thread, memory and a queue of its own, so that nothing it does, being slow, full or
 * lost, can reach a caller. Copies that do not fit its queue are dropped. It starts with the rollout and ends with it.
 *
 * Cost: one more thread for each shadow rollout, that takes only time which nothing else wants.
 */
import { performance } from 'node:perf_hooks';
import { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import type { EngineChoice } from '../../../runtime/protocol/engine-choice.ts';
import { checkRequest } from '../../admission/check-request.ts';
import type { Limits } from '../../admission/limits.ts';
import { Dispatcher } from '../../dispatch/dispatcher.ts';
import { ModelGeneration } from '../../dispatch/model-generation.ts';
import type { ReplySink } from '../../dispatch/request-queue.ts';
import type { Trial } from '../../dispatch/trial.ts';
import { faultOptions } from '../../fault-options.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { VersionMetrics } from '../../telemetry/version-metrics.ts';
import { fail } from '../../wire/error-code.ts';
import type { InferRequest } from '../../wire/infer-request.ts';
import { GenerationLoader, type GenerationLoaderOptions, type NotLoaded } from '../generation-loader.ts';
import type { ServedVersion } from '../served-version.ts';
import { BusyShare } from './busy-share.ts';

export interface ShadowLaneOptions {
  /** The compiled worker module. */
  readonly workerFile: URL;
  /** The same that answers callers, or the two would differ where the versions do not. */
  readonly engine: EngineChoice;
  readonly limits: Limits;
  readonly log: Logger;
  readonly readArtifact: GenerationLoaderOptions['readArtifact'];
  /** Whether requests of callers wait for a thread: then nothing is copied, which would take time from them. */
  readonly doCallersWait: () => boolean;
}

/** The thread has two regions of this size for results and the event loop's unused lane one, bytes. */
const resultBytes = 512 * 1024;
/**
 * Copies wait so long for others to be run with: each run takes its turns of the event loop and wakes a thread, and nobody
 * waits for it. Microseconds.
 */
const gatherUsMax = 50_000;
/**
 * A run is given up after so long, or later where the limits say so: where others want all of the time, it gets three
 * thousandths of it, and that is no fault of the candidate. Milliseconds.
 */
const runMsMin = 120_000;
/** Copies that take longer are dropped: they would only keep memory, milliseconds. */
const waitMsMax = 10_000;

export class ShadowLane {
  readonly #limits: Limits;
  readonly #pool: WorkerPool;
  readonly #dispatcher: Dispatcher;
  readonly #generation: ModelGeneration;
  readonly #doCallersWait: () => boolean;
  readonly #busy: BusyShare;

  private constructor(parts: {
    readonly limits: Limits;
    readonly pool: WorkerPool;
    readonly dispatcher: Dispatcher;
    readonly generation: ModelGeneration;
    readonly doCallersWait: () => boolean;
    readonly busy: BusyShare;
  }) {
    this.#limits = parts.limits;
    this.#pool = parts.pool;
    this.#dispatcher = parts.dispatcher;
    this.#generation = parts.generation;
    this.#doCallersWait = parts.doCallersWait;
    this.#busy = parts.busy;
  }

  /** The candidate loaded and warm, or the reason why it is not; then nothing is left running. */
  static async start(version: ServedVersion, options: ShadowLaneOptions): Promise<ShadowLane | NotLoaded> {
    const { limits, log, workerFile, engine } = options;
    const names = { model: version.name, version: version.version };
    const pool = WorkerPool.start({
      threads: 1,
      workerFile,
      engine,
      arenaBytes: limits.queueBytesMax + 3 * resultBytes,
      resultBytes,
      inlineRunUsMax: 0,
      background: true,
      ...faultOptions(limits),
      runMsMax: Math.max(runMsMin, limits.runMsMax),
      onIdle: (lane) => {
        dispatcher.laneIdle(lane);
      },
      onLost: (_, { cause, detail }) => {
        log.warn({ ...names, cause, detail }, 'shadow thread lost, starting another');
      },
      onInlineLost: () => undefined,
    });
    const busy = new BusyShare(limits.shadowBusyPercentMax);
    const dispatcher = new Dispatcher({
      pool,
      onLaneTime: (laneMs) => {
        busy.spend(laneMs, performance.now());
      },
      batchRowsMax: limits.batchRowsMax,
      // One batch waits while one runs: older copies say nothing that newer ones do not.
      queueRowsMax: limits.batchRowsMax,
      // Counted by whoever asked for the comparison.
      onFailure: () => undefined,
      onFault: (fault) => {
        log.error({ ...names, err: fault }, 'fault while a copy was answered');
      },
    });
    dispatcher.tune(version.name, { delayUsMax: gatherUsMax });
    const loader = new GenerationLoader({
      pool,
      // Not on the metrics page: nobody waits for these answers.
      metrics: { version: (name, modelVersion) => new VersionMetrics(name, modelVersion) },
      log,
      limits,
      warmRows: [limits.batchRowsMax],
      readArtifact: options.readArtifact,
    });
    const generation = await loader.load(version);
    if (!(generation instanceof ModelGeneration)) {
      await pool.close();
      return generation;
    }
    const { doCallersWait } = options;
    return new ShadowLane({ limits, pool, dispatcher, generation, doCallersWait, busy });
  }

  get modelVersion(): string {
    return this.#generation.modelVersion;
  }

  /** False when the copy is dropped. It never throws. The bytes of the request may be reused when this returns. */
  send(request: InferRequest, sink: ReplySink, trial?: Trial): boolean {
    try {
      return this.#send(request, sink, trial);
    } catch (fault) {
      this.reportFault(fault);
      return false;
    }
  }

  /** A broken invariant around a copy: for the log, and for nobody else. */
  reportFault(fault: unknown): void {
    this.#dispatcher.reportFault(fault);
  }

  /** Copies under way are told SHUTTING_DOWN. */
  async close(): Promise<void> {
    // A copy may have led to the end of its own rollout: its batch is answered first.
    await Promise.resolve();
    this.#dispatcher.failAll(fail('SHUTTING_DOWN', 'The shadow rollout ended.'));
    await this.#pool.close();
  }

  #send(request: InferRequest, sink: ReplySink, trial: Trial | undefined): boolean {
    if (this.#doCallersWait() || !this.#busy.mayBegin(performance.now())) return false;
    const admitted = checkRequest(request, this.#generation.signature, this.#limits);
    if (!admitted.ok) {
      // The candidate does not take what the live version takes: a finding, not a drop.
      sink.fail(admitted);
      return true;
    }
    const pending = this.#dispatcher.submit({
      generation: this.#generation,
      protocol: 'oip-binary',
      request: admitted.value,
      id: undefined,
      sink,
      trial,
      options: undefined,
      dueWithinMs: waitMsMax,
    });
    return !('code' in pending);
  }
}
