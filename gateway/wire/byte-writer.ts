/**
 * A growing byte buffer that replies are written into: one per gateway, reset for every reply, so that encoding a
 * reply allocates nothing but the final view. It knows bytes, text and whole numbers; it knows no message format.
 * Invariant: everything in `[0, length)` was written since the last reset.
 */

/** A buffer that one huge reply has grown beyond this is given back at the next reset. */
const retainedBytesMax = 4 * 1024 * 1024;
const initialBytesDefault = 64 * 1024;
/** Views up to this length are kept; small replies of one model have few different lengths. */
const viewLengthMax = 1024;

const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const zero = 0x30;

/** Single-letter escapes of RFC 8259 section 7, by character code; everything else below 0x20 is written as \u00xx. */
const shortEscapes: ReadonlyMap<number, string> = new Map([
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [quote, '\\"'],
  [backslash, '\\\\'],
]);

export class ByteWriter {
  readonly #initialBytes: number;
  #buffer: Uint8Array;
  #view: DataView;
  #length = 0;
  /** Views of the buffer's start by their length: making one costs as much as encoding half a small reply. */
  #views: Uint8Array[] = [];

  constructor(initialBytes: number = initialBytesDefault) {
    this.#initialBytes = initialBytes;
    this.#buffer = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  /** Forgets everything written. Views handed out before are no longer valid. */
  reset(): void {
    this.#length = 0;
    if (this.#buffer.length > retainedBytesMax) this.#replaceBuffer(new Uint8Array(this.#initialBytes));
  }

  get length(): number {
    return this.#length;
  }

  /** What was written, as a view of the writer's own memory: valid until the next `reset` or write. */
  bytes(): Uint8Array {
    const length = this.#length;
    if (length > viewLengthMax) return this.#buffer.subarray(0, length);
    return (this.#views[length] ??= this.#buffer.subarray(0, length));
  }

  /** Text that the caller knows to be ASCII and, inside JSON, to need no escape. */
  ascii(text: string): void {
    const at = this.#claim(text.length);
    const buffer = this.#buffer;
    for (let index = 0; index < text.length; index++) buffer[at + index] = text.charCodeAt(index);
  }

  /** UTF-8 without quotes or escapes; a lone surrogate becomes U+FFFD. Returns the number of bytes written. */
  utf8(text: string): number {
    const start = this.#length;
    for (let index = 0; index < text.length; index++) {
      const code = text.codePointAt(index) ?? 0;
      if (code > 0xffff) index++;
      this.#codePoint(isSurrogate(code) ? 0xfffd : code);
    }
    return this.#length - start;
  }

  /** A JSON string with its quotes, byte for byte what JSON.stringify writes: lone surrogates become \udxxx. */
  jsonString(text: string): void {
    const start = this.#claim(text.length + 2);
    const buffer = this.#buffer;
    buffer[start] = quote;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < 0x20 || code > 0x7e || code === quote || code === backslash) {
        this.#length = start + 1 + index;
        this.#escapedTail(text, index);
        return;
      }
      buffer[start + 1 + index] = code;
    }
    buffer[start + 1 + text.length] = quote;
  }

  /** Decimal text of a safe integer; -0 is written as 0. */
  integer(value: number): void {
    if (value < 0) this.u8(minus);
    const magnitude = Math.abs(value);
    this.paddedInteger(magnitude, decimalDigits(magnitude));
  }

  /** The last `digits` decimal digits of a non-negative safe integer, with leading zeros where it has fewer. */
  paddedInteger(value: number, digits: number): void {
    const start = this.#claim(digits);
    const buffer = this.#buffer;
    let at = start + digits - 1;
    let rest = value;
    // Beyond 31 bits the division is done in floating point, below in the much cheaper integer arithmetic.
    for (; rest > 0x7fffffff && at >= start; at--) {
      const next = Math.floor(rest / 10);
      buffer[at] = zero + (rest - next * 10);
      rest = next;
    }
    for (let small = rest | 0; at >= start; at--) {
      const next = (small / 10) | 0;
      buffer[at] = zero + (small - next * 10);
      small = next;
    }
  }

  bigint(value: bigint): void {
    if (value >= safeMin && value <= safeMax) this.integer(Number(value));
    else this.ascii(value.toString());
  }

  /** Copies bytes as they are. */
  raw(source: Uint8Array): void {
    const at = this.#claim(source.length);
    this.#buffer.set(source, at);
  }

  u8(value: number): void {
    const at = this.#claim(1);
    this.#buffer[at] = value;
  }

  u16be(value: number): void {
    const at = this.#claim(2);
    this.#view.setUint16(at, value);
  }

  u32le(value: number): void {
    const at = this.#claim(4);
    this.#view.setUint32(at, value, true);
  }

  u32be(value: number): void {
    const at = this.#claim(4);
    this.#view.setUint32(at, value);
  }

  /** Writes `text` from `index` on and the closing quote, one character at a time. */
  #escapedTail(text: string, from: number): void {
    for (let index = from; index < text.length; index++) {
      const code = text.codePointAt(index) ?? 0;
      if (code > 0xffff) index++;
      const escape = shortEscapes.get(code);
      if (escape !== undefined) this.ascii(escape);
      else if (code < 0x20 || isSurrogate(code)) this.ascii(`\\u${code.toString(16).padStart(4, '0')}`);
      else this.#codePoint(code);
    }
    this.u8(quote);
  }

  #codePoint(code: number): void {
    if (code < 0x80) {
      this.u8(code);
    } else if (code < 0x800) {
      this.u8(0xc0 | (code >> 6));
      this.u8(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      this.u8(0xe0 | (code >> 12));
      this.u8(0x80 | ((code >> 6) & 0x3f));
      this.u8(0x80 | (code & 0x3f));
    } else {
      this.u8(0xf0 | (code >> 18));
      this.u8(0x80 | ((code >> 12) & 0x3f));
      this.u8(0x80 | ((code >> 6) & 0x3f));
      this.u8(0x80 | (code & 0x3f));
    }
  }

  /** Makes room for `count` more bytes and returns where they start. */
  #claim(count: number): number {
    const at = this.#length;
    const end = at + count;
    if (end > this.#buffer.length) this.#grow(end);
    this.#length = end;
    return at;
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer);
    this.#replaceBuffer(larger);
  }

  #replaceBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    this.#buffer = buffer;
    this.#views = [];
    this.#view = new DataView(buffer.buffer);
  }
}

const safeMin = BigInt(Number.MIN_SAFE_INTEGER);
const safeMax = BigInt(Number.MAX_SAFE_INTEGER);

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/** Number of decimal digits of a non-negative safe integer; 1 for 0. */
export function decimalDigits(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}
