/**
 * msgpack written by hand: headers, text, whole numbers and tensors onto a ByteWriter. It knows the format, not what
 * a reply looks like (oip-msgpack.ts, stream-frame.ts).
 * Invariant: every value takes the shortest form there is, as msgpackr and most encoders write it.
 */
import type { ByteWriter } from './byte-writer.ts';

export function writeMapHeader(writer: ByteWriter, pairs: number): void {
  if (pairs <= 0x0f) {
    writer.u8(0x80 | pairs);
  } else if (pairs <= 0xffff) {
    writer.u8(0xde);
    writer.u16be(pairs);
  } else {
    writer.u8(0xdf);
    writer.u32be(pairs);
  }
}

export function writeArrayHeader(writer: ByteWriter, values: number): void {
  if (values <= 0x0f) {
    writer.u8(0x90 | values);
  } else if (values <= 0xffff) {
    writer.u8(0xdc);
    writer.u16be(values);
  } else {
    writer.u8(0xdd);
    writer.u32be(values);
  }
}

export function writeNil(writer: ByteWriter): void {
  writer.u8(0xc0);
}

/** A safe integer, not negative. Above 32 bits it is a `uint 64`, which some readers hand out as a big integer. */
export function writeWhole(writer: ByteWriter, value: number): void {
  if (value <= 0x7f) {
    writer.u8(value);
  } else if (value <= 0xff) {
    writer.u8(0xcc);
    writer.u8(value);
  } else if (value <= 0xffff) {
    writer.u8(0xcd);
    writer.u16be(value);
  } else if (value <= 0xffffffff) {
    writer.u8(0xce);
    writer.u32be(value);
  } else {
    writer.u8(0xcf);
    writer.u32be(Math.floor(value / 0x100000000));
    writer.u32be(value % 0x100000000);
  }
}

/** Text that may hold anything; a lone surrogate becomes U+FFFD, since UTF-8 cannot carry it. */
export function writeText(writer: ByteWriter, text: string): void {
  const bytes = utf8Bytes(text);
  if (bytes <= 0x1f) {
    writer.u8(0xa0 | bytes);
  } else if (bytes <= 0xff) {
    writer.u8(0xd9);
    writer.u8(bytes);
  } else if (bytes <= 0xffff) {
    writer.u8(0xda);
    writer.u16be(bytes);
  } else {
    writer.u8(0xdb);
    writer.u32be(bytes);
  }
  if (bytes === text.length) writer.ascii(text);
  else writer.utf8(text);
}

/** Field names of ours: ASCII and at most 31 characters. */
export function writeKey(writer: ByteWriter, key: string): void {
  writer.u8(0xa0 | key.length);
  writer.ascii(key);
}

export function writeBinary(writer: ByteWriter, bytes: Uint8Array): void {
  const { length } = bytes;
  if (length <= 0xff) {
    writer.u8(0xc4);
    writer.u8(length);
  } else if (length <= 0xffff) {
    writer.u8(0xc5);
    writer.u16be(length);
  } else {
    writer.u8(0xc6);
    writer.u32be(length);
  }
  writer.raw(bytes);
}

/** Bytes that `text` takes in UTF-8, with 3 for a lone surrogate, which is what U+FFFD takes. */
function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code <= 0x7f) continue;
    bytes += code <= 0x7ff ? 1 : 2;
    // A pair takes 4 bytes: 2 of them are its two units, 2 were added for the first one.
    if ((text.codePointAt(index) ?? 0) > 0xffff) index++;
  }
  return bytes;
}
