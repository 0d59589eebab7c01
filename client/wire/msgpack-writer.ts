/**
 * msgpack, as much of it as our frames need, into one growing buffer. Written by hand because it is small: see
 * README.md, "Size".
 * Invariant: `finish` hands the buffer out and forgets it, so frames never share memory.
 */

const encoder = new TextEncoder();

export class MsgpackWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /** `capacityBytes` is a guess that saves copies when it is large enough. */
  constructor(capacityBytes: number) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  map(pairs: number): void {
    this.#head(pairs, { fixed: 0x80, fixedMax: 0x0f, wide: 0xde });
  }

  array(elements: number): void {
    this.#head(elements, { fixed: 0x90, fixedMax: 0x0f, wide: 0xdc });
  }

  text(text: string): void {
    const bytes = encoder.encode(text);
    if (bytes.length > 0x1f && bytes.length <= 0xff) {
      this.#reserve(2);
      this.#u8(0xd9);
      this.#u8(bytes.length);
    } else {
      this.#head(bytes.length, { fixed: 0xa0, fixedMax: 0x1f, wide: 0xda });
    }
    this.#raw(bytes);
  }

  binary(bytes: Uint8Array): void {
    this.#reserve(5);
    if (bytes.length <= 0xff) {
      this.#u8(0xc4);
      this.#u8(bytes.length);
    } else {
      this.#u8(0xc6);
      this.#u32(bytes.length);
    }
    this.#raw(bytes);
  }

  /** Whole numbers in their shortest form as far as 2^53 - 1, everything else as a 64-bit float. */
  number(value: number): void {
    this.#reserve(9);
    if (!Number.isSafeInteger(value) || value < -0x8000_0000 || Object.is(value, -0)) {
      this.#u8(0xcb);
      this.#view.setFloat64(this.#length, value);
      this.#length += 8;
    } else if (value < 0) {
      this.#u8(0xd2);
      this.#view.setInt32(this.#length, value);
      this.#length += 4;
    } else if (value <= 0x7f) {
      this.#u8(value);
    } else if (value <= 0xffff) {
      this.#u8(0xcd);
      this.#view.setUint16(this.#length, value);
      this.#length += 2;
    } else if (value <= 0xffff_ffff) {
      this.#u8(0xce);
      this.#u32(value);
    } else {
      this.#u8(0xcf);
      this.#u32(Math.floor(value / 0x1_0000_0000));
      this.#u32(value % 0x1_0000_0000);
    }
  }

  boolean(value: boolean): void {
    this.#reserve(1);
    this.#u8(value ? 0xc3 : 0xc2);
  }

  /** Everything written so far; the writer is used up. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #head(
    count: number,
    form: { readonly fixed: number; readonly fixedMax: number; readonly wide: number },
  ): void {
    this.#reserve(5);
    if (count <= form.fixedMax) {
      this.#u8(form.fixed | count);
    } else if (count <= 0xffff) {
      this.#u8(form.wide);
      this.#view.setUint16(this.#length, count);
      this.#length += 2;
    } else {
      this.#u8(form.wide + 1);
      this.#u32(count);
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #u8(value: number): void {
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  #u32(value: number): void {
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
