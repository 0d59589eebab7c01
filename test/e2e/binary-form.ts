/**
 * The client's side of the binary tensor data extension, written from Triton's extension_binary_data.md with Buffer
 * and JSON alone: JSON, and behind it the tensors as bytes.
 */
import type { HttpAnswer } from './http-connection.ts';
import { packedBytes, type Tensor, tensorOf, tensorOfBytes } from './tensor.ts';
import { type Call, fieldsOf, listOf, oipJsonOutcome, type Outcome, textOf } from './wire-forms.ts';
import type { Datatype } from '../../runtime/tensor/dtype.ts';

export interface BinaryBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The header that says how much of a body is JSON. */
export const jsonBytesHeader = 'inference-header-content-length';

/** `message` in front of the bytes, padded so that they would be aligned, as good clients do. */
export function binaryBody(message: object, bytes: readonly Uint8Array[], padding = 0): BinaryBody {
  const json = Buffer.from(JSON.stringify(message) + ' '.repeat(padding));
  return {
    headers: { [jsonBytesHeader]: String(json.length) },
    body: Buffer.concat([json, ...bytes]),
  };
}

/** All inputs as bytes, and all outputs wanted as bytes. */
export function oipBinaryBody({ id, inputs, outputs, parameters }: Call): BinaryBody {
  const bytes = inputs.map(packedBytes);
  const message = {
    ...(id === undefined ? {} : { id }),
    parameters: { ...parameters, binary_data_output: true },
    inputs: inputs.map(({ name, datatype, shape }, index) => {
      return { name, shape, datatype, parameters: { binary_data_size: bytes[index]?.length } };
    }),
    ...(outputs === undefined ? {} : { outputs: outputs.map((name) => ({ name })) }),
  };
  return binaryBody(message, bytes);
}

/** Reads an answer in which some outputs may be binary. */
export function oipBinaryOutcome({ body, status, headers }: HttpAnswer): Outcome {
  const header = headers.get(jsonBytesHeader);
  if (header === undefined) return oipJsonOutcome(body, status);
  if (headers.get('content-type') !== 'application/octet-stream')
    throw new TypeError('the wrong content type');
  const jsonBytes = Number(header);
  const message = fieldsOf(JSON.parse(body.subarray(0, jsonBytes).toString()));
  let at = jsonBytes;
  const outputs = listOf(message['outputs']).map((output): Tensor => {
    const fields = fieldsOf(output);
    const head = {
      name: textOf(fields['name']),
      datatype: textOf(fields['datatype']) as Datatype,
      shape: listOf(fields['shape']).map(Number),
    };
    if (fields['parameters'] === undefined) return tensorOf(head, listOf(fields['data']).map(Number));
    const start = at;
    at += Number(fieldsOf(fields['parameters'])['binary_data_size']);
    const bytes = body.subarray(start, at);
    return head.datatype === 'BYTES' ? tensorOf(head, textsOf(bytes)) : tensorOfBytes(head, bytes);
  });
  if (at !== body.length) throw new RangeError(`${body.length - at} bytes are left over`);
  return { kind: 'answer', modelVersion: textOf(message['model_version']), outputs };
}

function textsOf(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32LE(at);
    texts.push(bytes.subarray(at + 4, end).toString());
    at = end;
  }
  return texts;
}
