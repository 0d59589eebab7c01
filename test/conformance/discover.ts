/**
 * Finds out what there is to check: the server's extensions, its models, and for each model a request that it answers.
 * Nothing is judged here. A server that cannot be reached, or names no model, cannot be checked at all.
 */
import { datatypeTable } from './datatype.ts';
import {
  type DiscoveredModel,
  type Form,
  formFor,
  modelPath,
  ordinaryTensors,
  readIndex,
  readSignature,
  type Sample,
  type Signature,
} from './discovered-model.ts';
import { readJson } from './exact-json.ts';
import { type Exchange, type HttpAnswer, type HttpTalk, NoAnswer } from './http-talk.ts';
import { binaryBody, type InferAnswer, isObject, jsonBody, readInferAnswer } from './infer-message.ts';
import { filledTensor, firstDifference, type Tensor } from './tensor.ts';

export interface Discovery {
  readonly extensions: ReadonlySet<string>;
  readonly serverName: string;
  readonly models: readonly DiscoveredModel[];
  /** Models of the index that were left out, because there are more than anybody waits for. */
  readonly modelsLeftOut: number;
}

export interface Wanted {
  /** Empty for those that the index has. */
  readonly models: readonly string[];
  /** Tensors that a model accepts, where generated ones would make no sense to it. */
  readonly samples: ReadonlyMap<string, readonly Tensor[]>;
}

/** The reason is for the user; the process ends with 2. */
export class CannotRun extends Error {}

/** More of them find nothing new; who wants others names them. */
const indexedModelsMax = 40;
export const binaryExtension = 'binary_tensor_data';

export async function discover(talk: HttpTalk, wanted: Wanted): Promise<Discovery> {
  try {
    await talk.send({ method: 'GET', path: '/v2/health/live' });
  } catch (error) {
    if (error instanceof NoAnswer) throw new CannotRun(`The server cannot be reached: ${error.message}.`);
    throw error;
  }
  const metadata = await jsonOf(talk, { method: 'GET', path: '/v2' });
  const { extensions, name } = isObject(metadata) ? metadata : {};
  // Some say "model_repository_extension" where others say "model_repository".
  const named = Array.isArray(extensions) ? extensions.map(String) : [];
  const advertised = new Set(named.map((extension) => extension.replace(/_extension$/, '')));
  const names = wanted.models.length > 0 ? wanted.models : await indexedModels(talk);
  const chosen = wanted.models.length > 0 ? names : names.slice(0, indexedModelsMax);
  const models: DiscoveredModel[] = [];
  for (const model of chosen) {
    const sample = wanted.samples.get(model);
    const isNamed = wanted.models.length > 0;
    const options = { hasBinary: advertised.has(binaryExtension), isNamed, sample };
    models.push(await discoverModel(talk, model, options));
  }
  return {
    extensions: advertised,
    serverName: typeof name === 'string' ? name : 'unnamed',
    models,
    modelsLeftOut: names.length - chosen.length,
  };
}

async function indexedModels(talk: HttpTalk): Promise<readonly string[]> {
  const request = { method: 'POST', path: '/v2/repository/index', headers: jsonType, body: '{}' } as const;
  const names = readIndex(await jsonOf(talk, request));
  if (names === undefined) {
    throw new CannotRun('The server has no index of its models. Name those to use with --model.');
  }
  if (names.length === 0) throw new CannotRun('The index of the server has no model that is ready.');
  return names;
}

const jsonType = { 'content-type': 'application/json' };

async function discoverModel(
  talk: HttpTalk,
  name: string,
  given: {
    readonly hasBinary: boolean;
    /** By the user, whose mistake it may be that there is no such model. */
    readonly isNamed: boolean;
    readonly sample: readonly Tensor[] | undefined;
  },
): Promise<DiscoveredModel> {
  const path = modelPath(name);
  const exchange = await sendOr(talk, { method: 'GET', path });
  if (exchange instanceof NoAnswer) return unreadable(name, `its metadata: ${exchange.message}`);
  const { status } = exchange.answer;
  if (given.isNamed && (status === 404 || status === 400))
    throw new CannotRun(`The server does not know the model '${name}'.`);
  const signature = readSignature(jsonOfAnswer(exchange.answer));
  if (signature === undefined) return unreadable(name, `its metadata cannot be read (${status})`);
  const form = formFor(signature, given.hasBinary);
  if (form === undefined) {
    const reason = `it has FP16 or BF16, which go as bytes, and ${binaryExtension} is not advertised`;
    return { name, path, ...signature, sample: { kind: 'none', reason }, echoes: new Map() };
  }
  const ask = { talk, path, form };
  const sample = await findSample(ask, signature, given.sample);
  const echoes =
    sample.kind === 'answered'
      ? await findEchoes(ask, sample.tensors, sample.answer)
      : new Map<string, string>();
  return { name, path, ...signature, sample, echoes };
}

function unreadable(name: string, reason: string): DiscoveredModel {
  const nothing = { inputs: [], outputs: [], versions: [] };
  return { name, path: modelPath(name), ...nothing, sample: { kind: 'none', reason }, echoes: new Map() };
}

interface Ask {
  readonly talk: HttpTalk;
  readonly path: string;
  readonly form: Form;
}

/** Two rows show more than one, but some models take only one. */
const freeSizes = [2, 1];

async function findSample(
  ask: Ask,
  { inputs }: Signature,
  given: readonly Tensor[] | undefined,
): Promise<Sample> {
  const candidates = given === undefined ? freeSizes.map((size) => ordinaryTensors(inputs, size)) : [given];
  let refused: Sample = { kind: 'none', reason: 'it has no request' };
  for (const tensors of candidates) {
    const last = await send(ask, tensors);
    if (!(last instanceof NoAnswer) && last.answer.status === 200) {
      const read = readInferAnswer(last.answer);
      if (read.ok) return { kind: 'answered', form: ask.form, tensors, answer: read.value };
    }
    refused = { kind: 'refused', form: ask.form, tensors, last };
    // What is slow once is slow again; the check that needs the answer says so.
    if (last instanceof NoAnswer) break;
  }
  return refused;
}

/** An output that has the input's values for two different requests gives it back. */
async function findEchoes(
  ask: Ask,
  tensors: readonly Tensor[],
  first: InferAnswer,
): Promise<ReadonlyMap<string, string>> {
  const others = tensors.map((tensor) => filledTensor(tensor, unlikely(tensor)));
  const exchange = await send(ask, others);
  if (exchange instanceof NoAnswer || exchange.answer.status !== 200) return new Map();
  const second = readInferAnswer(exchange.answer);
  if (!second.ok) return new Map();
  const echoes = tensors.flatMap((tensor, index): (readonly [string, string])[] => {
    const other = others[index] ?? tensor;
    const output = first.outputs.find(
      ({ name }) => isEcho(tensor, first, name) && isEcho(other, second.value, name),
    );
    return output === undefined ? [] : [[tensor.name, output.name]];
  });
  return new Map(echoes);
}

function isEcho(tensor: Tensor, answer: InferAnswer, outputName: string): boolean {
  const output = answer.outputs.find(({ name }) => name === outputName);
  return (
    output?.datatype === tensor.datatype &&
    output.shape.join() === tensor.shape.join() &&
    firstDifference(tensor, output.elements) === undefined
  );
}

/** Values that no model gives by chance; those that would be out of its range make it refuse, and then it is no echo. */
function unlikely({ datatype }: Tensor): readonly Tensor['elements'][number][] {
  if (datatype === 'BOOL') return [false, true, true];
  if (datatype === 'BYTES') return ['tide', 'gate', ''];
  const values = [61, 7, 83, 29];
  return typeof datatypeTable[datatype].ordinary[0] === 'bigint' ? values.map(BigInt) : values;
}

function send({ talk, path, form }: Ask, tensors: readonly Tensor[]): Promise<Exchange | NoAnswer> {
  const message =
    form === 'json' ? jsonBody(tensors) : binaryBody(tensors, { parameters: { binary_data_output: true } });
  return sendOr(talk, { method: 'POST', path: `${path}/infer`, ...message });
}

async function sendOr(talk: HttpTalk, request: Exchange['request']): Promise<Exchange | NoAnswer> {
  try {
    return await talk.send(request);
  } catch (error) {
    if (error instanceof NoAnswer) return error;
    throw error;
  }
}

/** Undefined when there was no answer, or none of JSON. */
async function jsonOf(talk: HttpTalk, request: Exchange['request']): Promise<unknown> {
  const exchange = await sendOr(talk, request);
  return exchange instanceof NoAnswer ? undefined : jsonOfAnswer(exchange.answer);
}

function jsonOfAnswer({ status, body }: HttpAnswer): unknown {
  if (status !== 200) return undefined;
  try {
    return readJson(body.toString());
  } catch {
    return undefined;
  }
}
