/**
 * The protocol's binary tensor extension: a JSON header, then the elements of the tensors, one after the other.
 * Invariants: the header is padded with spaces to a multiple of 8 and inputs go in order of falling element size, so
 * every numeric tensor of a request begins where its elements are aligned and a server needs no copy.
 */
import type { InferResult } from '../infer-result.ts';
import { TidegateError } from '../tidegate-error.ts';
import { elementBytes } from '../tensor/datatype.ts';
import { tensorOfPacked } from '../tensor/packed-data.ts';
import { parseJsonObject, resultOfJson } from './json-message.ts';
import { packedInputs, type RequestFields, scheduledParameters } from './request-fields.ts';

/** Tells how many bytes of a body are the JSON header. */
export const headerLengthName = 'Inference-Header-Content-Length';

export interface BinaryBody {
  readonly body: Uint8Array<ArrayBuffer>;
  /** The value of the header above. */
  readonly headerBytes: number;
}

const alignmentBytes = 8;
const spaceCode = 0x20;

/** All outputs are asked for in binary. */
export function encodeBinaryBody(fields: RequestFields): BinaryBody {
  // The protocol tells inputs apart by name; toSorted keeps the order of those that are alike.
  const inputs = packedInputs(fields).toSorted((a, b) => elementBytes(b.datatype) - elementBytes(a.datatype));
  const header = new TextEncoder().encode(
    JSON.stringify({
      inputs: inputs.map(({ name, shape, datatype, bytes }) => ({
        name,
        shape,
        datatype,
        parameters: { binary_data_size: bytes.length },
      })),
      ...(fields.outputs.length === 0
        ? {}
        : { outputs: fields.outputs.map((name) => ({ name, parameters: { binary_data: true } })) }),
      parameters: { ...scheduledParameters(fields), binary_data_output: true },
    }),
  );
  const headerBytes = Math.ceil(header.length / alignmentBytes) * alignmentBytes;
  const body = new Uint8Array(inputs.reduce((sum, { bytes }) => sum + bytes.length, headerBytes));
  body.set(header);
  body.fill(spaceCode, header.length, headerBytes);
  let offset = headerBytes;
  for (const { bytes } of inputs) {
    body.set(bytes, offset);
    offset += bytes.length;
  }
  return { body, headerBytes };
}

/**
 * `headerLength` is the value of the header above, null when there was none: then the whole body is JSON.
 * Throws INVALID_RESPONSE when lengths do not add up.
 */
export function decodeBinaryBody(body: Uint8Array, headerLength: string | null): InferResult {
  const headerBytes = headerLength === null ? body.length : Number(headerLength);
  if (!Number.isSafeInteger(headerBytes) || headerBytes < 0 || headerBytes > body.length) {
    throw invalid(
      `The answer says its header has ${headerLength ?? ''} bytes; it has ${body.length} in all.`,
    );
  }
  let offset = headerBytes;
  const message = parseJsonObject(new TextDecoder().decode(body.subarray(0, headerBytes)));
  const result = resultOfJson(message, ({ name, datatype, shape }, sizeBytes) => {
    if (sizeBytes > body.length - offset) throw invalid(`The answer ends inside the output ${name}.`);
    const bytes = body.subarray(offset, offset + sizeBytes);
    offset += sizeBytes;
    return { name, ...tensorOfPacked(datatype, shape, bytes) };
  });
  if (offset !== body.length) throw invalid(`${body.length - offset} bytes follow the last output.`);
  return result;
}

function invalid(message: string): TidegateError {
  return new TidegateError('INVALID_RESPONSE', message);
}
