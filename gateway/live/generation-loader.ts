/** Loads versions into the pool, and remembers those whose bytes cannot be loaded whatever is tried. */
import { performance } from 'node:perf_hooks';
import type { VersionMetadata } from '../../registry-store/main.ts';
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import { hasSteadyCost } from '../../registry-store/onnx/steady-cost.ts';
import type { LoadOutcome } from '../../runtime/pool/pool-options.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { RunCost } from '../../runtime/protocol/worker-task.ts';
import { asLoaded, type ModelSignature } from '../../runtime/tensor/signature.ts';
import type { Limits } from '../admission/limits.ts';
import { inputsTooLarge } from '../admission/smallest-run.ts';
import { type GenerationOptions, ModelGeneration, noSession } from '../dispatch/model-generation.ts';
import { StateLayout } from '../dispatch/sequences/state-layout.ts';
import { LoadTimes } from '../residency/load-times.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import { replicaDemand } from './replicas/replica-demand.ts';
import { filesIn, readModelFiles, type ServedVersion } from './served-version.ts';

export interface GenerationLoaderOptions {
  readonly pool: WorkerPool;
  readonly metrics: Pick<MetricsPage, 'version'>;
  readonly log: Logger;
  readonly limits: Pick<Limits, 'requestBytesMax'>;
  /** Row counts that a model runs before it takes traffic; the last is the largest batch. */
  readonly warmRows: readonly number[];
  /** The verified bytes of a version's ONNX file, the caller's own. `isAwaited`: requests wait for it. */
  readonly readArtifact: (version: VersionMetadata, isAwaited: boolean) => Promise<Uint8Array>;
}

export interface NotLoaded {
  readonly reason: string;
  /** Whether another try may end otherwise. */
  readonly mayPass: boolean;
  /** When there may be room for it, where that is what it lacks; on the clock of `performance.now()`, milliseconds. */
  readonly roomAtMs?: number;
}

export interface LoadCircumstances {
  /** On how many lanes there is memory for it; as many as it is to have when it is left out. */
  readonly affordable?: number;
  /** Callers wait for it. Default false. */
  readonly isAwaited?: boolean;
}

/** What was found out when a file was loaded first, and is not found out again. */
interface Learned {
  readonly batching: ModelSignature['batching'];
  /** What runs of it cost; undefined where its rows are not joined. */
  readonly costs: readonly RunCost[] | undefined;
}

/** The file could not be had. */
interface Unread {
  readonly kind: 'unread';
  readonly detail: string;
}

/** Each of them is two tries, the second on a fresh thread. */
const lossesInARowMax = 3;

export class GenerationLoader {
  readonly #options: GenerationLoaderOptions;
  /** By digest, with the reason. */
  readonly #unloadable = new Map<string, string>();
  /** By digest, since its last load that did not take a thread. */
  readonly #lossesInARow = new Map<string, number>();
  /** By digest, the most that a load took on one thread, bytes; a later one may find room that earlier ones left there. */
  readonly #bytesPerReplica = new Map<string, number>();
  /** By digest and by what its publisher says of its rows. */
  readonly #learned = new Map<string, Learned>();
  readonly #times = new LoadTimes();

  constructor(options: GenerationLoaderOptions) {
    this.#options = options;
  }

  /** Why it cannot be loaded whatever is tried; undefined when that is not known. */
  refusalOf({ artifact, pipeline, signature }: ServedVersion): NotLoaded | undefined {
    if (pipeline?.ok === false) return { reason: pipeline.reason, mayPass: false };
    const tooLarge = inputsTooLarge(signature, this.#options.limits);
    if (tooLarge !== undefined) return { reason: `INPUT_TOO_LARGE: ${tooLarge}`, mayPass: false };
    const known = this.#unloadable.get(artifact.sha256);
    return known === undefined ? undefined : { reason: known, mayPass: false };
  }

  /** What it takes on one thread, about, bytes: as measured here, or at least its file. */
  bytesPerReplica({ sha256, lengthBytes }: VersionMetadata['artifact']): number {
    return this.#bytesPerReplica.get(sha256) ?? lengthBytes;
  }

  /** How long it will take to load a file, reading it included, milliseconds. */
  expectedMs(sha256: string): number {
    return this.#times.expectedMs(sha256);
  }

  /** Until the load that is under way should be over, milliseconds; 0 where none is. */
  get remainingMs(): number {
    return this.#times.remainingMs(performance.now());
  }

  /** Not in memory. */
  dormant(version: ServedVersion): ModelGeneration {
    const { signature, artifact } = version;
    const declared = signature.fixedRows === undefined ? signature.batching : 'rows';
    return this.#made(version, {
      signature: asLoaded(signature, this.#learned.get(learnedKeyOf(version))?.batching ?? declared),
      session: noSession,
      costs: [],
      bytesPerReplica: this.bytesPerReplica(artifact),
      isDormant: true,
    });
  }

  /** Loaded and warm on as many lanes as it is to have and there is memory for, within the memory that it may take. */
  async load(
    version: ServedVersion,
    resources?: DeploymentResources,
    { affordable = Infinity, isAwaited = false }: LoadCircumstances = {},
  ): Promise<ModelGeneration | NotLoaded> {
    const { sha256, lengthBytes } = version.artifact;
    const refusal = this.refusalOf(version);
    if (refusal !== undefined) return refusal;
    const memoryBytesMax = resources?.memoryLimitBytes;
    if (memoryBytesMax !== undefined && lengthBytes > memoryBytesMax) {
      return overMemory(lengthBytes, { memoryBytesMax, what: 'its file alone' });
    }
    this.#times.begin(sha256, performance.now());
    const outcome = await this.#load(version, resources, { affordable, isAwaited });
    this.#times.end(outcome.kind === 'loaded', performance.now());
    if (outcome.kind === 'loaded') {
      return this.#generationOf(version, outcome);
    }
    if (outcome.kind === 'lost') return this.#lost(sha256, outcome.detail);
    if (outcome.kind === 'unread') return { reason: outcome.detail, mayPass: true };
    if (outcome.kind === 'over_memory') {
      return overMemory(outcome.memoryBytes, { memoryBytesMax: memoryBytesMax ?? 0, what: 'it' });
    }
    // The same bytes will fail the same way.
    const reason = `${outcome.code}: ${outcome.detail}`;
    this.#unloadable.set(sha256, reason);
    return { reason, mayPass: false };
  }

  /** A model that takes its thread with it whenever it is loaded would take those of others for ever. */
  #lost(sha256: string, detail: string): NotLoaded {
    const losses = (this.#lossesInARow.get(sha256) ?? 0) + 1;
    this.#lossesInARow.set(sha256, losses);
    if (losses < lossesInARowMax) return { reason: detail, mayPass: true };
    const reason = `LOAD_LOST: ${losses} loads in a row ended with their threads, the last one with: ${detail}`;
    this.#unloadable.set(sha256, reason);
    return { reason, mayPass: false };
  }

  async #load(
    version: ServedVersion,
    resources: DeploymentResources | undefined,
    { affordable, isAwaited }: Required<LoadCircumstances>,
  ): Promise<LoadOutcome | Unread> {
    const { pool, readArtifact, warmRows } = this.#options;
    const room = { threads: pool.lanes.length, bytesPerReplica: version.artifact.lengthBytes, affordable };
    try {
      return await pool.load({
        signature: version.signature,
        chain: version.pipeline?.ok === true ? version.pipeline.links : undefined,
        warmRows,
        knownCosts: this.#learned.get(learnedKeyOf(version))?.costs,
        readModel: (isAwaited) => readModelFiles(version, (one) => readArtifact(one, isAwaited)),
        hasSteadyCost: (file) => filesIn(version, file).every(hasSteadyCost),
        replicas: replicaDemand(resources, room).placed,
        memoryBytesMax: resources?.memoryLimitBytes,
        isAwaited,
      });
    } catch (error) {
      return { kind: 'unread', detail: error instanceof Error ? error.message : String(error) };
    }
  }

  #generationOf(version: ServedVersion, loaded: Extract<LoadOutcome, { kind: 'loaded' }>): ModelGeneration {
    const { name: model, version: modelVersion, signature } = version;
    const { sha256 } = version.artifact;
    const { session, batching, note, inline, costs, loadMs, warmMs, replicas, memoryBytes } = loaded;
    this.#lossesInARow.delete(sha256);
    const measured = Math.ceil(memoryBytes / replicas);
    const bytesPerReplica = Math.max(measured, this.#bytesPerReplica.get(sha256) ?? 0);
    this.#bytesPerReplica.set(sha256, bytesPerReplica);
    this.#learned.set(learnedKeyOf(version), { batching, costs: batching === 'rows' ? costs : undefined });
    this.#options.log.info(
      { model, version: modelVersion, batching, note, inline, loadMs, warmMs, replicas, memoryBytes },
      'version loaded',
    );
    return this.#made(version, {
      signature: asLoaded(signature, batching),
      session,
      costs,
      bytesPerReplica,
    });
  }

  #made(
    { name: modelName, version: modelVersion, artifact, state, pipeline }: ServedVersion,
    loaded: Pick<GenerationOptions, 'signature' | 'session' | 'costs' | 'bytesPerReplica' | 'isDormant'>,
  ): ModelGeneration {
    return new ModelGeneration({
      modelName,
      modelVersion,
      sha256: artifact.sha256,
      layout: state.length === 0 ? undefined : new StateLayout(loaded.signature, state),
      platform: 'onnxruntime_onnx',
      pipeline: pipeline?.ok === true ? pipeline.text : undefined,
      metrics: this.#options.metrics.version(modelName, modelVersion),
      ...loaded,
    });
  }
}

function learnedKeyOf({ artifact, signature }: ServedVersion): string {
  return `${artifact.sha256}/${signature.fixedRows ?? 0}`;
}

/** Another limit may let it in, so it is not remembered. */
function overMemory(
  bytes: number,
  { memoryBytesMax, what }: { readonly memoryBytesMax: number; readonly what: string },
): NotLoaded {
  const reason = `MEMORY_LIMIT: ${what} takes ${bytes} bytes here, its memory_limit is ${memoryBytesMax}. Raise that, or ask for fewer replicas.`;
  return { reason, mayPass: false };
}
