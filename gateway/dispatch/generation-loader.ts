/** Loads versions into the pool, and remembers those whose bytes cannot be loaded whatever is tried. */
import type { VersionMetadata } from '../../registry-store/main.ts';
import type { LoadOutcome } from '../../runtime/pool/pool-options.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import { replicaDemand } from './replica-demand.ts';
import { ModelGeneration } from './model-generation.ts';
import { readModelFiles, type ServedVersion } from './served-version.ts';
import { StateLayout } from './state-layout.ts';

export interface GenerationLoaderOptions {
  readonly pool: WorkerPool;
  readonly metrics: Pick<MetricsPage, 'version'>;
  readonly log: Logger;
  /** Row counts that a model runs before it takes traffic; the last is the largest batch. */
  readonly warmRows: readonly number[];
  /** The verified bytes of a version's ONNX file. */
  readonly readArtifact: (version: VersionMetadata) => Promise<Uint8Array>;
}

export interface NotLoaded {
  readonly reason: string;
  /** Whether another try may end otherwise. */
  readonly mayPass: boolean;
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

  constructor(options: GenerationLoaderOptions) {
    this.#options = options;
  }

  /** Loaded and warm on as many lanes as it is to have, within the memory that it may take. */
  async load(version: ServedVersion, resources?: DeploymentResources): Promise<ModelGeneration | NotLoaded> {
    const { sha256, lengthBytes } = version.artifact;
    if (version.pipeline?.ok === false) return { reason: version.pipeline.reason, mayPass: false };
    const known = this.#unloadable.get(sha256);
    if (known !== undefined) return { reason: known, mayPass: false };
    const memoryBytesMax = resources?.memoryLimitBytes;
    if (memoryBytesMax !== undefined && lengthBytes > memoryBytesMax) {
      return overMemory(lengthBytes, { memoryBytesMax, what: 'its file alone' });
    }
    const outcome = await this.#load(version, resources);
    if (outcome.kind === 'loaded') return this.#generationOf(version, outcome);
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
  ): Promise<LoadOutcome | Unread> {
    const { pool, readArtifact, warmRows } = this.#options;
    const room = { threads: pool.lanes.length, bytesPerReplica: version.artifact.lengthBytes };
    try {
      return await pool.load({
        signature: version.signature,
        chain: version.pipeline?.ok === true ? version.pipeline.links : undefined,
        warmRows,
        readModel: () => readModelFiles(version, readArtifact),
        replicas: replicaDemand(resources, room).placed,
        memoryBytesMax: resources?.memoryLimitBytes,
      });
    } catch (error) {
      return { kind: 'unread', detail: error instanceof Error ? error.message : String(error) };
    }
  }

  #generationOf(version: ServedVersion, loaded: Extract<LoadOutcome, { kind: 'loaded' }>): ModelGeneration {
    const { name, version: modelVersion, signature, pipeline } = version;
    const { sha256 } = version.artifact;
    const { session, batching, note, inline, costs, loadMs, warmMs, replicas, memoryBytes } = loaded;
    this.#lossesInARow.delete(sha256);
    this.#options.log.info(
      { model: name, version: modelVersion, batching, note, inline, loadMs, warmMs, replicas, memoryBytes },
      'version loaded',
    );
    const run = { ...signature, batching };
    return new ModelGeneration({
      modelName: name,
      modelVersion,
      sha256,
      signature: run,
      layout: version.state.length === 0 ? undefined : new StateLayout(run, version.state),
      platform: 'onnxruntime_onnx',
      pipeline: pipeline?.ok === true ? pipeline.text : undefined,
      session,
      costs,
      metrics: this.#options.metrics.version(name, modelVersion),
      bytesPerReplica: Math.ceil(memoryBytes / replicas),
    });
  }
}

/** Another limit may let it in, so it is not remembered. */
function overMemory(
  bytes: number,
  { memoryBytesMax, what }: { readonly memoryBytesMax: number; readonly what: string },
): NotLoaded {
  const reason = `MEMORY_LIMIT: ${what} takes ${bytes} bytes here, its memory_limit is ${memoryBytesMax}. Raise that, or ask for fewer replicas.`;
  return { reason, mayPass: false };
}
