/**
 * What checks have in common: sending, and saying in one line what must have come back. Each throws a `CheckFailure` with
 * the exchange in it.
 */
import { inspect } from 'node:util';
import { type CheckContext, CheckFailure, CheckSkipped, describeAnswer, failureOf } from './check.ts';
import { readJson } from './exact-json.ts';
import type { DiscoveredModel, Form } from './discovered-model.ts';
import { type Exchange, type HttpRequest, NoAnswer } from './http-talk.ts';
import {
  binaryBody,
  type InferAnswer,
  type InferBody,
  type InferOptions,
  isObject,
  jsonBody,
  readInferAnswer,
} from './infer-message.ts';
import { firstDifference, type Tensor } from './tensor.ts';

export type ReadyModel = DiscoveredModel & { readonly sample: { readonly kind: 'answered' } };

export async function expectOk(context: CheckContext, request: HttpRequest): Promise<Exchange> {
  const exchange = await context.talk.send(request);
  if (exchange.answer.status !== 200) throw failureOf(exchange, 'status 200');
  return exchange;
}

export async function expectJson(context: CheckContext, request: HttpRequest): Promise<[Exchange, unknown]> {
  const exchange = await expectOk(context, request);
  try {
    return [exchange, readJson(exchange.answer.body.toString())];
  } catch {
    throw failureOf(exchange, 'a body of JSON');
  }
}

export async function expectObject(
  context: CheckContext,
  request: HttpRequest,
): Promise<[Exchange, Readonly<Record<string, unknown>>]> {
  const [exchange, value] = await expectJson(context, request);
  if (!isObject(value)) throw failureOf(exchange, 'a JSON object');
  return [exchange, value];
}

/** The fields of an object that must be there with a certain `typeof`. */
export function expectFields(
  exchange: Exchange,
  value: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, 'string' | 'number' | 'boolean' | 'list' | 'object'>>,
): void {
  for (const [name, kind] of Object.entries(fields)) {
    const field = value[name];
    const isAsked =
      kind === 'list' ? Array.isArray(field) : kind === 'object' ? isObject(field) : typeof field === kind;
    if (!isAsked) throw failureOf(exchange, `'${name}' as a ${kind}`, `it is ${inspect(field)}`);
  }
}

/**
 * A refusal as the protocol wants it: a status that blames the request, a body of JSON with the reason in `error`, and a
 * server that goes on.
 */
export async function expectRefused(
  context: CheckContext,
  request: HttpRequest,
  statuses?: readonly number[],
): Promise<void> {
  const exchange = await context.talk.send(request);
  const { status } = exchange.answer;
  const isAsked = statuses === undefined ? status >= 400 && status < 500 : statuses.includes(status);
  const asked = statuses === undefined ? 'a status from 400 to 499' : `status ${statuses.join(' or ')}`;
  if (!isAsked) throw failureOf(exchange, `${asked} with {"error": "..."}`);
  expectErrorBody(exchange);
  await expectLive(context, request);
}

export function expectErrorBody(exchange: Exchange): void {
  let value: unknown;
  try {
    value = readJson(exchange.answer.body.toString());
  } catch {
    throw failureOf(exchange, 'a body of JSON, {"error": "..."}');
  }
  if (!isObject(value) || typeof value['error'] !== 'string' || value['error'] === '') {
    throw failureOf(exchange, "an object with a text in 'error'");
  }
}

/** After a request that was refused, whatever it was. */
export async function expectLive(context: CheckContext, after: HttpRequest): Promise<void> {
  const expected = 'a server that is live afterwards (GET /v2/health/live is 200)';
  let received: string;
  try {
    const exchange = await context.talk.send({ method: 'GET', path: '/v2/health/live' });
    if (exchange.answer.status === 200) return;
    received = describeAnswer(exchange);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    received = error.message;
  }
  throw new CheckFailure({ sent: after, expected, received });
}

/** A request for the model in the one form or the other; `binary` asks for every output in bytes. */
export function inferBody(form: Form, tensors: readonly Tensor[], options: InferOptions = {}): InferBody {
  if (form === 'json') return jsonBody(tensors, options);
  return binaryBody(tensors, { ...options, parameters: { binary_data_output: true, ...options.parameters } });
}

export function inferRequest(model: DiscoveredModel, body: InferBody, path?: string): HttpRequest {
  return { method: 'POST', path: `${path ?? model.path}/infer`, ...body };
}

/** The answer, held against the protocol and the metadata of the model. */
export async function expectInference(
  context: CheckContext,
  model: DiscoveredModel,
  request: HttpRequest,
  outputNames?: readonly string[],
): Promise<[Exchange, InferAnswer]> {
  const exchange = await expectOk(context, request);
  const read = readInferAnswer(exchange.answer);
  if (!read.ok) throw failureOf(exchange, 'an inference response', read.problem);
  const { modelName, modelVersion, outputs } = read.value;
  if (modelName !== model.name) throw failureOf(exchange, `'model_name' '${model.name}'`);
  if (modelVersion !== undefined && typeof modelVersion !== 'string') {
    throw failureOf(exchange, "'model_version' as text, where it is there");
  }
  const names = outputs.map(({ name }) => name);
  const wanted = outputNames ?? model.outputs.map(({ name }) => name);
  if (names.toSorted().join('\n') !== wanted.toSorted().join('\n')) {
    throw failureOf(exchange, `the outputs ${wanted.join(', ')}`, `they are ${names.join(', ') || 'none'}`);
  }
  for (const output of outputs) {
    const port = model.outputs.find(({ name }) => name === output.name);
    if (port === undefined) continue;
    const { shape } = output;
    const fits =
      shape.length === port.shape.length && port.shape.every((size, at) => size < 0 || size === shape[at]);
    if (output.datatype !== port.datatype || !fits) {
      const expected = `'${port.name}' as ${port.datatype} of [${port.shape.join(',')}], as the metadata says`;
      throw failureOf(exchange, expected, `it is ${output.datatype} of [${shape.join(',')}]`);
    }
  }
  return [exchange, read.value];
}

/** Inputs that the model gives back must come back as they were sent. */
export function expectEcho(
  exchange: Exchange,
  {
    model,
    tensors,
    answer,
  }: {
    readonly model: DiscoveredModel;
    readonly tensors: readonly Tensor[];
    readonly answer: InferAnswer;
  },
): void {
  for (const tensor of tensors) {
    const output = answer.outputs.find(({ name }) => name === model.echoes.get(tensor.name));
    const difference = output === undefined ? undefined : firstDifference(tensor, output.elements);
    if (difference !== undefined) {
      const expected = `'${output?.name ?? ''}' with the values of '${tensor.name}', which this model gives back`;
      throw failureOf(exchange, expected, difference);
    }
  }
}

export function isReady(model: DiscoveredModel): model is ReadyModel {
  return model.sample.kind === 'answered';
}

/** The first model that answers requests of the form and is as wanted. */
export function modelFor(
  { models }: CheckContext,
  form: Form | 'any',
  wanted?: { readonly of: string; readonly is: (model: ReadyModel) => boolean },
): ReadyModel {
  const found = models.filter(isReady).find((model) => {
    return (form === 'any' || form === 'binary' || model.sample.form === form) && (wanted?.is(model) ?? true);
  });
  if (found !== undefined) return found;
  const asked = form === 'any' ? 'requests' : form === 'json' ? 'JSON requests' : 'binary requests';
  throw new CheckSkipped(`no model${wanted === undefined ? '' : ` ${wanted.of}`} answers ${asked}`);
}
