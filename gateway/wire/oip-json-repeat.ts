/**
 * Requests that are like the one before: a client mostly sends the same text again, with other numbers in its data. What
 * stands around the data is compared with the last request for the same model, and read again only when it differs.
 *
 *     {"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data": | [1.5,2.5] | }]}
 *     head                                                                         tail
 *
 * Invariant: the answer is the one `decodeOipJson` gives. Where a JSON document has an array, any other array may stand,
 * so text with this head, one array and this tail is the remembered request with that array as its data.
 */
import type { ModelSignature } from '../../runtime/tensor/signature.ts';
import { type Result, succeed } from './error-code.ts';
import type { InferRequest, InputTensor } from './infer-request.ts';
import { endOfValue, openBracket } from './json-token.ts';
import { decodeOipJson } from './oip-json.ts';

/** A longer head or tail is not remembered: comparing it would save little, and it would be kept for nothing. */
const rememberedBytesMax = 1024;
/** Data nested deeper than any shape is left to the decoder, which says what is wrong with it. */
const dataDepthMax = 16;

/** What a request looked like around its data. */
interface Surroundings {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  readonly input: Omit<InputTensor, 'source'>;
  readonly outputs: InferRequest['outputs'];
  readonly options: InferRequest['options'];
}

/** The last request for each model that can be asked for; a model that is unloaded takes it along. */
const lastOf = new WeakMap<ModelSignature, Surroundings>();

/** Same as `decodeOipJson`; the signature only says which requests are likely to be alike. */
export function decodeRepeated(body: Uint8Array, signature: ModelSignature): Result<InferRequest> {
  const last = lastOf.get(signature);
  const repeated = last === undefined ? undefined : readLike(last, body);
  if (repeated !== undefined) return repeated;
  const decoded = decodeOipJson(body);
  if (decoded.ok) remember(body, signature, decoded.value);
  return decoded;
}

/** The request in `body`, undefined unless all but its data is as it was in the last one. */
function readLike(last: Surroundings, body: Uint8Array): Result<InferRequest> | undefined {
  const { head, tail, input, outputs, options } = last;
  const start = head.length;
  const end = body.length - tail.length;
  if (start >= end || body[start] !== openBracket) return undefined;
  if (!standsAt(body, 0, head) || !standsAt(body, end, tail)) return undefined;
  if (endOfValue(body, start, end, dataDepthMax) !== end) return undefined;
  const { name, datatype, shape } = input;
  const source = { kind: 'json', text: body, start, end } as const;
  return succeed({ id: undefined, inputs: [{ name, datatype, shape, source }], outputs, options });
}

/** Only requests with one input: where there are several, each would have data in the text around the others. */
function remember(body: Uint8Array, signature: ModelSignature, request: InferRequest): void {
  const [input] = request.inputs;
  // An id is another one in each request.
  if (input?.source.kind !== 'json' || request.inputs.length > 1 || request.id !== undefined) return;
  const { start, end } = input.source;
  if (start > rememberedBytesMax || body.length - end > rememberedBytesMax) return;
  const { name, datatype, shape } = input;
  lastOf.set(signature, {
    head: body.slice(0, start),
    tail: body.slice(end),
    input: { name, datatype, shape },
    outputs: request.outputs,
    options: request.options,
  });
}

function standsAt(body: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) {
    if (body[at + index] !== bytes[index]) return false;
  }
  return true;
}
