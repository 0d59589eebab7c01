/** What we write as msgpack, read back by msgpackr. */
import fc from 'fast-check';
import { unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import {
  writeArrayHeader,
  writeBinary,
  writeMapHeader,
  writeText,
  writeWhole,
} from '../../../gateway/wire/msgpack-writer.ts';

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(8);
  write(writer);
  return writer.bytes();
}

/** What msgpackr, which shares no code with the writer, makes of the bytes. */
function read(bytes: Uint8Array): unknown {
  const value: unknown = unpack(bytes);
  return typeof value === 'bigint' ? Number(value) : value;
}

describe('the msgpack writer', () => {
  const edges = [0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, Number.MAX_SAFE_INTEGER];
  it.each(edges)('writes the whole number %i so that msgpackr reads it back', (value) => {
    expect(
      read(
        written((writer) => {
          writeWhole(writer, value);
        }),
      ),
    ).toBe(value);
  });

  it('writes any whole number in the shortest form', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = written((writer) => {
          writeWhole(writer, value);
        });
        expect(read(bytes)).toBe(value);
        const bits = value === 0 ? 0 : Math.floor(Math.log2(value)) + 1;
        expect(bytes.length).toBe(bits <= 7 ? 1 : bits <= 8 ? 2 : bits <= 16 ? 3 : bits <= 32 ? 5 : 9);
      }),
    );
  });

  it('writes any text, with U+FFFD for half of a surrogate pair', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)) }), (text) => {
        expect(
          read(
            written((writer) => {
              writeText(writer, text);
            }),
          ),
        ).toBe(text.toWellFormed());
      }),
    );
  });

  it.each([0, 31, 32, 255, 256, 65535, 65536])('writes text of %i bytes, ASCII or not', (length) => {
    for (const text of [
      'a'.repeat(length),
      'ä'.repeat(length / 2),
      '€'.repeat(length / 3),
      '😀'.repeat(length / 4),
    ]) {
      expect(
        read(
          written((writer) => {
            writeText(writer, text);
          }),
        ),
      ).toBe(text);
    }
  });

  it.each([0, 255, 256, 65535, 65536])('writes %i bytes of binary data', (length) => {
    const bytes = new Uint8Array(length).map((_, index) => index);
    const got = read(
      written((writer) => {
        writeBinary(writer, bytes);
      }),
    );
    expect(got instanceof Uint8Array && Buffer.compare(got, bytes)).toBe(0);
  });

  it.each([0, 15, 16, 65535, 65536])('writes the header of an array and of a map of %i', (count) => {
    const array = written((writer) => {
      writeArrayHeader(writer, count);
      for (let index = 0; index < count; index++) writeWhole(writer, 1);
    });
    expect(read(array)).toHaveLength(count);
    const map = written((writer) => {
      writeMapHeader(writer, count);
      for (let index = 0; index < count; index++) {
        writeText(writer, String(index));
        writeWhole(writer, 1);
      }
    });
    expect(Object.keys(read(map) ?? {})).toHaveLength(count);
  });
});
