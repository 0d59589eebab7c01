/**
 * What the memory of this process is used for, as far as the gateway decides about it, and which versions are in it: as
 * gauges, and for the body of the readiness answer.
 */
import type { MetricsPage, Sample } from './metrics-page.ts';
import { type NamedVersion, samplesByVersion } from './version-samples.ts';

/** The parts that the report reads; each is what its owner offers anyway. */
export interface MemorySources {
  readonly models: {
    readonly bytes: number;
    readonly bytesMax: number | undefined;
    /** Copies on the thread that is kept for the next load. */
    readonly keptBytes: number;
    readonly taken: () => Iterable<{ readonly generation: NamedVersion; readonly bytes: number }>;
  };
  /** Every version that can be called. */
  readonly versions: () => readonly (NamedVersion & { readonly isDormant: boolean })[];
  readonly pool: {
    readonly lanes: readonly { readonly heapBytes: number }[];
    readonly spare: { readonly kept: { readonly heapBytes: number } | undefined };
    readonly pages: { readonly bytesTaken: number };
  };
  readonly cache: { readonly bytes: number } | undefined;
  readonly sequences: { readonly bytes: number };
  /** Requests that wait for a model. */
  readonly cold: { readonly bytes: number; readonly rows: number };
  /** Bodies that are still arriving. */
  readonly receiving: { readonly bytes: number };
}

/** More versions than this are counted, not listed: the answer stays small. */
const listedMax = 50;

export class MemoryReport {
  readonly #sources: MemorySources;

  constructor(sources: MemorySources) {
    this.#sources = sources;
  }

  addTo(page: MetricsPage): void {
    page.gauge({
      name: 'tidegate_memory_bytes',
      help: 'Memory by what it is for: models, their copies on a kept thread and the budget of both, WebAssembly heaps, arena, caches, states, waiting requests, arriving bodies.',
      read: () => this.#samples(),
    });
    page.gauge({
      name: 'tidegate_model_memory_bytes',
      help: 'Memory that a version takes on all of its threads together, as measured when it was loaded; 0 while it is not in memory.',
      read: () => this.#takenSamples(),
    });
    page.gauge({
      name: 'tidegate_model_resident',
      help: '1 for a version that is in memory, 0 for one that is loaded when somebody asks for it.',
      read: () =>
        this.#sources.versions().map(({ modelName: model, modelVersion: version, isDormant }) => {
          return { labels: { model, version }, value: isDormant ? 0 : 1 };
        }),
    });
    page.gauge({
      name: 'tidegate_cold_rows',
      help: 'Rows that wait for a model to be loaded.',
      read: () => [{ labels: {}, value: this.#sources.cold.rows }],
    });
  }

  /** Empty where every version is in memory and there is no limit. */
  health(): object {
    const { bytes, bytesMax } = this.#sources.models;
    const dormant = this.#sources.versions().filter(({ isDormant }) => isDormant);
    if (bytesMax === undefined && dormant.length === 0) return {};
    return {
      memory: {
        models_bytes: bytes,
        ...(bytesMax !== undefined && { models_bytes_max: bytesMax }),
        not_resident_count: dormant.length,
        not_resident: dormant
          .slice(0, listedMax)
          .map(({ modelName: model, modelVersion: version }) => ({ model, version })),
      },
    };
  }

  /** They add up to what all models take. One sample a version, whatever its generations. */
  #takenSamples(): Sample[] {
    const { versions, models } = this.#sources;
    const callable = versions().map((generation) => ({ generation, value: 0 }));
    const taken = [...models.taken()].map(({ generation, bytes }) => ({ generation, value: bytes }));
    return samplesByVersion([...callable, ...taken]);
  }

  #samples(): Sample[] {
    const { models, pool, cache, sequences, cold, receiving } = this.#sources;
    const byKind: Readonly<Record<string, number | undefined>> = {
      models: models.bytes,
      models_kept: models.keptBytes,
      models_max: models.bytesMax,
      wasm_heaps: pool.lanes.reduce((sum, { heapBytes }) => sum + heapBytes, pool.spare.kept?.heapBytes ?? 0),
      arena: pool.pages.bytesTaken,
      response_cache: cache?.bytes,
      sequences: sequences.bytes,
      cold_requests: cold.bytes,
      receiving: receiving.bytes,
    };
    return Object.entries(byKind).flatMap(([kind, value]) =>
      value === undefined ? [] : [{ labels: { kind }, value }],
    );
  }
}
