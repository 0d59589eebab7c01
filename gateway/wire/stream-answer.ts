/**
 * Answers of the WebSocket protocol in msgpack: `{id, model_name, model_version, outputs: [{name, datatype, shape, data}]}`,
 * `rollout_id` and `variant` while a rollout is on, and `cache` where answers of the model are kept.
 *
 * Most of a small answer is the same as in the one before: all but the id and the elements. That much is kept as one
 * piece of bytes for the outputs of the last batch and a number of rows, and an answer is that piece with its id and its
 * elements written over. What comes out depends on the reply alone.
 */
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import type { Variant } from '../route/traffic-split.ts';
import { ByteWriter } from './byte-writer.ts';
import type { InferReply, OutputColumn } from './infer-request.ts';
import { writeArrayHeader, writeKey, writeMapHeader, writeText, writeWhole } from './msgpack-writer.ts';
import { writeId, writeReplyFields } from './oip-msgpack.ts';
import type { FrameSpace } from './stream-space.ts';

/** `{id:` of a map with four pairs. */
const head = Uint8Array.from([0x84, 0xa2, 0x69, 0x64]);
/** Copying so few bytes one by one costs less than a call that copies them at once. */
const copiedByHandMax = 64;
/** A larger answer has its elements copied once, not into the piece and then over it. */
const pieceBytesMax = 4 * 1024;

/** The elements of one output: where those of the batch are, and where an answer's go. */
interface Hole {
  /** Of the piece. */
  readonly at: number;
  readonly rowBytes: number;
  /** Of one answer. */
  readonly bytes: number;
  /** Elements of the batch, as bytes. */
  source: Uint8Array;
}

/** The kind of answer that the piece fits. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly holes: readonly Hole[];
  readonly modelName: string;
  readonly modelVersion: string;
  readonly batched: boolean;
  readonly rows: number;
  /** Of the batch whose elements the holes point to. */
  columns: readonly OutputColumn[];
}

/** Says, while a rollout is on, which one chose the version and why. */
export interface RolloutFields {
  readonly id: string;
  readonly variant: Variant;
}

/** What stands in an answer that is said about it and not by the model. */
export interface AnswerNotes {
  readonly rollout?: RolloutFields | undefined;
  /** Whether the answer was kept from before; undefined where nothing was looked up. */
  readonly cache?: 'hit' | 'miss' | 'coalesced' | undefined;
}

export class StreamAnswerWriter {
  readonly #writer = new ByteWriter();
  #piece: Piece | undefined;

  /** Writes an answer at the end of `space`. The reply must have an id. */
  write(reply: InferReply, space: FrameSpace, notes: AnswerNotes = noNotes): void {
    const isPlain = reply.options === undefined && notes.rollout === undefined && notes.cache === undefined;
    const piece = isPlain ? this.#pieceFor(reply) : undefined;
    if (piece === undefined || typeof reply.id !== 'number') {
      this.#writeInFull(reply, space, notes);
      return;
    }
    const idBytes = wholeBytes(reply.id);
    const at = space.claim(head.length + idBytes + piece.bytes.length);
    const { bytes } = space;
    bytes[at] = 0x84;
    bytes[at + 1] = 0xa2;
    bytes[at + 2] = 0x69;
    bytes[at + 3] = 0x64;
    putWhole(bytes, at + head.length, reply.id);
    const pieceAt = at + head.length + idBytes;
    bytes.set(piece.bytes, pieceAt);
    const { holes } = piece;
    for (let index = 0; index < holes.length; index++) {
      const hole = holes[index];
      if (hole === undefined) break;
      const from = reply.batched ? reply.rowStart * hole.rowBytes : 0;
      copy(hole, from, { bytes, at: pieceAt + hole.at });
    }
  }

  /** Undefined for answers of which no piece is kept: strings, and what is large. */
  #pieceFor(reply: InferReply): Piece | undefined {
    const last = this.#piece;
    if (last !== undefined && fits(last, reply)) {
      if (last.columns === reply.columns) return last;
      if (haveSameKinds(last.columns, reply.columns)) {
        last.columns = reply.columns;
        for (const [index, hole] of last.holes.entries()) hole.source = sourceOf(reply.columns[index]);
        return last;
      }
    }
    if (!reply.columns.every(({ data }) => ArrayBuffer.isView(data)) || sizeOf(reply) > pieceBytesMax) {
      return undefined;
    }
    return (this.#piece = this.#makePiece(reply));
  }

  #makePiece(reply: InferReply): Piece {
    const writer = this.#writer;
    const { modelName, modelVersion, batched, rows, columns } = reply;
    writer.reset();
    writeReplyHead(reply, writer);
    const holes: Hole[] = [];
    for (const column of columns) {
      const bytes = writeColumnHead(column, reply, writer);
      const rowBytes = column.rowElements * elementBytes(column.datatype);
      holes.push({ at: writer.length, rowBytes, bytes, source: sourceOf(column) });
      for (let index = 0; index < bytes; index++) writer.u8(0);
    }
    return { bytes: writer.bytes().slice(), holes, modelName, modelVersion, batched, rows, columns };
  }

  #writeInFull(reply: InferReply, space: FrameSpace, { rollout, cache }: AnswerNotes): void {
    const writer = this.#writer;
    writer.reset();
    writeMapHeader(writer, 4 + (rollout === undefined ? 0 : 2) + (cache === undefined ? 0 : 1));
    writeId(reply.id ?? 0, writer);
    if (rollout !== undefined) {
      writeKey(writer, 'rollout_id');
      writeText(writer, rollout.id);
      writeKey(writer, 'variant');
      writeText(writer, rollout.variant);
    }
    if (cache !== undefined) {
      writeKey(writer, 'cache');
      writeText(writer, cache);
    }
    if (reply.options !== undefined || !reply.columns.every(({ data }) => ArrayBuffer.isView(data))) {
      writeReplyFields(reply, writer);
      space.add(writer.bytes());
      return;
    }
    // What is large goes straight from the batch into the frame: through the writer it would be copied twice.
    writeReplyHead(reply, writer);
    for (const column of reply.columns) {
      const bytes = writeColumnHead(column, reply, writer);
      space.add(writer.bytes());
      writer.reset();
      const from = reply.batched ? reply.rowStart * column.rowElements * elementBytes(column.datatype) : 0;
      const at = space.claim(bytes);
      space.bytes.set(sourceOf(column).subarray(from, from + bytes), at);
    }
    space.add(writer.bytes());
  }
}

const noNotes: AnswerNotes = {};

/** Everything between the id and the first output. */
function writeReplyHead({ modelName, modelVersion, columns }: InferReply, writer: ByteWriter): void {
  writeKey(writer, 'model_name');
  writeText(writer, modelName);
  writeKey(writer, 'model_version');
  writeText(writer, modelVersion);
  writeKey(writer, 'outputs');
  writeArrayHeader(writer, columns.length);
}

/** One output up to its elements; returns how many bytes those are. */
function writeColumnHead(column: OutputColumn, { batched, rows }: InferReply, writer: ByteWriter): number {
  const { name, datatype, rowShape, rowElements } = column;
  const bytes = rowElements * elementBytes(datatype) * (batched ? rows : 1);
  writeMapHeader(writer, 4);
  writeKey(writer, 'name');
  writeText(writer, name);
  writeKey(writer, 'datatype');
  writeText(writer, datatype);
  writeKey(writer, 'shape');
  writeArrayHeader(writer, rowShape.length + (batched ? 1 : 0));
  if (batched) writeWhole(writer, rows);
  for (const size of rowShape) writeWhole(writer, size);
  writeKey(writer, 'data');
  writeBinaryHeader(writer, bytes);
  return bytes;
}

function fits(piece: Piece, reply: InferReply): boolean {
  return (
    piece.rows === reply.rows &&
    piece.batched === reply.batched &&
    piece.modelName === reply.modelName &&
    piece.modelVersion === reply.modelVersion
  );
}

function haveSameKinds(last: readonly OutputColumn[], columns: readonly OutputColumn[]): boolean {
  if (last.length !== columns.length) return false;
  for (let index = 0; index < last.length; index++) {
    const one = last[index];
    const other = columns[index];
    if (one === undefined || other === undefined || !isSameKind(one, other)) return false;
  }
  return true;
}

function isSameKind(one: OutputColumn, other: OutputColumn): boolean {
  if (one.name !== other.name || one.datatype !== other.datatype) return false;
  if (one.rowShape.length !== other.rowShape.length || !ArrayBuffer.isView(other.data)) return false;
  for (let axis = 0; axis < one.rowShape.length; axis++) {
    if (one.rowShape[axis] !== other.rowShape[axis]) return false;
  }
  return true;
}

function sourceOf(column: OutputColumn | undefined): Uint8Array {
  const data = column?.data;
  if (!ArrayBuffer.isView(data)) throw new TypeError('only numbers are kept as bytes');
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function sizeOf({ columns, batched, rows }: InferReply): number {
  let bytes = 0;
  for (const { datatype, rowElements } of columns) bytes += rowElements * elementBytes(datatype);
  return batched ? bytes * rows : bytes;
}

function copy(hole: Hole, from: number, target: { readonly bytes: Uint8Array; readonly at: number }): void {
  const { source } = hole;
  const end = from + hole.bytes;
  if (hole.bytes > copiedByHandMax) {
    target.bytes.set(source.subarray(from, end), target.at);
    return;
  }
  for (let index = from, to = target.at; index < end; index++, to++) target.bytes[to] = source[index] ?? 0;
}

function writeBinaryHeader(writer: ByteWriter, length: number): void {
  if (length <= 0xff) {
    writer.u8(0xc4);
    writer.u8(length);
  } else {
    writer.u8(length <= 0xffff ? 0xc5 : 0xc6);
    if (length <= 0xffff) writer.u16be(length);
    else writer.u32be(length);
  }
}

/** Bytes of a whole number in its shortest form; see `writeWhole`. */
function wholeBytes(value: number): number {
  if (value <= 0x7f) return 1;
  if (value <= 0xff) return 2;
  if (value <= 0xffff) return 3;
  return value <= 0xffffffff ? 5 : 9;
}

function putWhole(bytes: Uint8Array, at: number, value: number): void {
  const count = wholeBytes(value);
  if (count === 1) {
    bytes[at] = value;
    return;
  }
  bytes[at] = count === 2 ? 0xcc : count === 3 ? 0xcd : count === 5 ? 0xce : 0xcf;
  if (count === 9) {
    putWord(bytes, at + 1, Math.floor(value / 0x100000000));
    putWord(bytes, at + 5, value % 0x100000000);
  } else if (count === 5) {
    putWord(bytes, at + 1, value);
  } else {
    if (count === 3) bytes[at + 1] = value >>> 8;
    bytes[at + count - 1] = value & 0xff;
  }
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
