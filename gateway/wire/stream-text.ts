/**
 * The text frames of the WebSocket protocol `tidegate.v1`: the maps of its binary frames as JSON, for people with a
 * browser console. Tensor data are lists, as in the Open Inference Protocol over HTTP, whose readers and writers are
 * used here.
 * Invariant: whenever the id of a broken frame can be read, the error carries it.
 */
import { ByteWriter } from './byte-writer.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import type { InferReply } from './infer-request.ts';
import { JsonScanner } from './json-scanner.ts';
import { idCharactersMax, routingKeyCharactersMax, routingKeyTooLong } from './msgpack-request.ts';
import { encodeOipJson } from './oip-json-answer.ts';
import { readRequestField, type RequestDraft } from './oip-json.ts';
import { dueWithinMsMax, OptionsDraft } from './request-options.ts';
import type { AnswerNotes } from './stream-answer.ts';
import {
  type ClientFrame,
  type DecodedFrame,
  emptyFrame,
  type FrameId,
  missing,
  operationOf,
} from './stream-frame.ts';
import { WordTable } from './word-table.ts';

const comma = 0x2c;

const frameKeys = new WordTable([
  'op',
  'id',
  'model',
  'version',
  'routing_key',
  'inputs',
  'outputs',
  'deadline_ms',
  'priority',
  'parameters',
]);

type FrameKey = (typeof frameKeys.words)[number] | '';

interface FrameDraft extends Omit<RequestDraft, 'id'> {
  op: string | undefined;
  id: FrameId | undefined;
  model: string | undefined;
  version: string | undefined;
  routing_key: string | undefined;
}

/** Same fields and rules as `decodeStreamFrame`. Codes: EMPTY_BODY, MALFORMED_JSON, INVALID_REQUEST, UNSUPPORTED_PARAMETER. */
export function decodeTextFrame(text: Uint8Array): DecodedFrame {
  if (text.length === 0) return emptyFrame;
  const scanner = new JsonScanner(text);
  const decoded = readFrame(scanner);
  if (decoded.ok && scanner.finish()) return decoded;
  const problem = decoded.ok ? (scanner.fault ?? notJson) : decoded;
  const id = salvageId(text);
  return id === undefined ? problem : { ...problem, id };
}

const notJson = fail('MALFORMED_JSON', 'The frame is not JSON.');

/** As over HTTP in JSON, with the `id` in front, a number where it came as one. */
export function encodeTextReply(
  reply: InferReply,
  writer: ByteWriter,
  { rollout, cache }: AnswerNotes = {},
): void {
  answerWriter.reset();
  encodeOipJson({ ...reply, id: undefined }, answerWriter);
  writeIdPair(reply.id, writer);
  if (rollout !== undefined) {
    writer.ascii(',"rollout_id":');
    writer.jsonString(rollout.id);
    writer.ascii(`,"variant":"${rollout.variant}"`);
  }
  if (cache !== undefined) writer.ascii(`,"cache":"${cache}"`);
  writer.u8(comma);
  // Without its opening brace.
  writer.raw(answerWriter.bytes().subarray(1));
}

const answerWriter = new ByteWriter();

/** `{"id":7`, without the end of the object. */
export function writeIdPair(id: FrameId | undefined, writer: ByteWriter): void {
  writer.ascii('{"id":');
  if (typeof id === 'string') writer.jsonString(id);
  else if (id === undefined) writer.ascii('null');
  else writer.integer(id);
}

function readFrame(scanner: JsonScanner): Result<ClientFrame> {
  if (!scanner.enterObject()) return scanner.refuse('The frame', 'a JSON object');
  const draft: FrameDraft = {
    op: undefined,
    id: undefined,
    model: undefined,
    version: undefined,
    routing_key: undefined,
    inputs: undefined,
    outputs: undefined,
    parameters: undefined,
    options: undefined,
  };
  const seen = new Set<FrameKey>();
  for (let key = scanner.nextKey(frameKeys); key !== undefined; key = scanner.nextKey(frameKeys)) {
    if (key !== '' && seen.has(key)) return fail('INVALID_REQUEST', `The field ${key} is given twice.`);
    seen.add(key);
    const problem = readField(scanner, key, draft);
    if (problem !== undefined) return problem;
  }
  return scanner.fault ?? toFrame(draft);
}

function readField(scanner: JsonScanner, key: FrameKey, draft: FrameDraft): WireError | undefined {
  switch (key) {
    case 'op':
    case 'model':
    case 'version':
    case 'routing_key':
      if (scanner.skipNull()) return undefined;
      draft[key] = scanner.readName();
      if (draft[key] === undefined) return scanner.refuse(key, 'a string');
      return (draft.routing_key?.length ?? 0) > routingKeyCharactersMax ? routingKeyTooLong : undefined;
    case 'id':
      if (scanner.skipNull()) return undefined;
      return readIdInto(scanner, draft);
    case 'deadline_ms': {
      const ms = readWhole(scanner, { key, min: 1, max: dueWithinMsMax });
      if (typeof ms === 'object') return ms;
      if (ms !== undefined) (draft.options ??= new OptionsDraft()).dueWithin(ms);
      return undefined;
    }
    case 'priority': {
      const priority = readWhole(scanner, { key, min: 0, max: Number.MAX_SAFE_INTEGER });
      if (typeof priority === 'object') return priority;
      if (priority !== undefined) (draft.options ??= new OptionsDraft()).priority = priority;
      return undefined;
    }
    case 'inputs':
    case 'outputs':
    case 'parameters': {
      const shared: RequestDraft = { ...draft, id: undefined };
      const problem = readRequestField(scanner, key, { draft: shared, section: undefined });
      draft.inputs = shared.inputs;
      draft.outputs = shared.outputs;
      draft.parameters = shared.parameters;
      draft.options = shared.options;
      return problem;
    }
    case '':
      scanner.skipValue();
      return undefined;
  }
}

function readIdInto(scanner: JsonScanner, draft: FrameDraft): WireError | undefined {
  const id = scanner.readString() ?? scanner.readNumber();
  if (id === undefined) return scanner.refuse('id', 'a string or a whole number');
  if (!isFrameId(id)) return unfitId;
  draft.id = Object.is(id, -0) ? 0 : id;
  return undefined;
}

const unfitId = fail(
  'INVALID_REQUEST',
  `id must be a string of at most ${idCharactersMax} characters or a whole number from 0 to 2^53 - 1.`,
);

function isFrameId(id: FrameId): boolean {
  return typeof id === 'string' ? id.length <= idCharactersMax : Number.isSafeInteger(id) && id >= 0;
}

/** Undefined for null, which is as good as nothing. */
function readWhole(
  scanner: JsonScanner,
  { key, min, max }: { readonly key: string; readonly min: number; readonly max: number },
): number | undefined | WireError {
  if (scanner.skipNull()) return undefined;
  const value = scanner.readNumber();
  if (value === undefined) return scanner.refuse(key, 'a whole number');
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  return fail('INVALID_REQUEST', `${key} must be a whole number from ${min} to ${max}.`);
}

function toFrame(draft: FrameDraft): Result<ClientFrame> {
  const { op, id, model, version, routing_key: routingKey, inputs, outputs } = draft;
  if (op !== undefined) return operationOf(op, id);
  if (id === undefined) return missing('id');
  if (model === undefined) return missing('model');
  if (inputs === undefined) return missing('inputs');
  const options = draft.options?.finish(outputs?.length ?? 0);
  const request = { id, inputs, outputs: outputs ?? undefined, options };
  return succeed({ kind: 'request', id, model, version, routingKey, request });
}

const idKey = new WordTable(['id']);

/** Looks for the id alone, as far as the text can be walked. */
function salvageId(text: Uint8Array): FrameId | undefined {
  const scanner = new JsonScanner(text);
  if (!scanner.enterObject()) return undefined;
  for (let key = scanner.nextKey(idKey); key !== undefined; key = scanner.nextKey(idKey)) {
    if (key !== 'id') scanner.skipValue();
    else if (!scanner.skipNull()) {
      const id = scanner.readString() ?? scanner.readNumber();
      return id !== undefined && isFrameId(id) ? id : undefined;
    }
  }
  return undefined;
}
