/**
 * Writes one protobuf message, following a schema: fields in ascending order of number, numbers of a list packed.
 * The same value always gives the same bytes, which is what lets a retrained model be compared with a committed one.
 */
import protobuf from 'protobufjs/minimal.js';
import type { NamedField, NumberArray, NumberKind, Schema } from './message-schema.ts';

/** Absent fields are not written; present ones are, also when they hold a default. Empty lists are not. */
export function writeMessage<Message extends object>(schema: Schema<Message>, message: Message): Uint8Array {
  const writer = new protobuf.Writer();
  writeFields(writer, schema, message as Readonly<Record<string, unknown>>);
  return writer.finish();
}

type Values = Readonly<Record<string, unknown>>;

function writeFields(writer: protobuf.Writer, schema: Schema<unknown>, message: Values): void {
  for (const named of schema.fields) {
    const value = message[named.name];
    if (value === undefined) continue;
    const { field } = named;
    if (field.kind === 'numbers') writeNumbers(writer, named, value as NumberArray);
    else if ('repeated' in field && field.repeated) {
      for (const item of value as readonly unknown[]) writeSingle(writer, named, item);
    } else writeSingle(writer, named, value);
  }
}

/** The casts hold because a schema and its interface are tied by the compiler; see message-schema.ts. */
function writeSingle(writer: protobuf.Writer, { field }: NamedField, value: unknown): void {
  switch (field.kind) {
    case 'int32':
      writer.uint32(tag(field.id, 0)).int32(value as number);
      return;
    case 'int64':
      writer.uint32(tag(field.id, 0)).int64((value as bigint).toString());
      return;
    case 'float':
      writer.uint32(tag(field.id, 5)).float(value as number);
      return;
    case 'text':
      writer.uint32(tag(field.id, 2)).string(value as string);
      return;
    case 'bytes':
      writer.uint32(tag(field.id, 2)).bytes(value as Uint8Array);
      return;
    case 'message':
      writer.uint32(tag(field.id, 2)).fork();
      writeFields(writer, field.schema(), value as Values);
      writer.ldelim();
      return;
    case 'numbers':
      throw new TypeError('lists of numbers are written by writeNumbers');
  }
}

function writeNumbers(writer: protobuf.Writer, { field }: NamedField, numbers: NumberArray): void {
  if (numbers.length === 0 || field.kind !== 'numbers') return;
  writer.uint32(tag(field.id, 2)).fork();
  for (const number of numbers) writeNumber(writer, field.of, number);
  writer.ldelim();
}

function writeNumber(writer: protobuf.Writer, kind: NumberKind, number: number | bigint): void {
  switch (kind) {
    case 'int32':
      writer.int32(Number(number));
      return;
    case 'int64':
      writer.int64(number.toString());
      return;
    case 'uint64':
      writer.uint64(number.toString());
      return;
    case 'float':
      writer.float(Number(number));
      return;
    case 'double':
      writer.double(Number(number));
      return;
  }
}

function tag(id: number, wireType: 0 | 2 | 5): number {
  return (id << 3) | wireType;
}
