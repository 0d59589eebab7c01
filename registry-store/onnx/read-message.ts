/**
 * Reads one protobuf message from bytes that nobody vouches for, following a schema.
 * Every outcome is a value: depth, count of items and count of numbers are bounded, so neither time nor memory can
 * run away, whatever the bytes say. It is stricter than protobuf where two parsers could see two different models:
 * a field of the wrong wire type, or a single field that comes twice, is refused rather than skipped or merged.
 */
import protobuf from 'protobufjs/minimal.js';
import { numberWires, readInt64 } from './number-list.ts';
import type { NumberList } from './number-list.ts';
import type { NamedField, Schema } from './message-schema.ts';

export interface ReadLimits {
  /** Nesting of messages. 100 is what other protobuf parsers allow; a subgraph takes three levels. */
  readonly depthMax: number;
  /** Messages, texts and byte strings together; each becomes an object of about a hundred bytes. */
  readonly itemsMax: number;
  /** Numbers in lists; each becomes up to 8 bytes. Raw tensor data does not count: it is not copied. */
  readonly numbersMax: number;
}

const defaultReadLimits: ReadLimits = { depthMax: 100, itemsMax: 2_000_000, numbersMax: 32_000_000 };

type ReadRefusal = 'MALFORMED' | 'TOO_DEEP' | 'TOO_LARGE';

export type ReadResult<Message> =
  | { readonly ok: true; readonly value: Message }
  | { readonly ok: false; readonly code: ReadRefusal; readonly message: string };

/** Byte fields of the result alias `bytes`. Fields the schema does not know are skipped, as newer files have more. */
export function readMessage<Message>(
  schema: Schema<Message>,
  bytes: Uint8Array,
  limits: ReadLimits = defaultReadLimits,
): ReadResult<Message> {
  // A plain view: the library's reader for Buffers would hand out Buffers.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const value = new MessageReader(limits).read(schema, view, 0);
    return { ok: true, value: value as Message };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, code: error.code, message: error.message };
    // The library says "index out of range" and "invalid wire type" by throwing.
    return { ok: false, code: 'MALFORMED', message: error instanceof Error ? error.message : 'unreadable' };
  }
}

class Refused extends Error {
  readonly code: ReadRefusal;

  constructor(code: ReadRefusal, message: string) {
    super(message);
    this.code = code;
  }
}

type FieldsById = ReadonlyMap<number, NamedField>;
const fieldsById = new WeakMap<Schema<unknown>, FieldsById>();

function fieldsOf(schema: Schema<unknown>): FieldsById {
  let fields = fieldsById.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((named) => [named.field.id, named]));
    fieldsById.set(schema, fields);
  }
  return fields;
}

/** One message being read. Most messages of a file are small, so the map of open lists is made only when needed. */
interface Draft {
  readonly values: Record<string, unknown>;
  numbers?: Map<string, NumberList>;
}

class MessageReader {
  private readonly limits: ReadLimits;
  private items = 0;
  private numbers = 0;

  constructor(limits: ReadLimits) {
    this.limits = limits;
  }

  read(schema: Schema<unknown>, view: Uint8Array, depth: number): Record<string, unknown> {
    if (depth > this.limits.depthMax) {
      throw new Refused('TOO_DEEP', `messages are nested deeper than ${this.limits.depthMax}`);
    }
    const fields = fieldsOf(schema);
    const reader = new protobuf.Reader(view);
    const draft: Draft = { values: {} };
    while (reader.pos < view.length) {
      const tag = reader.uint32();
      if (tag >>> 3 === 0) throw new Refused('MALFORMED', 'field number 0');
      const named = fields.get(tag >>> 3);
      if (named === undefined) reader.skipType(tag & 7);
      else this.readField(draft, { named, wireType: tag & 7, reader, view, depth });
    }
    for (const [name, list] of draft.numbers ?? []) draft.values[name] = list.finish();
    return draft.values;
  }

  private readField(draft: Draft, at: FieldPlace): void {
    const { name, field } = at.named;
    if (field.kind === 'numbers') {
      draft.numbers ??= new Map();
      const list = draft.numbers.get(name) ?? numberWires[field.of].open();
      draft.numbers.set(name, list);
      this.readNumbers(list, at, numberWires[field.of].wireType);
      return;
    }
    const value = this.readSingle(at);
    if ('repeated' in field && field.repeated) {
      const list = draft.values[name];
      if (Array.isArray(list)) list.push(value);
      else draft.values[name] = [value];
      return;
    }
    if (name in draft.values) throw new Refused('MALFORMED', `${name} is given twice`);
    draft.values[name] = value;
  }

  private readSingle(at: FieldPlace): unknown {
    const { reader, named } = at;
    const { field } = named;
    switch (field.kind) {
      case 'int32':
        expectWireType(at, 0);
        return reader.int32();
      case 'int64':
        expectWireType(at, 0);
        return readInt64(reader);
      case 'float':
        expectWireType(at, 5);
        return reader.float();
      case 'text':
        this.countItem();
        return decodeText(this.readSpan(at), named.name);
      case 'bytes':
        this.countItem();
        return this.readSpan(at);
      case 'message':
        this.countItem();
        return this.read(field.schema(), this.readSpan(at), at.depth + 1);
      case 'numbers':
        throw new TypeError('lists of numbers are read by readNumbers');
    }
  }

  /** The bytes of a length-delimited field, aliasing the message's. */
  private readSpan(at: FieldPlace): Uint8Array {
    expectWireType(at, 2);
    const length = at.reader.uint32();
    const start = at.reader.pos;
    at.reader.skip(length);
    return at.view.subarray(start, start + length);
  }

  private readNumbers(list: NumberList, at: FieldPlace, singleWireType: 0 | 1 | 5): void {
    if (at.wireType !== 2) {
      expectWireType(at, singleWireType);
      this.countNumbers(1);
      list.push(at.reader);
      return;
    }
    const span = this.readSpan(at);
    const count = countPacked(span, singleWireType);
    this.countNumbers(count);
    list.reserve(count);
    const reader = new protobuf.Reader(span);
    while (reader.pos < span.length) list.push(reader);
  }

  private countItem(): void {
    this.items++;
    if (this.items > this.limits.itemsMax) {
      throw new Refused('TOO_LARGE', `more than ${this.limits.itemsMax} items`);
    }
  }

  private countNumbers(count: number): void {
    this.numbers += count;
    if (this.numbers > this.limits.numbersMax) {
      throw new Refused('TOO_LARGE', `more than ${this.limits.numbersMax} numbers in lists`);
    }
  }
}

interface FieldPlace {
  readonly named: NamedField;
  readonly wireType: number;
  readonly reader: protobuf.Reader;
  /** The bytes the reader reads. */
  readonly view: Uint8Array;
  readonly depth: number;
}

function expectWireType(at: FieldPlace, expected: number): void {
  if (at.wireType !== expected) {
    throw new Refused('MALFORMED', `${at.named.name} has wire type ${at.wireType}, not ${expected}`);
  }
}

/** How many numbers a packed span holds; a varint ends at a byte below 128. */
function countPacked(span: Uint8Array, singleWireType: 0 | 1 | 5): number {
  if (singleWireType !== 0) return Math.ceil(span.length / (singleWireType === 1 ? 8 : 4));
  let count = 0;
  for (const byte of span) if (byte < 128) count++;
  return count;
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeText(span: Uint8Array, name: string): string {
  try {
    return strictText.decode(span);
  } catch {
    throw new Refused('MALFORMED', `${name} is not UTF-8`);
  }
}
