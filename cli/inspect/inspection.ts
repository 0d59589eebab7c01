/** All that `tidegate inspect` found out about one file, and the same as JSON: field names as in `tidegate show --json`. */
import { commonFirstSize } from '../../registry-store/manifest/signature.ts';
import type { ModelInspection } from '../../registry-store/onnx/inspect-model.ts';
import type { TrialOutcome } from '../../runtime/pool/trial-load.ts';
import type { FoundFile } from '../../registry-store/lifecycle/external-files.ts';

export interface Problem {
  readonly code: string;
  readonly message: string;
}

export interface Inspection {
  /** As it was given. */
  readonly file: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly model: ModelInspection;
  readonly externalFiles: readonly FoundFile[];
  /** Undefined when the model was not given to the runtime. */
  readonly trial: TrialOutcome | undefined;
  /** What keeps the model from being served; it can be when there is none. */
  readonly problems: readonly Problem[];
}

/** Of a model whose file fixes the first dimension of every tensor to one size. */
export interface FixedBatch {
  readonly rows: number;
  /** What the trial showed; undefined where there was none. Never proof that they are. */
  readonly isIndependent: boolean | undefined;
  /** What speaks against it; may be empty. */
  readonly note: string;
}

/** Undefined for other models. */
export function fixedBatchOf(
  { description }: ModelInspection,
  trial: TrialOutcome | undefined,
): FixedBatch | undefined {
  const rows = description === undefined ? undefined : commonFirstSize(description.signature);
  if (rows === undefined) return undefined;
  if (trial?.kind !== 'loaded') return { rows, isIndependent: undefined, note: '' };
  return { rows, isIndependent: trial.batching === 'rows', note: trial.note ?? '' };
}

export function inspectionJson(inspection: Inspection): object {
  const { model, problems } = inspection;
  const { weights, description } = model;
  return {
    file: inspection.file,
    servable: problems.length === 0,
    problems: problems.map(({ code, message }) => ({ code, message })),
    size_bytes: inspection.sizeBytes,
    sha256: inspection.sha256,
    producer: model.producer,
    ir_version: model.irVersion,
    opsets: Object.fromEntries(model.opsets),
    inputs: model.inputs.map(({ name, type, shape = null }) => ({ name, type, shape })),
    outputs: model.outputs.map(({ name, type, shape = null }) => ({ name, type, shape })),
    operators: model.operators,
    functions: model.functions,
    parameter_count: weights.count,
    parameters: {
      size_bytes: weights.sizeBytes,
      by_type: weights.byType.map(({ type, count, sizeBytes }) => ({ type, count, size_bytes: sizeBytes })),
      largest: weights.largest.map(({ name, type, shape, sizeBytes }) => ({
        name,
        type,
        shape,
        size_bytes: sizeBytes,
      })),
      attribute_values: weights.attributeValueCount,
    },
    external_data: inspection.externalFiles.map((file) => ({
      file: file.location,
      status: file.status,
      tensors: file.tensorCount,
      needed_bytes: file.neededBytes,
      size_bytes: file.sizeBytes ?? null,
    })),
    signature: description?.signature ?? null,
    batch_obstacle: model.batchObstacle ?? null,
    fixed_batch: fixedBatchJson(fixedBatchOf(model, inspection.trial)),
    runtime: trialJson(inspection),
  };
}

/** Null when there is none. */
function fixedBatchJson(fixed: FixedBatch | undefined): object | null {
  return fixed === undefined ? null : { rows: fixed.rows, independent: fixed.isIndependent ?? null };
}

/** Null when the runtime was not asked. */
function trialJson({ model, trial }: Inspection): object | null {
  if (trial === undefined) return null;
  if (trial.kind === 'refused') return { loads: false, code: trial.code, message: trial.message };
  return {
    loads: true,
    // Of the file as it is: a fixed batch has to be declared.
    batching: fixedBatchOf(model, trial) === undefined ? trial.batching : 'none',
    note: trial.note ?? null,
    load_ms: trial.loadMs,
    warm_ms: trial.warmMs,
    costs: trial.costs.map(({ rows, us }) => ({ rows, us })),
    memory_bytes: trial.memoryBytes,
  };
}
