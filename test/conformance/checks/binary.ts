/** The binary tensor data extension: tensors as bytes behind the JSON, in either direction and in any mixture. */
import { type Check, type CheckContext, CheckSkipped, failureOf } from '../check.ts';
import { datatypes, datatypeTable } from '../datatype.ts';
import { ordinaryTensors } from '../discovered-model.ts';
import { binaryExtension } from '../discover.ts';
import {
  expectEcho,
  expectErrorBody,
  expectInference,
  expectLive,
  inferRequest,
  isReady,
  modelFor,
  type ReadyModel,
} from '../expectations.ts';
import type { Exchange } from '../http-talk.ts';
import {
  binaryBody,
  binaryMessage,
  headOf,
  type InferAnswer,
  jsonBody,
  jsonBytesHeader,
} from '../infer-message.ts';
import { firstDifference, packTensor } from '../tensor.ts';
import { expectDatatype } from './infer-datatypes.ts';

const allBinary = { parameters: { binary_data_output: true } };

export const binaryChecks: readonly Check[] = [
  ...datatypes.map((datatype) =>
    binary({
      id: datatype,
      title: `${datatype} as bytes`,
      clause: `little-endian and packed, in the order of inputs and outputs; ${datatype}`,
      run: (context: CheckContext): Promise<void> => {
        const { edges, binaryEdges } = datatypeTable[datatype];
        return expectDatatype(context, { datatype, form: 'binary', edges: [...edges, ...binaryEdges] });
      },
    }),
  ),
  binary({
    id: 'content-type',
    title: 'an answer with bytes says so, to a request without a content type',
    clause:
      'application/octet-stream and the header in the response; the header and not the content type decides',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'binary');
      const { body, headers } = binaryBody(model.sample.tensors, allBinary);
      const request = inferRequest(model, {
        body,
        headers: { [jsonBytesHeader]: headers[jsonBytesHeader] ?? '' },
      });
      const [exchange, answer] = await expectInference(context, model, request);
      expectForms(exchange, answer, () => true);
      const type = exchange.answer.headers.get('content-type') ?? 'missing';
      if (!type.startsWith('application/octet-stream')) {
        throw failureOf(exchange, 'Content-Type application/octet-stream', `it is ${type}`);
      }
    },
  }),
  binary({
    id: 'padding',
    title: 'the JSON may be filled up with spaces',
    clause: 'Inference-Header-Content-Length counts the JSON, white space included',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'binary');
      for (const paddingBytes of [1, 7, 64]) {
        const body = binaryBody(model.sample.tensors, { ...allBinary, paddingBytes });
        await expectInference(context, model, inferRequest(model, body));
      }
    },
  }),
  binary({
    id: 'json-answer',
    title: 'binary inputs alone do not make the answer binary',
    clause: 'the response is binary only if at least one output is asked for in binary',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      const request = inferRequest(model, binaryBody(model.sample.tensors));
      const [exchange, answer] = await expectInference(context, model, request);
      expectForms(exchange, answer, () => false);
    },
  }),
  binary({
    id: 'json-request',
    title: 'a request of JSON alone may ask for bytes',
    clause: 'binary_data_output of the request and binary_data of an output need no binary input',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      const request = inferRequest(model, jsonBody(model.sample.tensors, allBinary));
      const [exchange, answer] = await expectInference(context, model, request);
      expectForms(exchange, answer, () => true);
    },
  }),
  binary({
    id: 'per-output',
    title: 'each output says for itself whether it is binary',
    clause: 'binary_data of an output goes before binary_data_output of the request',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      const [chosen] = model.outputs;
      for (const isBinary of [true, false]) {
        const outputs = model.outputs.map(({ name }) => {
          return name === chosen?.name ? { name, parameters: { binary_data: isBinary } } : { name };
        });
        const options = { outputs, parameters: { binary_data_output: !isBinary } };
        const request = inferRequest(model, jsonBody(model.sample.tensors, options));
        const [exchange, answer] = await expectInference(context, model, request);
        expectForms(exchange, answer, (name) => (name === chosen?.name) === isBinary);
      }
    },
  }),
  binary({
    id: 'mixed-inputs',
    title: 'inputs as JSON and as bytes stand side by side',
    clause: 'each input has either data or binary_data_size',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json', {
        of: 'with two inputs',
        is: ({ inputs }) => inputs.length > 1,
      });
      for (const { name } of model.inputs) {
        const body = binaryBody(model.sample.tensors, { asJson: new Set([name]) });
        const [exchange, answer] = await expectInference(context, model, inferRequest(model, body));
        expectEcho(exchange, { model, tensors: model.sample.tensors, answer });
      }
    },
  }),
  binary({
    id: 'output-order',
    title: 'bytes of several outputs lie in the order in which the JSON lists them',
    clause: 'binary outputs are concatenated in the order of "outputs" in the response',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'binary', {
        of: 'with two outputs',
        is: ({ outputs }) => outputs.length > 1,
      });
      for (const outputs of [model.outputs, model.outputs.toReversed()]) {
        const wanted = outputs.map(({ name }) => ({ name, parameters: { binary_data: true } }));
        const body = binaryBody(model.sample.tensors, { outputs: wanted });
        const [exchange, answer] = await expectInference(context, model, inferRequest(model, body));
        expectEcho(exchange, { model, tensors: model.sample.tensors, answer });
      }
    },
  }),
  binary({
    id: 'same-as-json',
    title: 'an answer as bytes has the values of the answer as JSON',
    clause: 'the representation of a tensor does not change it',
    run: async (context: CheckContext): Promise<void> => {
      const models = context.models.filter(isReady).filter(({ sample }) => sample.form === 'json');
      const compared: boolean[] = [];
      for (const model of models) compared.push(await hasSameValues(context, model));
      if (!compared.includes(true))
        throw new CheckSkipped('no model answers JSON requests the same way twice');
    },
  }),
  binary({
    id: 'any-bytes',
    title: 'BYTES that are no text come back as they were, or are refused',
    clause: 'BYTES is a 4-byte length and so many bytes; no encoding is named',
    run: expectAnyBytes,
  }),
  binary({
    id: 'raw',
    title: 'a body of nothing but the bytes of the one input',
    clause: 'header 0: one input, one row, all outputs binary',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'binary', { of: 'with one input for a raw body', is: isRaw });
      await expectRaw(context, model, Buffer.concat(ordinaryTensors(model.inputs, 1).map(packTensor)));
    },
  }),
  binary({
    id: 'raw-bytes',
    title: 'a body that is the one text of a BYTES input',
    clause: 'header 0: a BYTES input has one element, the whole body, without a length',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'binary', { of: 'with one input of one BYTES element', is: isRawText });
      await expectRaw(context, model, Buffer.from('tide'));
    },
  }),
];

export function binary({ id, title, clause, run }: Pick<Check, 'id' | 'title' | 'clause' | 'run'>): Check {
  const where = `Binary Tensor Data extension: ${clause}`;
  return { id: `binary.${id}`, title, level: 'extension', extension: binaryExtension, clause: where, run };
}

function expectForms(exchange: Exchange, { outputs }: InferAnswer, isAsked: (name: string) => boolean): void {
  for (const { name, isBinary } of outputs) {
    if (isBinary !== isAsked(name)) throw failureOf(exchange, `'${name}' as ${isBinary ? 'JSON' : 'bytes'}`);
  }
  const hasHeader = exchange.answer.headers.has(jsonBytesHeader);
  if (hasHeader !== outputs.some(({ isBinary }) => isBinary)) {
    throw failureOf(exchange, `the header ${jsonBytesHeader} with bytes, and not without`);
  }
}

/** False for a model that gives other values every time it is asked: nothing can be compared there. */
async function hasSameValues(context: CheckContext, model: ReadyModel): Promise<boolean> {
  const { tensors, answer: before } = model.sample;
  const [, again] = await expectInference(context, model, inferRequest(model, jsonBody(tensors)));
  if (differenceOf(before, again) !== undefined) return false;
  const [exchange, bytes] = await expectInference(
    context,
    model,
    inferRequest(model, binaryBody(tensors, allBinary)),
  );
  const difference = differenceOf(before, bytes);
  if (difference !== undefined) throw failureOf(exchange, 'the values of the JSON answer', difference);
  return true;
}

function differenceOf(wanted: InferAnswer, given: InferAnswer): string | undefined {
  for (const output of wanted.outputs) {
    const elements = given.outputs.find(({ name }) => name === output.name)?.elements ?? [];
    const difference = firstDifference(output, elements);
    if (difference !== undefined) return `'${output.name}': ${difference}`;
  }
  return undefined;
}

/** Some runtimes have only texts. They may say so; to put other bytes in the place of these is to lose data in silence. */
async function expectAnyBytes(context: CheckContext): Promise<void> {
  const model = modelFor(context, 'binary', { of: 'that gives one BYTES input back', is: givesTextBack });
  const [tensor, ...others] = model.sample.tensors;
  if (tensor === undefined || others.length > 0) throw new CheckSkipped('no model with one input');
  const bytes = Buffer.concat(tensor.elements.map(() => Buffer.of(3, 0, 0, 0, 0xff, 0x00, 0xfe)));
  const inputs = [{ ...headOf(tensor), parameters: { binary_data_size: bytes.length } }];
  const request = inferRequest(model, binaryMessage({ ...allBinary, inputs }, [bytes]));
  const exchange = await context.talk.send(request);
  const { status, headers, body } = exchange.answer;
  if (status === 200) {
    const tail = body.subarray(Number(headers.get(jsonBytesHeader)));
    if (!tail.equals(bytes))
      throw failureOf(exchange, 'the bytes that were sent, or 4xx with {"error": "..."}');
    return;
  }
  if (status < 400 || status > 499) throw failureOf(exchange, 'status 200, or 4xx with {"error": "..."}');
  expectErrorBody(exchange);
  await expectLive(context, request);
}

function givesTextBack({ inputs, outputs, echoes }: ReadyModel): boolean {
  return inputs.length === 1 && outputs.length === 1 && inputs[0]?.datatype === 'BYTES' && echoes.size === 1;
}

/** One row fits the model if its samples have one row or its first dimension is free; one more dimension may be free. */
function isRaw({ inputs }: ReadyModel): boolean {
  const [input] = inputs;
  return (
    inputs.length === 1 &&
    input?.datatype !== 'BYTES' &&
    (input?.shape ?? []).slice(1).filter((size) => size < 0).length <= 1
  );
}

/** The text says nothing of a shape, so one element must be all that the model can take for one row. */
function isRawText({ inputs }: ReadyModel): boolean {
  const [input] = inputs;
  const isOne = input?.shape.every((size, at) => size === 1 || (at === 0 && size === -1));
  return inputs.length === 1 && input?.datatype === 'BYTES' && isOne === true;
}

async function expectRaw(context: CheckContext, model: ReadyModel, body: Buffer): Promise<void> {
  const headers = { [jsonBytesHeader]: '0', 'content-type': 'application/octet-stream' };
  const [exchange, answer] = await expectInference(context, model, inferRequest(model, { headers, body }));
  expectForms(exchange, answer, () => true);
  const echo = answer.outputs.find(({ name }) => name === model.echoes.get(model.inputs[0]?.name ?? ''));
  if (echo === undefined) return;
  // A BYTES tensor comes back with the length that the raw body does not have.
  const packed = packTensor(echo).subarray(echo.datatype === 'BYTES' ? 4 : 0);
  if (!packed.equals(body)) throw failureOf(exchange, `'${echo.name}' with the bytes that were sent`);
}
