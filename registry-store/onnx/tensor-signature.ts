/**
 * Turns one graph input or output into a line of the model's signature, or says why no client could use it.
 * Clients send and receive tensors with a shape; sequences, maps and values of unknown rank have no form on the wire.
 */
import type { TensorSignature } from '../manifest/signature.ts';
import { datatypeOfCode, elementTypeName } from './element-type.ts';
import type { DimensionProto, TypeProto, ValueInfoProto } from './model-proto.ts';
import { quoted, refuse } from './onnx-refusal.ts';
import type { OnnxRefused } from './onnx-refusal.ts';

export type Side = 'input' | 'output';

export interface NamedTensor {
  readonly signature: TensorSignature;
  /** The symbolic name of the first dimension, where it has one. */
  readonly firstSymbol: string | undefined;
}

/** No tensor in a 32-bit WebAssembly memory has a longer dimension. */
const dimensionMax = 2n ** 31n - 1n;

// The bounds of the metadata that is signed for a version.
const rankMax = 16;
const nameLengthMax = 512;

export function readTensorSignature(
  side: Side,
  value: ValueInfoProto,
): { readonly ok: true; readonly value: NamedTensor } | OnnxRefused {
  const { name = '', type = {} } = value;
  if (name === '') return refuse('INVALID_NAME', `An ${side} of the model has no name.`);
  if (name.length > nameLengthMax || !isPrintable(name)) {
    return refuse(
      'INVALID_NAME',
      `An ${side} has a name with control characters or above ${nameLengthMax} letters.`,
    );
  }
  const { tensorType } = type;
  if (tensorType === undefined || countKinds(type) !== 1) return refuseType(side, name, type);

  const elemType = tensorType.elemType ?? 0;
  const datatype = datatypeOfCode(elemType);
  if (datatype === undefined) {
    return refuse(
      'UNSUPPORTED_DATATYPE',
      `The ${side} ${quoted(name)} is of type ${elementTypeName(elemType)}, which no client format carries. ` +
        'Add a Cast to float32 inside the model.',
    );
  }
  if (tensorType.shape === undefined) {
    return refuse(
      'NO_SHAPE',
      `The ${side} ${quoted(name)} has no shape, so requests cannot be checked against it. ` +
        'Run onnx.shape_inference.infer_shapes on the model, or name its dimensions when exporting.',
    );
  }
  const dimensions = tensorType.shape.dim ?? [];
  if (dimensions.length > rankMax) {
    return refuse(
      'TOO_LARGE',
      `The ${side} ${quoted(name)} has ${dimensions.length} dimensions; the limit is ${rankMax}.`,
    );
  }
  const shape = dimensions.map(sizeOf);
  if (!shape.every((size) => size !== undefined)) {
    return refuse(
      'TOO_LARGE',
      `The ${side} ${quoted(name)} has a dimension beyond ${dimensionMax.toString()}.`,
    );
  }
  const symbol = dimensions[0]?.dimParam;
  const firstSymbol = symbol === '' ? undefined : symbol;
  return { ok: true, value: { signature: { name, datatype, shape }, firstSymbol } };
}

/** Canonical JSON, which is what gets signed, has no way to write control characters. */
export function isPrintable(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

/** Symbolic and absent sizes are -1, and so is any negative one: some exporters write -1 for "any". */
function sizeOf({ dimValue, dimParam }: DimensionProto): number | undefined {
  if (dimValue === undefined || dimParam !== undefined || dimValue < 0n) return -1;
  return dimValue > dimensionMax ? undefined : Number(dimValue);
}

function countKinds(type: TypeProto): number {
  const { tensorType, sequenceType, mapType, optionalType, sparseTensorType, opaqueType } = type;
  const kinds = [tensorType, sequenceType, mapType, optionalType, sparseTensorType, opaqueType];
  return kinds.filter((kind) => kind !== undefined).length;
}

function refuseType(side: Side, name: string, type: TypeProto): OnnxRefused {
  const code = side === 'input' ? 'INPUT_NOT_TENSOR' : 'OUTPUT_NOT_TENSOR';
  const what = `The ${side} ${quoted(name)} is ${kindName(type)}, not a tensor.`;
  const mapsInside = type.mapType !== undefined || type.sequenceType?.elemType?.mapType !== undefined;
  if (side === 'output' && mapsInside) {
    return refuse(
      code,
      `${what} scikit-learn classifiers end in ZipMap by default: convert again with ` +
        "convert_sklearn(model, ..., options={id(model): {'zipmap': False}}) to get the probabilities as one float tensor.",
    );
  }
  return refuse(code, `${what} Only tensors can travel in a request; change the export so that it is one.`);
}

function kindName(type: TypeProto): string {
  if (countKinds(type) !== 1) return 'of no single type';
  if (type.sequenceType !== undefined) {
    return type.sequenceType.elemType?.mapType === undefined ? 'a sequence' : 'a sequence of maps';
  }
  if (type.mapType !== undefined) return 'a map';
  if (type.optionalType !== undefined) return 'an optional';
  if (type.sparseTensorType !== undefined) return 'a sparse tensor';
  return 'an opaque value';
}
