/**
 * The binary tensor data extension of the Open Inference Protocol: JSON, and behind it tensors as bytes. The header
 * Inference-Header-Content-Length says where the JSON ends; 0 means that there is none and the body is one input.
 *
 *     {"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}........
 *     JSON, that many bytes                                                                        | x
 *
 * Elements are little-endian and packed; BYTES are a 4-byte length and that many bytes for each element. Where a tensor
 * starts is of no consequence: it is copied once, bytes as bytes, into the place where the batch runs.
 * Source: Triton's extension_binary_data.md.
 */
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import { elementCount, type ModelSignature, type TensorSpec } from '../../runtime/tensor/signature.ts';
import { fail, succeed, type Result } from './error-code.ts';
import type { InferRequest, RequestOptions, TensorSource } from './infer-request.ts';
import { decodeOipMixed } from './oip-json.ts';
import { quoted } from './strict-text.ts';

/** The value of the header; a client that sends another cannot be understood at all. */
export function readJsonBytes(header: string): Result<number> {
  // Number() would also read '1e3', '0x10' and ' '.
  const bytes = /^[0-9]+$/.test(header) ? Number(header) : NaN;
  if (Number.isSafeInteger(bytes)) return succeed(bytes);
  return fail(
    'INVALID_REQUEST',
    'The header Inference-Header-Content-Length must be a whole number: how many bytes of the body are JSON.',
  );
}

/**
 * Decodes a body of which the first `jsonBytes` are JSON. The tensors point into it.
 * Codes: EMPTY_BODY, MALFORMED_JSON, INVALID_REQUEST, BINARY_SIZE_MISMATCH, UNSUPPORTED_PARAMETER; SHAPE_MISMATCH for a
 * raw body whose model has not one input of a shape that the bytes decide.
 */
export function decodeOipBinary(
  body: Uint8Array,
  signature: ModelSignature,
  jsonBytes: number,
): Result<InferRequest> {
  if (jsonBytes > body.length) {
    return fail(
      'INVALID_REQUEST',
      `The header Inference-Header-Content-Length is ${jsonBytes}, but the body has ${body.length} bytes.`,
    );
  }
  return jsonBytes === 0 ? decodeRaw(body, signature) : decodeOipMixed(body, jsonBytes);
}

/** Raw requests have nowhere to say how they want their outputs. */
const binaryOutputs: RequestOptions = {
  dueWithinMs: undefined,
  priority: 0,
  outputForms: undefined,
  sequence: undefined,
  defaultForm: { binary: true, classes: 0 },
};

function decodeRaw(body: Uint8Array, signature: ModelSignature): Result<InferRequest> {
  const [spec] = signature.inputs;
  if (spec === undefined || signature.inputs.length > 1) {
    return fail(
      'SHAPE_MISMATCH',
      `Raw request must only have 1 input (found 1) to be deduced but got ${signature.inputs.length} inputs in the ` +
        'model. Send JSON in front of the tensors.',
    );
  }
  const batched = signature.batching === 'rows';
  const rowShape = batched ? spec.shape.slice(1) : spec.shape;
  const tensor = spec.datatype === 'BYTES' ? rawText(body, spec, rowShape) : rawShape(body, spec, rowShape);
  if (!tensor.ok) return tensor;
  const { name, datatype } = spec;
  const shape = batched ? [1, ...tensor.value.shape] : tensor.value.shape;
  const inputs = [{ name, datatype, shape, source: tensor.value.source }];
  return succeed({ id: undefined, inputs, outputs: undefined, options: binaryOutputs });
}

interface RawTensor {
  readonly shape: readonly number[];
  readonly source: TensorSource;
}

/** The whole body is one element, without a length in front of it. */
function rawText(body: Uint8Array, spec: TensorSpec, rowShape: readonly number[]): Result<RawTensor> {
  if (elementCount(rowShape) !== 1 || rowShape.includes(-1)) {
    return fail(
      'SHAPE_MISMATCH',
      `For BYTE datatype raw input '${spec.name}', the model must have input shape [1].`,
    );
  }
  const element = new Uint8Array(4 + body.length);
  new DataView(element.buffer).setUint32(0, body.length, true);
  element.set(body, 4);
  return succeed({ shape: rowShape, source: { kind: 'packed', bytes: element } });
}

/** The bytes decide the one size that the model leaves open. */
function rawShape(body: Uint8Array, spec: TensorSpec, rowShape: readonly number[]): Result<RawTensor> {
  const source = { kind: 'packed', bytes: body } as const;
  const open = rowShape.indexOf(-1);
  if (open !== rowShape.lastIndexOf(-1)) {
    return fail(
      'SHAPE_MISMATCH',
      `The shape of the raw input '${spec.name}' can not be deduced because there are more than one variable-sized ` +
        'dimension. Send JSON in front of the tensors.',
    );
  }
  const known = rowShape.filter((size) => size !== -1);
  const stepBytes = elementCount(known) * elementBytes(spec.datatype);
  const size = stepBytes === 0 ? 0 : body.length / stepBytes;
  if (open === -1 ? body.length === stepBytes : Number.isInteger(size)) {
    return succeed({ shape: rowShape.map((step) => (step === -1 ? size : step)), source });
  }
  const multiple = open === -1 ? '' : 'a multiple of ';
  return fail(
    'BINARY_SIZE_MISMATCH',
    `unexpected size for input ${quoted(spec.name)}: the body has ${body.length} bytes, expecting ${multiple}${stepBytes}.`,
  );
}
