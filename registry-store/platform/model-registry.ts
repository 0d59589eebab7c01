/** The models of a store for a pipeline: publishing versions and finding them again. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { HistoryEvent } from '../manifest/change.ts';
import type { EntryStage, Stage } from '../manifest/stage.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import { withExternalData } from '../lifecycle/external-files.ts';
import { findModel, findVersion } from '../lifecycle/find-version.ts';
import { publishModel } from '../lifecycle/publish-model.ts';
import { readHistory } from '../lifecycle/read-history.ts';
import { readStatus } from '../lifecycle/read-status.ts';
import { StoreError, systemCode } from '../store-error.ts';
import { Model } from './model.ts';
import { ModelMetadata, type ModelMetadataOptions } from './model-metadata.ts';
import { type ChangeReason, type PlatformOptions, StoreAccess } from './store-access.ts';

export interface RegisterOptions extends ChangeReason {
  /** Default `staged`, which may be deployed. */
  readonly stage?: EntryStage;
}

export interface ModelFilter {
  readonly name?: string;
  readonly status?: Stage;
  readonly tag?: string;
}

export class ModelRegistry {
  readonly #access: StoreAccess;

  /** Makes nothing and reads nothing yet. The store is made with `initStore` or `tidegate init`. */
  constructor(options: PlatformOptions | StoreAccess) {
    this.#access = options instanceof StoreAccess ? options : new StoreAccess(options);
  }

  /**
   * Publishes a version: signs the ONNX file (its bytes, or where it is; then with
   * the tensors that it keeps in files beside it) and what is said about it into the store.
   * Codes: DUPLICATE_VERSION, MODEL_REFUSED, INVALID_ARGUMENT, and those of `publishModel`.
   */
  async registerModel(
    metadata: ModelMetadata | ModelMetadataOptions,
    artifact: Uint8Array | string | URL,
    options: RegisterOptions = {},
  ): Promise<Model> {
    const { name, version, metrics, ...facts } =
      metadata instanceof ModelMetadata ? metadata : new ModelMetadata(metadata);
    const bytes = artifact instanceof Uint8Array ? artifact : await readArtifact(artifact);
    const published = await this.#access.change(options, (change) =>
      publishModel({
        ...change,
        ...facts,
        model: name,
        version,
        artifact: bytes,
        metrics: new Map(Object.entries(metrics)),
        ...(options.stage !== undefined && { stage: options.stage }),
      }),
    );
    return new Model(published.version, this.#access);
  }

  /** Without a version, the one published last. Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, and those of `readStatus`. */
  async getModel(name: string, version?: string): Promise<Model> {
    const { snapshot } = await readStatus(this.#access.reader());
    const found =
      version === undefined
        ? newest([...findModel(snapshot, name).values()])
        : findVersion(snapshot, { model: name, version });
    return new Model(found, this.#access);
  }

  /** Every version that fits, by name of the model. */
  async listModels(filter: ModelFilter = {}): Promise<readonly Model[]> {
    const { snapshot } = await readStatus(this.#access.reader());
    return [...snapshot.models.values()]
      .flatMap((versions) => [...versions.values()])
      .filter((version) => fits(version, filter))
      .map((version) => new Model(version, this.#access));
  }

  /** What happened to a model, or to all of them, oldest first. */
  history(
    options: { readonly model?: string; readonly limit?: number } = {},
  ): Promise<readonly HistoryEvent[]> {
    return readHistory({ ...this.#access.reader(), ...options });
  }
}

function fits(version: VersionMetadata, { name, status, tag }: ModelFilter): boolean {
  return (
    (name === undefined || version.name === name) &&
    (status === undefined || version.stage === status) &&
    (tag === undefined || version.tags.includes(tag))
  );
}

/** A model has at least one version: it comes into being with it. */
function newest(versions: readonly VersionMetadata[]): VersionMetadata {
  return versions.reduce((one, other) => (other.published.revision > one.published.revision ? other : one));
}

async function readArtifact(path: string | URL): Promise<Uint8Array> {
  try {
    return await withExternalData(path instanceof URL ? fileURLToPath(path) : path, await readFile(path));
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      'FILE_UNREADABLE',
      `${String(path)} cannot be read (${systemCode(error) ?? 'unknown reason'}).`,
      { cause: error },
    );
  }
}
