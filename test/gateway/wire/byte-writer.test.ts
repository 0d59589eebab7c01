/** The byte writer against the engine's own text and number encodings. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';

function written(write: (writer: ByteWriter) => void, initialBytes = 8): Buffer {
  const writer = new ByteWriter(initialBytes);
  write(writer);
  return Buffer.from(writer.bytes());
}

/** Any UTF-16 text, lone surrogates included. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map((codes) => String.fromCharCode(...codes));

describe('byte writer', () => {
  it('writes JSON strings exactly as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), anyText), (text) => {
        expect(
          written((writer) => {
            writer.jsonString(text);
          }).toString(),
        ).toBe(JSON.stringify(text));
      }),
    );
  });

  it('writes text as UTF-8 and counts its bytes, a lone surrogate as the replacement character', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let count = 0;
        expect(written((writer) => (count = writer.utf8(text)))).toEqual(Buffer.from(text));
        expect(count).toBe(Buffer.byteLength(text));
      }),
    );
  });

  it('writes every safe integer in decimal', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(
          written((writer) => {
            writer.integer(value);
          }).toString(),
        ).toBe(String(value));
      }),
    );
    for (const value of [0, 9, 10, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), Number.MAX_SAFE_INTEGER]) {
      expect(
        written((writer) => {
          writer.integer(value);
        }).toString(),
      ).toBe(String(value));
    }
  });

  it('writes big integers in decimal, however large', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
        expect(
          written((writer) => {
            writer.bigint(value);
          }).toString(),
        ).toBe(String(value));
      }),
    );
  });

  it('writes fixed-size numbers in the byte order that the name says', () => {
    const bytes = written((writer) => {
      writer.u8(1);
      writer.u16be(0x0203);
      writer.u32be(0x04050607);
      writer.raw(Uint8Array.of(0x14, 0x15));
    });
    expect(bytes.toString('hex')).toBe('010203040506071415');
  });

  it('gives a view of exactly what was written, also after it gave one of that length before', () => {
    const writer = new ByteWriter(16);
    for (const text of ['first', 'again', 'longer than the buffer', 'third']) {
      writer.reset();
      writer.ascii(text);
      expect(Buffer.from(writer.bytes()).toString()).toBe(text);
    }
  });

  it('keeps what was written when it grows, and forgets it when it is reset', () => {
    const writer = new ByteWriter(4);
    for (let index = 0; index < 10_000; index++) writer.ascii('abc');
    expect(Buffer.from(writer.bytes()).toString()).toBe('abc'.repeat(10_000));
    writer.reset();
    expect(writer.length).toBe(0);
    writer.ascii('x');
    expect(writer.bytes()).toEqual(Uint8Array.of(0x78));
  });

  it('gives the memory of a huge reply back at the next reset', () => {
    const writer = new ByteWriter(1024);
    writer.raw(new Uint8Array(10_000_000));
    writer.reset();
    writer.u8(1);
    expect(writer.bytes().buffer.byteLength).toBe(1024);
  });
});
