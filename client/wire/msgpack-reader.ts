/**
 * msgpack to JavaScript values, as much of it as a gateway may send: no extension types, maps with text keys only.
 * Invariant: whatever the bytes are, it returns a value or throws INVALID_RESPONSE, reads nothing outside them and
 * builds no more than they can hold.
 */
import { TidegateError } from '../tidegate-error.ts';

/** `bin` as a view of the input; whole numbers beyond 2^53 as bigint. */
export type MsgpackValue =
  null | boolean | number | bigint | string | Uint8Array | readonly MsgpackValue[] | MsgpackMap;

export type MsgpackMap = ReadonlyMap<string, MsgpackValue>;

/** Answers nest to a depth of four; the bound keeps hostile bytes from using up the stack. */
const depthMax = 16;

/** Reads the one value that `bytes` consist of. */
export function readMsgpack(bytes: Uint8Array): MsgpackValue {
  const reader = new MsgpackReader(bytes);
  const value = reader.value(0);
  if (reader.rest !== 0) throw invalid(`${reader.rest} bytes follow the message.`);
  return value;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

class MsgpackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get rest(): number {
    return this.#bytes.length - this.#offset;
  }

  value(depth: number): MsgpackValue {
    if (depth > depthMax) throw invalid('The message is nested too deeply.');
    const tag = this.#unsigned(1);
    if (tag <= 0x7f) return tag;
    if (tag <= 0x8f) return this.#map(tag & 0x0f, depth);
    if (tag <= 0x9f) return this.#array(tag & 0x0f, depth);
    if (tag <= 0xbf) return this.#text(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#unsigned(1 << (tag - 0xc4)));
      case 0xca:
        return this.#view.getFloat32(this.#skip(4));
      case 0xcb:
        return this.#view.getFloat64(this.#skip(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (tag - 0xcc));
      case 0xcf:
        return exact(this.#view.getBigUint64(this.#skip(8)));
      case 0xd0:
        return this.#view.getInt8(this.#skip(1));
      case 0xd1:
        return this.#view.getInt16(this.#skip(2));
      case 0xd2:
        return this.#view.getInt32(this.#skip(4));
      case 0xd3:
        return exact(this.#view.getBigInt64(this.#skip(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(1 << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 << (tag - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 << (tag - 0xde)), depth);
      default:
        throw invalid(
          `The message holds the msgpack type 0x${tag.toString(16)}, which the protocol does not use.`,
        );
    }
  }

  #map(pairs: number, depth: number): MsgpackMap {
    const map = new Map<string, MsgpackValue>();
    for (let pair = 0; pair < pairs; pair++) {
      const key = this.value(depthMax);
      if (typeof key !== 'string') throw invalid('A key of a map is no text.');
      map.set(key, this.value(depth + 1));
    }
    return map;
  }

  /** Grows as elements come: a count alone reserves nothing. */
  #array(count: number, depth: number): MsgpackValue[] {
    const elements: MsgpackValue[] = [];
    for (let index = 0; index < count; index++) elements.push(this.value(depth + 1));
    return elements;
  }

  #text(length: number): string {
    const bytes = this.#take(length);
    // Names and codes are short ASCII, for which this is several times as fast as the decoder.
    if (length > 24) return decoder.decode(bytes);
    let text = '';
    for (const byte of bytes) {
      if (byte > 0x7f) return decoder.decode(bytes);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #unsigned(size: number): number {
    const start = this.#skip(size);
    if (size === 1) return this.#view.getUint8(start);
    return size === 2 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #take(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  #skip(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw invalid('The message ends too soon.');
    this.#offset = start + length;
    return start;
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function invalid(message: string): TidegateError {
  return new TidegateError('INVALID_RESPONSE', message);
}
