/** Packed little-endian elements: sizes, alignment, values that are none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import { readPackedStrings, writePackedElements } from '../../../gateway/wire/packed-elements.ts';
import { anyTensor, bytesOf, emptyTarget } from './arbitrary-tensor.ts';

const encoder = new TextEncoder();

function packStrings(strings: readonly string[]): Uint8Array {
  return Buffer.concat(
    strings.map((text) => {
      const bytes = encoder.encode(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return Buffer.concat([length, bytes]);
    }),
  );
}

describe('writePackedElements', () => {
  it('puts any bytes of the right size into the slot unchanged, wherever they start', () => {
    fc.assert(
      fc.property(anyTensor, fc.integer({ min: 0, max: 9 }), (tensor, offset) => {
        fc.pre(tensor.datatype !== 'BYTES');
        const message = new Uint8Array(offset + tensor.packed.length + 3);
        message.set(tensor.packed, offset);
        const target = emptyTarget(tensor.datatype, tensor.shape);
        const source = message.subarray(offset, offset + tensor.packed.length);
        expect(writePackedElements(source, tensor, target)).toBeUndefined();
        expect(bytesOf(target)).toEqual([...tensor.packed]);
      }),
    );
  });

  it('writes nothing beside the target when that is a row in the middle of an arena', () => {
    const arena = new Float32Array(new SharedArrayBuffer(32)).fill(9);
    const bytes = new Uint8Array(new Float32Array([1, 2]).buffer);
    const tensor = { name: 'x', datatype: 'FP32', shape: [1, 2] } as const;
    expect(writePackedElements(bytes, tensor, arena.subarray(3, 5))).toBeUndefined();
    expect([...arena]).toEqual([9, 9, 9, 1, 2, 9, 9, 9]);
  });

  it('takes exactly one element for a scalar and none for a shape with a zero', () => {
    const scalar = { name: 'x', datatype: 'INT16', shape: [] } as const;
    expect(writePackedElements(Uint8Array.of(1, 2), scalar, new Int16Array(1))).toBeUndefined();
    const empty = { name: 'x', datatype: 'INT16', shape: [2, 0] } as const;
    expect(writePackedElements(new Uint8Array(0), empty, new Int16Array(0))).toBeUndefined();
  });

  it.each([7, 9, 0, 16])('refuses %i bytes where 8 are wanted, saying both', (length) => {
    const tensor = { name: 'x', datatype: 'FP32', shape: [1, 2] } as const;
    expect(writePackedElements(new Uint8Array(length), tensor, new Float32Array(2))).toEqual({
      ok: false,
      code: 'ELEMENT_COUNT_MISMATCH',
      message: `Input "x" has ${length} bytes of data, but FP32 of shape [1, 2] takes 8.`,
    });
  });

  it('refuses a BOOL byte that is neither 0 nor 1, saying which', () => {
    const tensor = { name: 'x', datatype: 'BOOL', shape: [3] } as const;
    expect(writePackedElements(Uint8Array.of(0, 1, 2), tensor, new Uint8Array(3))).toMatchObject({
      code: 'INVALID_ELEMENT',
      message: 'Element 2 of input "x" is the byte 2; BOOL is 0 or 1.',
    });
  });

  it('throws when the target is not what the shape says, since that is a fault of ours', () => {
    const wrong: readonly [Datatype, readonly number[]][] = [
      ['FP32', [3]],
      ['FP64', [2]],
      ['BYTES', [2]],
    ];
    for (const [datatype, shape] of wrong) {
      expect(() =>
        writePackedElements(new Uint8Array(8), { name: 'x', datatype, shape }, new Float32Array(2)),
      ).toThrow();
    }
  });
});

describe('readPackedStrings', () => {
  it('gives back what was packed', () => {
    fc.assert(
      fc.property(anyTensor, (tensor) => {
        fc.pre(tensor.datatype === 'BYTES');
        expect(readPackedStrings(packStrings(tensor.strings), tensor)).toEqual({
          ok: true,
          value: tensor.strings,
        });
      }),
    );
  });

  const two = { name: 'x', datatype: 'BYTES', shape: [2] } as const;
  const wide = { name: 'x', datatype: 'BYTES', shape: [1_000_000_000_000] } as const;
  it.each([
    ['too few elements', two, packStrings(['a']), 'ELEMENT_COUNT_MISMATCH', 'has 1 elements of data'],
    [
      'too many elements',
      two,
      packStrings(['a', 'b', 'c']),
      'ELEMENT_COUNT_MISMATCH',
      '5 bytes of data left over',
    ],
    [
      'left-over bytes',
      two,
      Buffer.concat([packStrings(['a', 'b']), Buffer.of(0)]),
      'ELEMENT_COUNT_MISMATCH',
      '1 bytes',
    ],
    [
      'a text that is cut off',
      two,
      packStrings(['a', 'bc']).subarray(0, 10),
      'INVALID_ELEMENT',
      'Element 1 of input "x" is cut off',
    ],
    ['a length that is cut off', two, packStrings(['a', '']).subarray(0, 7), 'INVALID_ELEMENT', 'Element 1'],
    ['a length of 4 GiB', two, Buffer.of(255, 255, 255, 255, 0), 'INVALID_ELEMENT', 'Element 0'],
    ['text that is not UTF-8', two, Buffer.of(1, 0, 0, 0, 0x80, 0, 0, 0, 0), 'INVALID_ELEMENT', 'not UTF-8'],
    [
      'a surrogate in UTF-8',
      two,
      Buffer.of(3, 0, 0, 0, 0xed, 0xa0, 0x80, 0, 0, 0, 0),
      'INVALID_ELEMENT',
      'not UTF-8',
    ],
    [
      'a shape far beyond the data',
      wide,
      packStrings(['a']),
      'ELEMENT_COUNT_MISMATCH',
      'takes 1000000000000',
    ],
  ] as const)('refuses %s', (_, tensor, bytes, code, message) => {
    const result = readPackedStrings(bytes, tensor);
    expect(result).toMatchObject({ ok: false, code });
    expect(result.ok ? '' : result.message).toContain(message);
  });

  it('keeps a byte order mark, which is text like any other', () => {
    const tensor = { name: 'x', datatype: 'BYTES', shape: [1] } as const;
    expect(readPackedStrings(packStrings(['\ufeffa']), tensor)).toEqual({ ok: true, value: ['\ufeffa'] });
  });
});
