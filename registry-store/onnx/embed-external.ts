/**
 * Turns a model whose tensors are in other files into one file: the same messages, with the room for those tensors inside.
 * Whoever reads the files fills the room. Every field that is not about external data stays as its writer wrote it, also
 * those that no schema here knows.
 */
import protobuf from 'protobufjs/minimal.js';
import { openOnnxModel, onnxBytesMax } from './describe-model.ts';
import { elementTypeBits } from './element-type.ts';
import { isExternal } from './graph-survey.ts';
import type { NamedField, Schema } from './message-schema.ts';
import type { TensorProto } from './model-proto.ts';
import { modelSchema, tensorSchema } from './model-schema.ts';
import { quoted, refuse, type OnnxRefused } from './onnx-refusal.ts';
import { readMessage } from './read-message.ts';

/** Bytes of another file that belong into the model. */
export interface ExternalSpan {
  /** As the model says it: judge it before you open it. */
  readonly location: string;
  readonly offset: number;
  readonly lengthBytes: number;
  /** Where they belong in `bytes`. */
  readonly at: number;
}

export interface RoomyModel {
  /** One ONNX file, with zeros where the spans go. */
  readonly bytes: Uint8Array;
  readonly spans: readonly ExternalSpan[];
}

export type EmbedResult = { readonly ok: true; readonly value: RoomyModel } | OnnxRefused;

/** The fields of a tensor that are replaced: its raw data, where it is, and that it is elsewhere. */
const replacedFields: ReadonlySet<number> = new Set([9, 13, 14]);
const rawDataTag = (9 << 3) | 2;

/** Codes: those of `openOnnxModel`, TOO_LARGE for what is larger in one file, EXTERNAL_DATA for tensors that say nothing usable. */
export function embedExternalData(model: Uint8Array): EmbedResult {
  const opened = openOnnxModel(model, {});
  if (!opened.ok) return opened;
  const view = new Uint8Array(model.buffer, model.byteOffset, model.byteLength);
  const embedder = new Embedder();
  const pieces = embedder.message(modelSchema, view) ?? [view];
  if (embedder.refusal !== undefined) return embedder.refusal;
  const sizeBytes = lengthOf(pieces);
  if (sizeBytes > onnxBytesMax) {
    return refuse(
      'TOO_LARGE',
      `With its external data the model has ${sizeBytes} bytes; the limit is ${onnxBytesMax}.`,
    );
  }
  return { ok: true, value: laidOut(pieces, sizeBytes) };
}

type Room = Omit<ExternalSpan, 'at'>;
type Piece = Uint8Array | Room;

class Embedder {
  refusal: OnnxRefused | undefined;

  /** The pieces of the message with its tensors inside; undefined when none of them was elsewhere. */
  message(schema: Schema<unknown>, view: Uint8Array): Piece[] | undefined {
    if (schema === tensorSchema) return this.#tensor(view);
    const pieces: Piece[] = [];
    let copied = 0;
    for (const { field, start, end, span } of fieldsOf(schema, view)) {
      if (field?.kind !== 'message' || span === undefined) continue;
      const inner = this.message(field.schema(), span);
      if (inner === undefined) continue;
      pieces.push(view.subarray(copied, start), header((field.id << 3) | 2, lengthOf(inner)));
      for (const piece of inner) pieces.push(piece);
      copied = end;
    }
    if (pieces.length === 0) return undefined;
    pieces.push(view.subarray(copied));
    return pieces;
  }

  #tensor(view: Uint8Array): Piece[] | undefined {
    const read = readMessage<TensorProto>(tensorSchema, view);
    if (!read.ok || !isExternal(read.value)) return undefined;
    const room = roomOf(read.value);
    if (room === undefined) {
      this.refusal ??= refuse(
        'EXTERNAL_DATA',
        `The tensor ${quoted(read.value.name)} is in another file, but what is said about its place there does not fit ` +
          'its shape and datatype. Export the model again.',
      );
      return undefined;
    }
    const kept = [...fieldsOf(tensorSchema, view)].filter(({ id }) => !replacedFields.has(id));
    const pieces: Piece[] = kept.map(({ start, end }) => view.subarray(start, end));
    pieces.push(header(rawDataTag, room.lengthBytes), room);
    return pieces;
  }
}

/** Undefined for strings, which have no packed form, and for numbers that do not fit together. */
function roomOf(tensor: TensorProto): Room | undefined {
  const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key ?? '', value ?? '']));
  const bits = elementTypeBits(tensor.dataType ?? 0);
  const elements = Array.from(tensor.dims ?? [], Number).reduce((product, size) => product * size, 1);
  const lengthBytes = Math.ceil((elements * bits) / 8);
  const offset = whole(entries.get('offset') ?? '0');
  const given = entries.get('length');
  const fits = given === undefined || whole(given) === lengthBytes;
  if (bits === 0 || offset === undefined || !fits) return undefined;
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0) return undefined;
  return { location: entries.get('location') ?? '', offset, lengthBytes };
}

function whole(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

interface FieldPlace {
  readonly id: number;
  /** Undefined when the schema does not know it. */
  readonly field: NamedField['field'] | undefined;
  /** Of the field with its tag. */
  readonly start: number;
  readonly end: number;
  /** The content of a length-delimited field. */
  readonly span: Uint8Array | undefined;
}

/** The message was read before, so that it is well-formed. */
function* fieldsOf(schema: Schema<unknown>, view: Uint8Array): Generator<FieldPlace> {
  const byId = new Map(schema.fields.map(({ field }) => [field.id, field]));
  const reader = new protobuf.Reader(view);
  while (reader.pos < view.length) {
    const start = reader.pos;
    const tag = reader.uint32();
    const id = tag >>> 3;
    let span: Uint8Array | undefined;
    if ((tag & 7) === 2) {
      const length = reader.uint32();
      span = view.subarray(reader.pos, reader.pos + length);
      reader.skip(length);
    } else reader.skipType(tag & 7);
    yield { id, field: byId.get(id), start, end: reader.pos, span };
  }
}

function header(tag: number, length: number): Uint8Array {
  return new protobuf.Writer().uint32(tag).uint32(length).finish();
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce(
    (sum, piece) => sum + (piece instanceof Uint8Array ? piece.length : piece.lengthBytes),
    0,
  );
}

function laidOut(pieces: readonly Piece[], sizeBytes: number): RoomyModel {
  const bytes = new Uint8Array(sizeBytes);
  const spans: ExternalSpan[] = [];
  let at = 0;
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) {
      bytes.set(piece, at);
      at += piece.length;
    } else {
      spans.push({ ...piece, at });
      at += piece.lengthBytes;
    }
  }
  return { bytes, spans };
}
