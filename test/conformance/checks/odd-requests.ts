/**
 * Requests that nobody sends on purpose: values out of range, JSON as deep as a well, the wrong method. A server may word
 * its refusal as it likes, but it refuses, and lives.
 */
import { type Check, type CheckContext, failureOf } from '../check.ts';
import { datatypeTable } from '../datatype.ts';
import {
  expectErrorBody,
  expectLive,
  expectRefused,
  inferRequest,
  isReady,
  modelFor,
  type ReadyModel,
} from '../expectations.ts';
import { NoAnswer } from '../http-talk.ts';
import { headOf, jsonBody, jsonInput, jsonMessage } from '../infer-message.ts';
import type { JsonValue } from '../exact-json.ts';
import { anyModel } from './model.ts';
import { badBody, refusal, text, withFirstInput } from './infer-errors.ts';

const wholeNumber = /^U?INT\d+$/;
const clause = 'Robustness: what cannot be read is 4xx with {"error": "..."}, and the server stays live';

export const oddRequestChecks: readonly Check[] = [
  odd(badBody('empty-body', 'an empty body', () => text(''))),
  odd(badBody('not-utf8', 'a body that is no text', () => text(Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d)))),
  odd(badBody('deep-nesting', 'a body of a hundred thousand open brackets', () => text('['.repeat(100_000)))),
  odd(
    badBody('deep-data', 'data nested a thousand times deeper than its shape', (model) => {
      const data = text(`${'['.repeat(1000)}${']'.repeat(1000)}`).body.toString();
      const body = withFirstInput(model, (tensor) => ({ ...headOf(tensor), data: 'conformance-data' }));
      return { ...body, body: Buffer.from(body.body.toString().replace('"conformance-data"', data)) };
    }),
  ),
  odd(badBody('inputs-not-a-list', "'inputs' that are a text", () => jsonMessage({ inputs: 'many' }))),
  odd(badBody('null-element', 'data with null in it', (model) => withElement(model, null))),
  odd(badBody('object-element', 'data with an object in it', (model) => withElement(model, {}))),
  odd(badBody('negative-dimension', 'a negative dimension', (model) => withShape(model, [-1]))),
  odd(badBody('fractional-dimension', 'a dimension that is a fraction', (model) => withShape(model, [1.5]))),
  odd(
    badBody('huge-shape', 'a shape whose product no counter holds', (model) => {
      return withShape(model, [2 ** 31, 2 ** 31, 2 ** 31]);
    }),
  ),
  odd(
    badBody('repeated-input', 'the same input twice', ({ sample: { tensors } }) => {
      return jsonBody([...tensors, ...tensors.slice(0, 1)]);
    }),
  ),
  oddElement('fraction', 'a fraction as a whole number', wholeNumber, 1.5),
  oddElement('text-as-number', 'a text as a number', /^(U?INT|FP)\d+$/, 'seven'),
  oddElement('number-as-text', 'a number as BYTES', /^BYTES$/, 7),
  oddElement('text-as-bool', 'a text as BOOL', /^BOOL$/, 'yes'),
  oddElement('negative-unsigned', 'a negative number as an unsigned one', /^UINT\d+$/, -1),
  oddElement('beyond-8-bits', '300 as 8 bits', /^U?INT8$/, 300),
  oddElement('beyond-64-bits', '2^64 as 64 bits', /^U?INT64$/, 2n ** 64n),
  {
    ...refusal('infer-by-get', 'inference by GET'),
    ...{ level: 'robustness', clause: 'Errors: wrong method; documented servers answer 405' },
    run: (context: CheckContext): Promise<void> =>
      expectRefused(context, { method: 'GET', path: `${anyModel(context).path}/infer` }),
  },
  brokenLength('length-too-long', 'a Content-Length beyond the body', 16),
  brokenLength('length-too-short', 'a Content-Length within the body', -16),
  {
    id: 'odd.half-as-json',
    title: 'FP16 as JSON is answered or refused',
    ...{
      level: 'robustness',
      clause: 'Tensor Data: FP16 has no JSON; some servers take it, most refuse it with 400',
    },
    run: async (context: CheckContext): Promise<void> => {
      const takesHalf = ({ inputs }: ReadyModel): boolean =>
        inputs.some(({ datatype }) => datatype === 'FP16');
      const model = modelFor(context, 'any', { of: 'with FP16', is: takesHalf });
      const request = inferRequest(model, jsonBody(model.sample.tensors));
      const exchange = await context.talk.send(request);
      const { status } = exchange.answer;
      if (status !== 200) {
        if (status < 400 || status > 499)
          throw failureOf(exchange, 'status 200, or 4xx with {"error": "..."}');
        expectErrorBody(exchange);
      }
      await expectLive(context, request);
    },
  },
];

function odd(check: Check): Check {
  return { ...check, level: 'robustness', clause };
}

/** In a model that takes the datatype; skipped when there is none. */
function oddElement(id: string, title: string, datatypes: RegExp, element: string | number | bigint): Check {
  return odd({
    ...refusal(id, title),
    run: (context: CheckContext): Promise<void> => {
      const takes = (model: ReadyModel): boolean => {
        const first = model.inputs[0]?.datatype;
        return first !== undefined && datatypeTable[first].hasJson && datatypes.test(first);
      };
      const named = [
        ...new Set(context.models.filter(isReady).map(({ inputs }) => inputs[0]?.datatype)),
      ].join(', ');
      const model = modelFor(context, 'json', {
        of: `with a first input of the kind (there are ${named})`,
        is: takes,
      });
      return expectRefused(context, inferRequest(model, withElement(model, element)));
    },
  });
}

/** Most servers refuse or wait; one that needs longer to refuse loses nothing here. */
const unfinishedMs = 100;

/** Nobody can answer such a request rightly: to refuse it, to wait and to hang up are all allowed, to fall over is not. */
function brokenLength(id: string, title: string, extraBytes: number): Check {
  return {
    ...{ id: `odd.${id}`, title: `${title} does no harm`, level: 'robustness' },
    clause: 'RFC 9112: a message whose length is wrong is incomplete or followed by what is no request',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      const request = inferRequest(model, jsonBody(model.sample.tensors));
      const length = { 'content-length': String(Buffer.byteLength(request.body ?? '') + extraBytes) };
      const broken = { ...request, headers: { ...request.headers, ...length }, timeoutMs: unfinishedMs };
      try {
        const exchange = await context.talk.send(broken);
        if (exchange.answer.status < 400) throw failureOf(exchange, 'an error, or no answer');
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
      await expectLive(context, broken);
    },
  };
}

function withElement(model: ReadyModel, element: JsonValue): ReturnType<typeof withFirstInput> {
  return withFirstInput(model, (tensor) => ({
    ...jsonInput(tensor),
    data: [element, ...tensor.elements.slice(1)],
  }));
}

function withShape(model: ReadyModel, shape: readonly number[]): ReturnType<typeof withFirstInput> {
  return withFirstInput(model, (tensor) => ({ ...jsonInput(tensor), shape }));
}
