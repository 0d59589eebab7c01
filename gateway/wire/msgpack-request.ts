/**
 * The fields of an inference request in msgpack, as they stand in an HTTP body and in a WebSocket frame alike.
 * It reads what is known, steps over what is not (later versions may add fields) and compares nothing with a model.
 * Invariant: a field is refused when it is of the wrong kind or sent twice; a nil in an optional field is no field.
 */
import type { Datatype } from '../../runtime/tensor/dtype.ts';
import { datatypes, isDatatype } from '../../runtime/tensor/dtype.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { fail, type WireError } from './error-code.ts';
import type { InputTensor, TensorSource } from './infer-request.ts';
import type { MsgpackCursor } from './msgpack-cursor.ts';
import { dueWithinMsMax, OptionsDraft, type OutputDraft, takeOutputParameter } from './request-options.ts';
import { quoted } from './strict-text.ts';

/** Inputs or outputs that one request may name; no model has as many. It bounds what a body of tiny maps can build. */
const tensorsMax = 1024;

/** Characters of an id; it is kept, compared and sent back for every request. */
export const idCharactersMax = 128;

/** Characters of a key that rollouts divide by: it is hashed for every request. */
export const routingKeyCharactersMax = 1024;

export const routingKeyTooLong: WireError = fail(
  'INVALID_REQUEST',
  `routing_key has at most ${routingKeyCharactersMax} characters.`,
);

/** What was found; a field that was not sent is null. */
export interface RequestFields {
  /** Says that the message is no request but asks for something else; only in frames. */
  op: string | null;
  id: string | number | null;
  model: string | null;
  version: string | null;
  routingKey: string | null;
  inputs: readonly InputTensor[] | null;
  outputs: readonly string[] | null;
  /** Undefined until something has parameters. */
  options: OptionsDraft | undefined;
  parameters: true | null;
}

/**
 * Reads the map that a message consists of, up to the last byte. `op`, `model`, `version`, `routing_key`, `deadline_ms`
 * and `priority` are fields only where `addressed` is true: over HTTP they are elsewhere and unknown in the body.
 * After null the cursor's `failure()` says why.
 */
export function readRequestFields(cursor: MsgpackCursor, addressed: boolean): RequestFields | null {
  const pairs = cursor.map('the message');
  if (pairs === null) return null;
  const fields: RequestFields = {
    op: null,
    id: null,
    model: null,
    version: null,
    routingKey: null,
    inputs: null,
    outputs: null,
    options: undefined,
    parameters: null,
  };
  for (let pair = 0; pair < pairs; pair++) {
    const key = cursor.word('a key');
    if (key === null || !readField(cursor, key, fields, addressed)) return null;
  }
  return cursor.end() ? fields : null;
}

/** A string or a whole number; the caller has made sure that it is not nil. */
export function readId(cursor: MsgpackCursor): string | number | null {
  if (!cursor.isString()) return cursor.whole('id');
  const id = cursor.word('id');
  if (id === null || id.length <= idCharactersMax) return id;
  return cursor.refuse(
    'INVALID_REQUEST',
    `id has ${id.length} characters; at most ${idCharactersMax} are taken.`,
  );
}

function readField(cursor: MsgpackCursor, key: string, fields: RequestFields, addressed: boolean): boolean {
  switch (key) {
    case 'id':
      if (fields.id !== null) return sentTwice(cursor, key);
      if (cursor.nil()) return true;
      return (fields.id = readId(cursor)) !== null;
    case 'inputs':
      if (fields.inputs !== null) return sentTwice(cursor, key);
      return (fields.inputs = readInputs(cursor)) !== null;
    case 'outputs':
      if (fields.outputs !== null) return sentTwice(cursor, key);
      if (cursor.nil()) return true;
      return (fields.outputs = readOutputs(cursor, fields)) !== null;
    case 'parameters':
      if (fields.parameters !== null) return sentTwice(cursor, key);
      fields.parameters = true;
      return cursor.nil() || readParameters(cursor, (fields.options ??= new OptionsDraft()));
    case 'deadline_ms':
      if (!addressed) return cursor.skip();
      return cursor.nil() || readDeadline(cursor, fields);
    case 'priority':
      if (!addressed) return cursor.skip();
      return cursor.nil() || readPriority(cursor, fields);
    case 'op':
      if (!addressed) return cursor.skip();
      if (fields.op !== null) return sentTwice(cursor, key);
      if (cursor.nil()) return true;
      return (fields.op = cursor.word(key)) !== null;
    case 'model':
      if (!addressed) return cursor.skip();
      if (fields.model !== null) return sentTwice(cursor, key);
      return (fields.model = cursor.word(key)) !== null;
    case 'version':
      if (!addressed) return cursor.skip();
      if (fields.version !== null) return sentTwice(cursor, key);
      if (cursor.nil()) return true;
      return (fields.version = cursor.word(key)) !== null;
    case 'routing_key':
      if (!addressed) return cursor.skip();
      if (fields.routingKey !== null) return sentTwice(cursor, key);
      if (cursor.nil()) return true;
      return (fields.routingKey = readRoutingKey(cursor)) !== null;
    default:
      return cursor.skip();
  }
}

function readRoutingKey(cursor: MsgpackCursor): string | null {
  const key = cursor.word('routing_key');
  return key === null || key.length <= routingKeyCharactersMax
    ? key
    : cursor.refuse(routingKeyTooLong.code, routingKeyTooLong.message);
}

/** `deadline_ms` of a frame: whole milliseconds from its arrival. */
function readDeadline(cursor: MsgpackCursor, fields: RequestFields): boolean {
  const ms = cursor.whole('deadline_ms');
  if (ms === null) return false;
  if (ms < 1 || ms > dueWithinMsMax) {
    cursor.refuse('INVALID_REQUEST', `deadline_ms must be a whole number from 1 to ${dueWithinMsMax}.`);
    return false;
  }
  fields.options ??= new OptionsDraft();
  fields.options.dueWithin(ms);
  return true;
}

function readPriority(cursor: MsgpackCursor, fields: RequestFields): boolean {
  const priority = cursor.whole('priority');
  if (priority === null) return false;
  fields.options ??= new OptionsDraft();
  fields.options.priority = priority;
  return true;
}

function readInputs(cursor: MsgpackCursor): readonly InputTensor[] | null {
  const count = readTensorCount(cursor, 'inputs');
  if (count === null) return null;
  const inputs: InputTensor[] = [];
  for (let index = 0; index < count; index++) {
    const input = readInput(cursor);
    if (input === null) return null;
    inputs.push(input);
  }
  return inputs;
}

function readInput(cursor: MsgpackCursor): InputTensor | null {
  const pairs = cursor.map('an element of inputs');
  if (pairs === null) return null;
  let name: string | null = null;
  let datatype: Datatype | null = null;
  let shape: readonly number[] | null = null;
  let source: TensorSource | null = null;
  for (let pair = 0; pair < pairs; pair++) {
    const key = cursor.word('a key');
    switch (key) {
      case null:
        return null;
      case 'name':
        if (name !== null) return cursor.refuse('INVALID_REQUEST', twice(key));
        if ((name = cursor.word('the name of an input')) === null) return null;
        break;
      case 'datatype':
        if (datatype !== null) return cursor.refuse('INVALID_REQUEST', twice(key));
        if ((datatype = readDatatype(cursor)) === null) return null;
        break;
      case 'shape':
        if (shape !== null) return cursor.refuse('INVALID_REQUEST', twice(key));
        if ((shape = readShape(cursor)) === null) return null;
        break;
      case 'data':
        if (source !== null) return cursor.refuse('INVALID_REQUEST', twice(key));
        if ((source = readSource(cursor)) === null) return null;
        break;
      default:
        if (!cursor.skip()) return null;
    }
  }
  if (name === null || datatype === null || shape === null || source === null) {
    const label = name === null ? 'An input' : `Input ${quoted(name)}`;
    return cursor.refuse('INVALID_REQUEST', `${label} needs a name, a datatype, a shape and data.`);
  }
  return { name, datatype, shape, source };
}

function readDatatype(cursor: MsgpackCursor): Datatype | null {
  const name = cursor.word('the datatype of an input');
  if (name === null || isDatatype(name)) return name;
  return cursor.refuse('INVALID_REQUEST', `The datatype ${quoted(name)} is none of ${datatypes.join(', ')}.`);
}

function readShape(cursor: MsgpackCursor): readonly number[] | null {
  const rank = cursor.array('the shape of an input');
  if (rank === null) return null;
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const size = cursor.whole('a dimension of a shape');
    if (size === null) return null;
    shape.push(size);
  }
  if (Number.isSafeInteger(elementCount(shape))) return shape;
  return cursor.refuse('INVALID_REQUEST', 'The shape of an input has more than 2^53 - 1 elements.');
}

function readSource(cursor: MsgpackCursor): TensorSource | null {
  if (cursor.isBinary()) {
    const bytes = cursor.binary('data');
    return bytes && { kind: 'packed', bytes };
  }
  const values = cursor.elements('data');
  return values && { kind: 'values', values };
}

/** The parameters of the request; a value that is nil was not sent. */
function readParameters(cursor: MsgpackCursor, options: OptionsDraft): boolean {
  return readMap(cursor, 'parameters', (name) => {
    const value = cursor.scalar(`The parameter ${quoted(name)}`);
    return value === null ? false : accepted(cursor, options.take(name, value));
  });
}

/** The parameters of an output; those that are not known may hold anything. */
function readOutputParameters(cursor: MsgpackCursor, draft: OutputDraft): boolean {
  return readMap(cursor, 'the parameters of an output', (name) => {
    if (name !== 'binary_data' && name !== 'classification') return cursor.skip();
    const value = cursor.scalar(`The parameter ${name}`);
    if (value === null) return false;
    return accepted(cursor, takeOutputParameter(draft, { name, value, where: 'outputs' }));
  });
}

function readMap(cursor: MsgpackCursor, what: string, read: (name: string) => boolean): boolean {
  const pairs = cursor.map(what);
  if (pairs === null) return false;
  for (let pair = 0; pair < pairs; pair++) {
    const name = cursor.word('a key');
    if (name === null || (!cursor.nil() && !read(name))) return false;
  }
  return true;
}

function accepted(cursor: MsgpackCursor, problem: WireError | undefined): boolean {
  if (problem !== undefined) cursor.refuse(problem.code, problem.message);
  return problem === undefined;
}

function readOutputs(cursor: MsgpackCursor, fields: RequestFields): readonly string[] | null {
  const count = readTensorCount(cursor, 'outputs');
  if (count === null) return null;
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    const name = readOutput(cursor, index, fields);
    if (name === null) return null;
    names.push(name);
  }
  return names;
}

function readOutput(cursor: MsgpackCursor, index: number, fields: RequestFields): string | null {
  const pairs = cursor.map('an element of outputs');
  if (pairs === null) return null;
  let name: string | null = null;
  for (let pair = 0; pair < pairs; pair++) {
    const key = cursor.word('a key');
    if (key === null) return null;
    if (key === 'name') {
      if (name !== null) return cursor.refuse('INVALID_REQUEST', twice(key));
      if ((name = cursor.word('the name of an output')) === null) return null;
    } else if (key === 'parameters' && !cursor.nil()) {
      const form = { binary: undefined, classes: 0 };
      if (!readOutputParameters(cursor, form)) return null;
      fields.options ??= new OptionsDraft();
      fields.options.output(index, form);
    } else if (key !== 'parameters' && !cursor.skip()) {
      return null;
    }
  }
  return name ?? cursor.refuse('INVALID_REQUEST', 'An element of outputs needs a name.');
}

function readTensorCount(cursor: MsgpackCursor, what: string): number | null {
  const count = cursor.array(what);
  if (count === null || count <= tensorsMax) return count;
  return cursor.refuse('INVALID_REQUEST', `${what} has ${count} elements; at most ${tensorsMax} are read.`);
}

function sentTwice(cursor: MsgpackCursor, key: string): false {
  cursor.refuse('INVALID_REQUEST', twice(key));
  return false;
}

function twice(key: string): string {
  return `The field ${key} is given twice.`;
}
