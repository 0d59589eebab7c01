/**
 * A strict forward reader of msgpack: the fields we know are read where they are, everything else is stepped over.
 * Not a general decoder. A general one (msgpackr) builds every value of a message before anyone can ask whether it is
 * wanted, and on its extension types it builds errors, sets, regular expressions and record readers; here those are
 * refused by their first byte, and nothing is allocated for a value that is not ours. msgpackr does build arrays of
 * tensor elements, after `skip` has walked them: no extensions, no depth, no more elements than there are bytes.
 * Invariant: a method that answers null has refused the message, and `failure()` says what the first refusal was.
 */
import { Unpackr } from 'msgpackr';
import { fail, type WireError } from './error-code.ts';
import { isAscii, readText, readWord } from './strict-text.ts';

/** Arrays and maps inside each other. A tensor needs four and its rank; msgpackr recurses on what `skip` lets by. */
const depthMax = 32;

/**
 * Elements of one array of values. Each takes 8 bytes or more once built, from as little as one byte on the wire.
 * A larger tensor is sent packed, which costs nothing to read.
 */
const arrayElementsMax = 4_194_304;

/** Arrays inside one array of values: the rows of nested data. Each costs some 50 bytes, from one byte on the wire. */
const nestedArraysMax = 65_536;

/** 64-bit integers come out as bigint, which is exact; the rest of the options switch off what `skip` refuses anyway. */
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  structuredClone: false,
  moreTypes: false,
});

/** What is open while `skip` walks: how many values are left on each level, and whether every other one is a key. */
const pending = new Uint32Array(depthMax + 1);
const keyed = new Uint8Array(depthMax + 1);

export class MsgpackCursor {
  readonly bytes: Uint8Array;
  position = 0;
  #fault: WireError | undefined = undefined;
  #valuesSkipped = 0;
  #containersSkipped = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  failure(): WireError {
    return this.#fault ?? fail('INTERNAL', 'The message was refused without a reason.');
  }

  /** For callers that find a readable value unfit; the first fault stays. */
  refuse(code: WireError['code'], message: string): null {
    this.#fault ??= fail(code, message);
    return null;
  }

  /** Enters a map and says how many pairs follow. `what` names the place in messages. */
  map(what: string): number | null {
    const token = this.#token();
    if (token >= 0x80 && token <= 0x8f) return this.#entered(token & 0x0f);
    if (token === 0xde) return this.#entered(this.#uint(2));
    if (token === 0xdf) return this.#entered(this.#uint(4));
    return this.#unexpected(token, what, 'a map');
  }

  /** Enters an array and says how many values follow. */
  array(what: string): number | null {
    const token = this.#token();
    if (token >= 0x90 && token <= 0x9f) return this.#entered(token & 0x0f);
    if (token === 0xdc) return this.#entered(this.#uint(2));
    if (token === 0xdd) return this.#entered(this.#uint(4));
    return this.#unexpected(token, what, 'an array');
  }

  /** A `str`. */
  word(what: string): string | null {
    const token = this.#token();
    const length = this.#lengthOfString(token);
    if (length === -1) return this.#unexpected(token, what, 'a string');
    const start = this.position;
    if (!this.#has(length)) return this.#truncated();
    this.position = start + length;
    const word = readWord(this.bytes, start, this.position);
    return word ?? this.refuse('MALFORMED_MSGPACK', `The text of ${what} is not UTF-8.`);
  }

  /** An integer of any width from 0 to 2^53 - 1. */
  whole(what: string): number | null {
    const token = this.#token();
    if (token >= 0 && token <= 0x7f) return token;
    const value = this.#integer(token);
    if (value === null) return this.#unexpected(token, what, 'a whole number');
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
    return this.refuse('INVALID_REQUEST', `${what} must be a whole number from 0 to 2^53 - 1.`);
  }

  /** A `bin`; the bytes alias the message, nothing is copied. */
  binary(what: string): Uint8Array | null {
    const token = this.#token();
    if (token < 0xc4 || token > 0xc6) return this.#unexpected(token, what, 'binary data');
    const length = this.#uint(1 << (token - 0xc4));
    const start = this.position;
    if (!this.#has(length)) return this.#truncated();
    this.position = start + length;
    return this.bytes.subarray(start, this.position);
  }

  /** An array of tensor elements, flat or nested, built as values. */
  elements(what: string): readonly unknown[] | null {
    const start = this.position;
    if (!this.isArray()) return this.#unexpected(this.#token(), what, 'binary data or an array');
    if (!this.skip()) return null;
    if (this.#valuesSkipped > arrayElementsMax || this.#containersSkipped > nestedArraysMax) {
      return this.refuse(
        'BODY_TOO_LARGE',
        `The array in ${what} has more than ${arrayElementsMax} elements or ${nestedArraysMax} nested arrays; ` +
          'send the elements as binary data.',
      );
    }
    const values: unknown = unpackr.unpack(this.bytes.subarray(start, this.position));
    return Array.isArray(values) ? values : this.refuse('MALFORMED_MSGPACK', `${what} is not an array.`);
  }

  /** A string, a number or a boolean. */
  scalar(what: string): string | number | boolean | null {
    if (this.isString()) return this.word(what);
    const start = this.position;
    if (!this.skip()) return null;
    const value: unknown = unpackr.unpack(this.bytes.subarray(start, this.position));
    if (typeof value === 'number' || typeof value === 'boolean') return value;
    if (typeof value === 'bigint') return Number(value);
    return this.refuse('INVALID_REQUEST', `${what} must be a string, a number, true or false.`);
  }

  isString(): boolean {
    const token = this.bytes[this.position] ?? 0;
    return (token >= 0xa0 && token <= 0xbf) || (token >= 0xd9 && token <= 0xdb);
  }

  isBinary(): boolean {
    const token = this.bytes[this.position] ?? 0;
    return token >= 0xc4 && token <= 0xc6;
  }

  isArray(): boolean {
    const token = this.bytes[this.position] ?? 0;
    return (token >= 0x90 && token <= 0x9f) || token === 0xdc || token === 0xdd;
  }

  /** Steps over a nil and says whether there was one: an optional field that is nil was not sent. */
  nil(): boolean {
    if (this.bytes[this.position] !== 0xc0) return false;
    this.position++;
    return true;
  }

  /** Whether the message ends here; anything behind it is refused. */
  end(): boolean {
    if (this.position === this.bytes.length) return true;
    this.refuse(
      'MALFORMED_MSGPACK',
      `${this.bytes.length - this.position} bytes follow the end of the message.`,
    );
    return false;
  }

  /** Steps over one value of any kind, checking all of it. No recursion and no allocation, whatever the bytes say. */
  skip(): boolean {
    this.#valuesSkipped = 0;
    this.#containersSkipped = 0;
    pending[0] = 1;
    keyed[0] = 0;
    let depth = 0;
    while (depth >= 0) {
      const left = pending[depth] ?? 0;
      if (left === 0) {
        depth--;
        continue;
      }
      pending[depth] = left - 1;
      // The values of a map are keys and values in turn, so an even number is left in front of a key.
      if (keyed[depth] === 1 && left % 2 === 0 && !this.#atKey()) return false;
      const inside = this.#skipToken();
      if (inside === null) return false;
      if (inside === 0) continue;
      if (depth === depthMax) {
        this.refuse('MALFORMED_MSGPACK', `Arrays and maps are nested more than ${depthMax} deep.`);
        return false;
      }
      depth++;
      pending[depth] = Math.abs(inside);
      keyed[depth] = inside < 0 ? 1 : 0;
    }
    return true;
  }

  /**
   * Steps over one token and the bytes it owns. The result says what it holds: 0 for nothing, n for the values of an
   * array, -n for the keys and values of a map.
   */
  #skipToken(): number | null {
    const token = this.#token();
    this.#valuesSkipped++;
    if (token <= 0x7f || token >= 0xe0) return token === -1 ? this.#truncated() : 0;
    if (token <= 0x8f) return this.#container(token & 0x0f, -2);
    if (token <= 0x9f) return this.#container(token & 0x0f, 1);
    if (token <= 0xbf || (token >= 0xd9 && token <= 0xdb)) return this.#skipText(this.#lengthOfString(token));
    switch (token) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return 0;
      case 0xc4: // bin 8
      case 0xc5: // bin 16
      case 0xc6: // bin 32
        return this.#skipBytes(this.#uint(1 << (token - 0xc4)));
      case 0xcc: // uint 8
      case 0xd0: // int 8
        return this.#skipBytes(1);
      case 0xcd: // uint 16
      case 0xd1: // int 16
        return this.#skipBytes(2);
      case 0xca: // float 32
      case 0xce: // uint 32
      case 0xd2: // int 32
        return this.#skipBytes(4);
      case 0xcb: // float 64
      case 0xcf: // uint 64
      case 0xd3: // int 64
        return this.#skipBytes(8);
      case 0xdc: // array 16
      case 0xdd: // array 32
        return this.#container(this.#uint(2 << (token - 0xdc)), 1);
      case 0xde: // map 16
      case 0xdf: // map 32
        return this.#container(this.#uint(2 << (token - 0xde)), -2);
      default:
        return this.#extension(token);
    }
  }

  #container(count: number, valuesEach: 1 | -2): number | null {
    this.#containersSkipped++;
    // Every value takes at least a byte, so a count beyond the bytes left is refused before anything is walked.
    if (count < 0 || !this.#has(count * Math.abs(valuesEach))) return this.#truncated();
    return count * valuesEach;
  }

  #skipText(length: number): number | null {
    const start = this.position;
    if (this.#skipBytes(length) === null) return null;
    if (
      isAscii(this.bytes, start, this.position) ||
      readText(this.bytes, start, this.position) !== undefined
    ) {
      return 0;
    }
    return this.refuse('MALFORMED_MSGPACK', 'A string is not UTF-8.');
  }

  #skipBytes(count: number): number | null {
    if (count < 0 || !this.#has(count)) return this.#truncated();
    this.position += count;
    return 0;
  }

  #atKey(): boolean {
    if (this.isString()) return true;
    if (this.position >= this.bytes.length) this.#truncated();
    else this.refuse('MALFORMED_MSGPACK', 'The keys of a map must be strings.');
    return false;
  }

  /** The next byte, or -1 at the end. */
  #token(): number {
    return this.bytes[this.position++] ?? -1;
  }

  #has(count: number): boolean {
    return count <= this.bytes.length - this.position;
  }

  /** The count is only a promise: nobody may allocate by it, and reading on fails where the bytes end. */
  #entered(count: number): number | null {
    return count >= 0 ? count : this.#truncated();
  }

  /** Length of the string that a token opens, -1 when it opens none or the bytes end. */
  #lengthOfString(token: number): number {
    if (token >= 0xa0 && token <= 0xbf) return token & 0x1f;
    return token >= 0xd9 && token <= 0xdb ? this.#uint(1 << (token - 0xd9)) : -1;
  }

  /** A big-endian unsigned integer of 1, 2 or 4 bytes, -1 when the bytes end. */
  #uint(width: number): number {
    if (!this.#has(width)) {
      this.#truncated();
      return -1;
    }
    let value = 0;
    for (let index = 0; index < width; index++) value = value * 256 + (this.bytes[this.position++] ?? 0);
    return value;
  }

  /** The value behind an integer token, null for any other; -1 stands for all negative ones. */
  #integer(token: number): number | null {
    if (token >= 0xcc && token <= 0xce) return this.#uint(1 << (token - 0xcc));
    if (token === 0xcf || token === 0xd3) {
      const high = this.#uint(4);
      const low = this.#uint(4);
      return token === 0xd3 && high > 0x7fffffff ? -1 : high * 0x100000000 + low;
    }
    if (token >= 0xd0 && token <= 0xd2) {
      const width = 1 << (token - 0xd0);
      const value = this.#uint(width);
      return value >= 2 ** (8 * width - 1) ? -1 : value;
    }
    return token >= 0xe0 ? -1 : null;
  }

  #unexpected(token: number, what: string, wanted: string): null {
    if (token === -1) return this.#truncated();
    if (isExtension(token)) return this.#extension(token);
    return this.refuse('INVALID_REQUEST', `${what} must be ${wanted}.`);
  }

  #extension(token: number): null {
    return this.refuse(
      'MALFORMED_MSGPACK',
      token === 0xc1
        ? 'The byte 0xc1 has no meaning in msgpack.'
        : 'Extension types are not read; send the elements of a tensor as binary data.',
    );
  }

  #truncated(): null {
    return this.refuse('MALFORMED_MSGPACK', 'The message ends before it is complete.');
  }
}

function isExtension(token: number): boolean {
  return token === 0xc1 || (token >= 0xc7 && token <= 0xc9) || (token >= 0xd4 && token <= 0xd8);
}
