/** Loads versions into the pool, and remembers those whose bytes cannot be loaded whatever is tried. */
import type { VersionMetadata } from '../../registry-store/main.ts';
import type { LoadOutcome } from '../../runtime/pool/pool-options.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import { ModelGeneration } from './model-generation.ts';

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

export class GenerationLoader {
  readonly #options: GenerationLoaderOptions;
  /** By digest, with the reason. */
  readonly #unloadable = new Map<string, string>();

  constructor(options: GenerationLoaderOptions) {
    this.#options = options;
  }

  /** Loaded and warm on every lane that takes work. */
  async load(version: VersionMetadata): Promise<ModelGeneration | NotLoaded> {
    const { sha256 } = version.artifact;
    const known = this.#unloadable.get(sha256);
    if (known !== undefined) return { reason: known, mayPass: false };
    const outcome = await this.#load(version);
    if (outcome.kind === 'loaded') return this.#generationOf(version, outcome);
    if (outcome.kind === 'lost') return { reason: outcome.detail, mayPass: true };
    if (outcome.kind === 'over_memory')
      return { reason: `MEMORY_LIMIT: ${outcome.memoryBytes}`, mayPass: false };
    // The same bytes will fail the same way.
    const reason = `${outcome.code}: ${outcome.detail}`;
    this.#unloadable.set(sha256, reason);
    return { reason, mayPass: false };
  }

  async #load(version: VersionMetadata): Promise<LoadOutcome> {
    const { pool, readArtifact, warmRows } = this.#options;
    try {
      return await pool.load({
        signature: version.signature,
        warmRows,
        readModel: () => readArtifact(version),
      });
    } catch (error) {
      return { kind: 'lost', detail: error instanceof Error ? error.message : String(error) };
    }
  }

  #generationOf(version: VersionMetadata, loaded: Extract<LoadOutcome, { kind: 'loaded' }>): ModelGeneration {
    const { name, version: modelVersion, signature } = version;
    const { sha256 } = version.artifact;
    const { session, batching, note, inline, costs, loadMs, warmMs } = loaded;
    this.#options.log.info(
      { model: name, version: modelVersion, batching, note, inline, loadMs, warmMs },
      'version loaded',
    );
    return new ModelGeneration({
      modelName: name,
      modelVersion,
      sha256,
      signature: { ...signature, batching },
      platform: 'onnxruntime_onnx',
      session,
      costs,
      metrics: this.#options.metrics.version(name, modelVersion),
    });
  }
}
