/** Binary requests whose sizes do not add up: each is refused with a 4xx and a reason, and leaves the server live. */
import { type Check, type CheckContext, CheckSkipped } from '../check.ts';
import type { JsonValue } from '../exact-json.ts';
import { expectRefused, inferRequest, isReady, modelFor, type ReadyModel } from '../expectations.ts';
import { binaryBody, binaryMessage, headOf, type InferBody, jsonBytesHeader } from '../infer-message.ts';
import { packTensor } from '../tensor.ts';
import { binary } from './binary.ts';

export const binaryErrorChecks: readonly Check[] = [
  badBinary('header-word', 'a header that is a word', (model) => withHeader(goodBody(model), 'many')),
  badBinary('header-negative', 'a header that is negative', (model) => withHeader(goodBody(model), '-1')),
  badBinary('header-fraction', 'a header that is a fraction', (model) => withHeader(goodBody(model), '1.5')),
  badBinary('header-beyond-body', 'a header larger than the body', (model) => {
    const body = goodBody(model);
    return withHeader(body, String(body.body.length + 1));
  }),
  badBinary('header-overflow', 'a header that no counter holds', (model) => {
    return withHeader(goodBody(model), '99999999999999999999');
  }),
  badBinary('header-inside-json', 'a header that ends inside the JSON', (model) =>
    withHeader(goodBody(model), '10'),
  ),
  badBinary('bytes-missing', 'fewer bytes than binary_data_size says', (model) => {
    const { headers, body } = goodBody(model);
    return { headers, body: body.subarray(0, -1) };
  }),
  badBinary('bytes-left-over', 'bytes behind the last tensor', (model) => {
    const { headers, body } = goodBody(model);
    return { headers, body: Buffer.concat([body, Buffer.alloc(1)]) };
  }),
  badBinary('size-too-small', 'a binary_data_size below that of the shape', (model) =>
    withSize(model, (size) => size - 1),
  ),
  badBinary('size-too-large', 'a binary_data_size above that of the shape', (model) =>
    withSize(model, (size) => size + 1),
  ),
  badBinary('size-negative', 'a negative binary_data_size', (model) => withSize(model, (size) => -size)),
  badBinary('size-text', 'a binary_data_size that is a text', (model) => withSize(model, String)),
  badBinary('size-overflow', 'a shape whose bytes no counter holds', (model) => {
    return withFirst(model, (first) => ({ ...first, shape: [2 ** 31, 2 ** 31, 2 ** 31] }));
  }),
  badBinary('no-data', 'an input with neither data nor binary_data_size', (model) => {
    return withFirst(model, ({ name, shape, datatype }) => ({
      name: name ?? '',
      shape: shape ?? [],
      datatype: datatype ?? '',
    }));
  }),
  badBinary('wrong-datatype', 'a datatype other than that of the model', (model) => {
    const other = model.inputs[0]?.datatype === 'INT32' ? 'FP32' : 'INT32';
    return withFirst(model, (first) => ({ ...first, datatype: other }));
  }),
  binary({
    id: 'error.text-beyond-tensor',
    title: 'a BYTES element that is longer than its tensor is refused',
    clause: 'BYTES is a 4-byte length and so many bytes for each element',
    run: (context: CheckContext): Promise<void> => {
      const isText = ({ inputs }: ReadyModel): boolean => inputs[0]?.datatype === 'BYTES';
      const model = modelFor(context, 'binary', { of: 'with BYTES', is: isText });
      const { headers, body } = goodBody(model);
      const spoilt = Buffer.from(body);
      spoilt.writeUInt32LE(0x7fff_ffff, Number(headers[jsonBytesHeader]));
      return expectRefused(context, inferRequest(model, { headers, body: spoilt }));
    },
  }),
  binary({
    id: 'error.raw-two-inputs',
    title: 'a raw body for a model with two inputs is refused',
    clause: 'header 0: models with one input only',
    run: (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'binary', {
        of: 'with two inputs',
        is: ({ inputs }) => inputs.length > 1,
      });
      return expectRefused(
        context,
        inferRequest(model, raw(Buffer.concat(model.sample.tensors.map(packTensor)))),
      );
    },
  }),
  binary({
    id: 'error.raw-size',
    title: 'a raw body that is no whole row is refused',
    clause: 'header 0: the body has the bytes of one row',
    run: (context: CheckContext): Promise<void> => {
      // A free dimension would make any number of whole elements right, and one byte is one element of some.
      const model = context.models.filter(isReady).find(({ inputs: [input, ...others] }) => {
        return others.length === 0 && !/8$|BYTES|BOOL/.test(input?.datatype ?? 'BYTES');
      });
      if (model === undefined)
        throw new CheckSkipped('no model with one input of elements longer than a byte');
      return expectRefused(context, inferRequest(model, raw(Buffer.alloc(1))));
    },
  }),
];

function badBinary(id: string, title: string, body: (model: ReadyModel) => InferBody): Check {
  return binary({
    id: `error.${id}`,
    title: `${title} is refused`,
    clause: 'sizes that do not add up are 400 with {"error": "..."}',
    run: (context: CheckContext): Promise<void> => {
      const isSized = ({ inputs }: ReadyModel): boolean => inputs[0]?.datatype !== 'BYTES';
      const model = modelFor(context, 'binary', { of: 'with a first input that is not BYTES', is: isSized });
      return expectRefused(context, inferRequest(model, body(model)));
    },
  });
}

function goodBody(model: ReadyModel): InferBody {
  return binaryBody(model.sample.tensors, { parameters: { binary_data_output: true } });
}

function raw(body: Buffer): InferBody {
  return withHeader({ headers: { 'content-type': 'application/octet-stream' }, body }, '0');
}

function withHeader({ headers, body }: InferBody, value: string): InferBody {
  return { headers: { ...headers, [jsonBytesHeader]: value }, body };
}

type InputJson = Readonly<Record<string, JsonValue>>;

/** The JSON of the first input as changed, and the bytes of all as they were. */
function withFirst(model: ReadyModel, change: (input: InputJson) => JsonValue): InferBody {
  const packed = model.sample.tensors.map(packTensor);
  const inputs = model.sample.tensors.map((tensor, at): JsonValue => {
    const input = { ...headOf(tensor), parameters: { binary_data_size: packed[at]?.length ?? 0 } };
    return at === 0 ? change(input) : input;
  });
  return binaryMessage({ inputs }, packed);
}

/** The bytes follow the size where they can, so that only the shape does not fit. */
function withSize(model: ReadyModel, change: (size: number) => number | string): InferBody {
  const [first, ...others] = model.sample.tensors.map(packTensor);
  const bytes = first ?? Buffer.alloc(0);
  const size = change(bytes.length);
  const { headers, body } = withFirst(model, (input) => ({
    ...input,
    parameters: { binary_data_size: size },
  }));
  if (typeof size !== 'number' || size < 0) return { headers, body };
  const sized = Buffer.concat([bytes, Buffer.alloc(1)]).subarray(0, size);
  return {
    headers,
    body: Buffer.concat([body.subarray(0, Number(headers[jsonBytesHeader])), sized, ...others]),
  };
}
