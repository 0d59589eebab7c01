/**
 * Adds a version of a model to the store. It does not put it live; that is another role's decision.
 * A version is published once: its name stands for these bytes for ever.
 */
import { checkModelName, checkVersionName, modelTargetPath } from '../manifest/names.ts';
import { commonFirstSize, type ModelSignature } from '../manifest/signature.ts';
import { type StateDeclaration, declaredState } from '../manifest/state-tensor.ts';
import type { EntryStage } from '../manifest/stage.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import {
  type VersionMetadata,
  parseVersionMetadata,
  versionMetadataJson,
} from '../manifest/version-metadata.ts';
import { type OnnxDescription, type OnnxResult, describeOnnxModel } from '../onnx/describe-model.ts';
import { StoreError } from '../store-error.ts';
import { sha256Of } from '../trust/artifact-digest.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import { changeStore } from './change-store.ts';
import { timeOfChange } from './manifest-file.ts';
import type { ChangeOptions } from './publisher-options.ts';

/** `actor` and `why` say who publishes and why; `author` who made the model. */
export interface PublishOptions extends ChangeOptions {
  readonly model: string;
  readonly version: string;
  /** The ONNX file. Not kept and not changed. */
  readonly artifact: Uint8Array;
  readonly framework: string;
  readonly author: string;
  readonly description?: string;
  readonly metrics?: ReadonlyMap<string, number>;
  readonly tags?: readonly string[];
  /** What the version remembers between the calls of a sequence. Default nothing. */
  readonly state?: readonly StateDeclaration[];
  /**
   * The file fixes the first dimension of every tensor, and whoever publishes it vouches that those rows do not depend on
   * each other. Default false.
   */
  readonly fixedBatch?: boolean;
  /** Default `staged`. */
  readonly stage?: EntryStage;
  /** Default `describeOnnxModel`. */
  readonly describe?: (bytes: Uint8Array) => OnnxResult;
}

export interface PublishResult {
  readonly version: VersionMetadata;
  readonly snapshot: StoreSnapshot;
  /** Revision of the store afterwards. */
  readonly revision: number;
}

/** Codes: INVALID_ARGUMENT, MODEL_REFUSED, DUPLICATE_VERSION, and those of `changeStore`. */
export async function publishModel(options: PublishOptions): Promise<PublishResult> {
  // Reading the model takes longest and needs nothing of the store, so it is done before the lock is taken.
  const described = describeVersion(options, 1);
  const { name, version, artifact } = described;
  const { snapshot } = await changeStore(options, ({ snapshot: current }, editor) => {
    if (current.models.get(name)?.has(version) === true) {
      throw new StoreError(
        'DUPLICATE_VERSION',
        `${name} ${version} is published already, and a version never changes. Publish under another version.`,
      );
    }
    const published = { ...described.published, revision: current.revision + 1 };
    const custom = versionMetadataJson({ ...described, published, createdAt: timeOfChange(editor) });
    const target = { path: artifact.path, sizeBytes: artifact.lengthBytes, sha256: artifact.sha256, custom };
    return { put: [{ target, bytes: options.artifact }] };
  });
  const metadata = snapshot.models.get(name)?.get(version);
  if (metadata === undefined) throw new Error(`${name} ${version} is missing after it was published`);
  return { version: metadata, snapshot, revision: snapshot.revision };
}

function describeVersion(options: PublishOptions, revision: number): VersionMetadata {
  for (const name of [checkModelName(options.model), checkVersionName(options.version)]) {
    if (!name.ok) throw new StoreError('INVALID_ARGUMENT', name.message);
  }
  const description = (options.describe ?? describeOnnxModel)(options.artifact);
  if (!description.ok) {
    throw new StoreError('MODEL_REFUSED', `${description.code}: ${description.message}`);
  }
  const path = modelTargetPath(options);
  const artifact = { path, lengthBytes: options.artifact.byteLength, sha256: sha256Of(options.artifact) };
  const custom = versionMetadataJson(factsOf(options, description.value, revision));
  // Parsed back, so that what is accepted here is exactly what readers accept.
  const metadata = parseVersionMetadata(artifact, custom);
  if (!metadata.ok)
    throw new StoreError('INVALID_ARGUMENT', `This cannot be published: ${metadata.message}.`);
  if (canonicalJson(custom) === undefined) {
    throw new StoreError(
      'INVALID_ARGUMENT',
      'This cannot be published: a text has characters that cannot be signed.',
    );
  }
  return metadata.value;
}

function factsOf(
  options: PublishOptions,
  onnx: OnnxDescription,
  revision: number,
): Omit<VersionMetadata, 'artifact'> {
  const signature = options.fixedBatch === true ? withFixedRows(onnx.signature) : onnx.signature;
  return {
    name: options.model,
    version: options.version,
    framework: options.framework,
    author: options.author,
    description: options.description ?? '',
    createdAt: new Date(options.nowMs).toISOString(),
    metrics: options.metrics ?? new Map(),
    tags: options.tags ?? [],
    stage: options.stage ?? 'staged',
    published: { revision, by: options.actor, why: options.why ?? '' },
    signature,
    state: declaredState(options.state ?? [], signature),
    onnx: {
      irVersion: onnx.irVersion,
      opsets: new Map(Object.entries(onnx.opsets)),
      parameterCount: onnx.parameterCount,
      producer: oneLine(onnx.producer),
    },
  };
}

function withFixedRows(signature: ModelSignature): ModelSignature {
  const fixedRows = commonFirstSize(signature);
  if (fixedRows !== undefined) return { ...signature, fixedRows };
  const sizes = [...signature.inputs, ...signature.outputs].map(
    ({ name, shape }) => `${name} [${shape.join()}]`,
  );
  throw new StoreError(
    'INVALID_ARGUMENT',
    'This cannot be published with a fixed batch: the first dimension of every input and output has to be of one ' +
      `fixed size above 1, and they are ${sizes.join(', ')}. Publish it without.`,
  );
}

/** What a tool says about itself is only for people to read: cut to fit rather than refused. */
function oneLine(text: string): string {
  return text.slice(0, 100).replace(/[\p{Cc}\p{Cs}]/gu, ' ');
}
