/**
 * What is known about one version of a model: the TUF `custom` field of its target, parsed once and then trusted.
 * Canonical JSON has no fractions, so metrics travel as decimal text; in memory they are numbers.
 * Unknown fields of the same schema are ignored, an unknown schema is refused: better no version than a guessed one.
 */
import { FieldReader, type Parsed, type TextRule } from './field-reader.ts';
import { parseModelTargetPath } from './names.ts';
import { commonFirstSize, type ModelSignature, type TensorSignature, datatypes } from './signature.ts';
import { type StateTensor, readState, stateJson } from './state-tensor.ts';
import { type Stage, entryStages } from './stage.ts';

/** Where the bytes of a version are and how to know them again. */
export interface ArtifactReference {
  /** Target path, without the digest that the stored file name carries. */
  readonly path: string;
  readonly lengthBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface VersionMetadata {
  readonly name: string;
  readonly version: string;
  readonly framework: string;
  readonly author: string;
  readonly description: string;
  /** Time of publishing, ISO 8601 in UTC. */
  readonly createdAt: string;
  readonly metrics: ReadonlyMap<string, number>;
  readonly tags: readonly string[];
  /** Where the version stands. What its publisher signed is the stage it entered in; the manifest says the rest. */
  readonly stage: Stage;
  /** Which change of the store brought it, who made that change and why. */
  readonly published: { readonly revision: number; readonly by: string; readonly why: string };
  /** As the file has it, the tensors of the state among the others. */
  readonly signature: ModelSignature;
  /** What is remembered between the calls of a sequence; empty for most versions. */
  readonly state: readonly StateTensor[];
  readonly onnx: {
    readonly irVersion: number;
    /** Operator set version per domain; the default domain is the empty string. */
    readonly opsets: ReadonlyMap<string, number>;
    readonly parameterCount: number;
    readonly producer: string;
  };
  readonly artifact: ArtifactReference;
}

export const versionSchema = 1;

export const metricsMax = 64;
export const tagsMax = 64;
const tensorsMax = 256;
const dimensionsMax = 16;
const opsetsMax = 64;

/** Text that people write: no control characters, because canonical JSON does not escape them. */

const printable = /^[^\u0000-\u001f\u007f]*$/;
export const labelRule: TextRule = { lengthMax: 200, pattern: printable };
export const descriptionRule: TextRule = { lengthMax: 2000, pattern: printable };
export const metricNameRule: TextRule = { lengthMax: 64, pattern: /^[a-zA-Z][a-zA-Z0-9._/@-]*$/ };
export const tagRule: TextRule = { lengthMax: 64, pattern: /^[a-zA-Z0-9][a-zA-Z0-9._:/=+-]*$/ };
export const timeRule: TextRule = { lengthMax: 24, pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ };
const tensorNameRule: TextRule = { lengthMax: 512, pattern: printable };

/** Everything `custom` says; the rest of VersionMetadata comes from the target itself. */
export type VersionFacts = Omit<VersionMetadata, 'artifact'>;

export function parseVersionMetadata(artifact: ArtifactReference, custom: unknown): Parsed<VersionMetadata> {
  const where = `the metadata of ${artifact.path}`;
  const id = parseModelTargetPath(artifact.path);
  if (id === undefined) return { ok: false, message: `${artifact.path} is not the path of a model file` };
  const reader = new FieldReader(custom, where);
  const schema = reader.integer('schema', { min: 1, max: Number.MAX_SAFE_INTEGER });
  if (schema !== versionSchema) reader.reject(`has schema ${schema}; this release reads ${versionSchema}`);
  const onnx = reader.record('onnx');
  const published = reader.record('published');
  const signature = readSignature(reader.record('signature'));
  const state = readState(reader, signature);
  if (signature.fixedRows !== undefined && state.length > 0) {
    reader.reject('has state and a fixed batch; a model with state runs with the rows of its file');
  }
  const metadata: VersionMetadata = {
    name: reader.text('name', labelRule),
    version: reader.text('version', labelRule),
    framework: reader.text('framework', labelRule),
    author: reader.text('author', labelRule),
    description: reader.text('description', descriptionRule),
    createdAt: reader.text('created_at', timeRule),
    metrics: readMetrics(reader.record('metrics')),
    tags: reader.texts('tags', { ...tagRule, countMax: tagsMax }),
    stage: reader.oneOf('stage', entryStages),
    published: {
      revision: published.integer('revision', { min: 1, max: Number.MAX_SAFE_INTEGER }),
      by: published.text('by', labelRule),
      why: published.text('why', descriptionRule),
    },
    signature,
    state,
    onnx: {
      irVersion: onnx.integer('ir_version', { min: 0, max: Number.MAX_SAFE_INTEGER }),
      opsets: readOpsets(onnx.record('opsets')),
      parameterCount: onnx.integer('parameter_count', { min: 0, max: Number.MAX_SAFE_INTEGER }),
      producer: onnx.text('producer', labelRule),
    },
    artifact,
  };
  // Metadata copied from another version would lend it that version's name and signature.
  if (metadata.name !== id.model || metadata.version !== id.version) reader.reject('names another version');
  return reader.finish(metadata);
}

/** The JSON value for `custom`; `parseVersionMetadata` of it gives the same facts back. */
export function versionMetadataJson(facts: VersionFacts): Readonly<Record<string, unknown>> {
  return {
    schema: versionSchema,
    name: facts.name,
    version: facts.version,
    framework: facts.framework,
    author: facts.author,
    description: facts.description,
    created_at: facts.createdAt,
    metrics: Object.fromEntries([...facts.metrics].map(([name, value]) => [name, String(value)])),
    tags: facts.tags,
    stage: facts.stage,
    published: {
      revision: facts.published.revision,
      by: facts.published.by,
      why: facts.published.why,
    },
    signature: signatureJson(facts.signature),
    ...(facts.state.length > 0 && { state: stateJson(facts.state) }),
    onnx: {
      ir_version: facts.onnx.irVersion,
      opsets: Object.fromEntries([...facts.onnx.opsets].map(([domain, version]) => [domain, version])),
      parameter_count: facts.onnx.parameterCount,
      producer: facts.onnx.producer,
    },
  };
}

export function signatureJson(signature: ModelSignature): Readonly<Record<string, unknown>> {
  const { inputs, outputs, batching, fixedRows } = signature;
  return {
    inputs: inputs.map(tensorJson),
    outputs: outputs.map(tensorJson),
    batching,
    ...(fixedRows !== undefined && { fixed_rows: fixedRows }),
  };
}

function tensorJson(tensor: TensorSignature): Readonly<Record<string, unknown>> {
  return { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape };
}

function readMetrics(reader: FieldReader): ReadonlyMap<string, number> {
  const metrics = new Map<string, number>();
  for (const [name, text] of reader.entries({ countMax: metricsMax, key: metricNameRule })) {
    const value = Number(text);
    // One spelling per number, so that what was signed is what is shown.
    if (typeof text !== 'string' || !Number.isFinite(value) || String(value) !== text) {
      reader.reject(`has ${name}, which is not a decimal number`);
    }
    metrics.set(name, value);
  }
  return metrics;
}

function readSignature(reader: FieldReader): ModelSignature {
  const signature: ModelSignature = {
    inputs: readTensors(reader, 'inputs'),
    outputs: readTensors(reader, 'outputs'),
    batching: reader.oneOf('batching', ['rows', 'none']),
  };
  if (!reader.has('fixed_rows')) return signature;
  const fixedRows = reader.integer('fixed_rows', { min: 2, max: Number.MAX_SAFE_INTEGER });
  if (commonFirstSize(signature) !== fixedRows) {
    reader.reject(`has a fixed batch of ${fixedRows}, which is not the first size of every tensor`);
  }
  return { ...signature, fixedRows };
}

function readTensors(reader: FieldReader, field: string): readonly TensorSignature[] {
  return reader.list(field, tensorsMax).map((value, index) => {
    const tensor = reader.nest(value, `${field}[${index}]`);
    const shape = tensor.list('shape', dimensionsMax).map((size) => {
      const fits = typeof size === 'number' && Number.isSafeInteger(size) && size >= -1;
      if (!fits) tensor.reject('has a dimension that is not a size or -1');
      return fits ? size : -1;
    });
    return {
      name: tensor.text('name', tensorNameRule),
      datatype: tensor.oneOf('datatype', datatypes),
      shape,
    };
  });
}

function readOpsets(reader: FieldReader): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  for (const [domain] of reader.entries({ countMax: opsetsMax, key: labelRule })) {
    opsets.set(domain, reader.integer(domain, { min: 1, max: 1_000_000 }));
  }
  return opsets;
}
