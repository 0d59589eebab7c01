/** The msgpack reader against msgpackr as the other implementation, and against frames made to hurt it. */
import fc from 'fast-check';
import { pack, Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { MsgpackCursor } from '../../../gateway/wire/msgpack-cursor.ts';

/** Walks a value and says what became of it: 'ok', or the code it was refused with. */
function walk(...bytes: number[]): string {
  const cursor = new MsgpackCursor(Uint8Array.from(bytes));
  return cursor.skip() && cursor.end() ? 'ok' : cursor.failure().code;
}

const hostile = new Packr({ moreTypes: true, structuredClone: true, bundleStrings: true });

describe('skip', () => {
  it('steps over any value that msgpackr writes, to its last byte', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(walk(...new Packr({ useRecords: false }).pack(value))).toBe('ok');
      }),
    );
  });

  it('ends on a declared code for any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(['ok', 'MALFORMED_MSGPACK']).toContain(walk(...bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it.each<[string, number[]]>([
    ['nothing', []],
    ['0xc1', [0xc1]],
    ['a fixext', [0xd4, 0x00, 0x00]],
    ['an ext 8', [0xc7, 0x01, 0x2a, 0x00]],
    ['an ext 32 of 4 GiB', [0xc9, 0xff, 0xff, 0xff, 0xff]],
    ['a timestamp', [0xd6, 0xff, 0, 0, 0, 0]],
    ['a record definition', [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01]],
    ['an array 32 of 4 billion', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map 32 of 4 billion', [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ['a str 32 of 4 GiB', [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ['a bin 32 of 4 GiB', [0xc6, 0xff, 0xff, 0xff, 0xff]],
    ['an array that is cut off', [0x92, 0x01]],
    ['a map that is cut off before a key', [0x81]],
    ['a map that is cut off before a value', [0x81, 0xa1, 0x61]],
    ['a float that is cut off', [0xcb, 0, 0, 0]],
    ['a length that is cut off', [0xda, 0]],
    ['a map with a number as key', [0x81, 0x01, 0x01]],
    ['a map with nil as key', [0x81, 0xc0, 0x01]],
    ['a map with a map as key', [0x81, 0x80, 0x01]],
    ['a string that is not UTF-8', [0xa1, 0x80]],
    ['an overlong string', [0xa2, 0xc0, 0x80]],
    ['a second value', [0x01, 0x02]],
    ['33 arrays inside each other', Array<number>(33).fill(0x91).concat(0x00)],
    ['100 000 arrays inside each other', Array<number>(100_000).fill(0x91)],
  ])('refuses %s', (_, bytes) => {
    expect(walk(...bytes)).toBe('MALFORMED_MSGPACK');
  });

  it('allows 32 arrays inside each other', () => {
    expect(walk(...Array<number>(32).fill(0x91), 0x00)).toBe('ok');
  });

  it.each<[string, unknown]>([
    ['an Error', new Error('x')],
    ['a Set', new Set([1])],
    ['a RegExp', /a+/],
    ['a Date', new Date(0)],
    ['a typed array', new Float32Array(2)],
    [
      'a record',
      [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
    ],
    ['a cycle', [Array(2).fill({ a: 1 })]],
  ])('refuses %s, which msgpackr would build from the wire', (_, value) => {
    expect(walk(...hostile.pack(value))).toBe('MALFORMED_MSGPACK');
  });
});

describe('elements', () => {
  function elements(bytes: Uint8Array): unknown {
    const cursor = new MsgpackCursor(bytes);
    return cursor.elements('data') ?? cursor.failure().code;
  }

  it('hands out 64-bit integers as bigint and everything else as it was packed', () => {
    const values = [1, -1, 1.5, true, null, 'ä', 2n ** 63n, -(2n ** 62n), [[], [1]]];
    expect(elements(pack(values))).toEqual(values);
  });

  it('does not let a key replace a prototype, and never reaches Object.prototype', () => {
    const bytes = Buffer.concat([Buffer.of(0x91, 0x81), pack('__proto__'), pack({ polluted: true })]);
    expect(elements(bytes)).toHaveLength(1);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it.each<[string, Uint8Array]>([
    [
      'more elements than are built',
      Buffer.concat([Buffer.of(0xdd, 0x00, 0x40, 0x00, 0x01), Buffer.alloc(4_194_305)]),
    ],
    [
      'more nested arrays than are built',
      Buffer.concat([Buffer.of(0xdd, 0x00, 0x01, 0x00, 0x01), Buffer.alloc(65_537, 0x90)]),
    ],
    [
      'more maps than are built',
      Buffer.concat([Buffer.of(0xdd, 0x00, 0x01, 0x00, 0x01), Buffer.alloc(65_537, 0x80)]),
    ],
  ])('refuses %s, whose memory would dwarf the message', (_, bytes) => {
    expect(elements(bytes)).toBe('BODY_TOO_LARGE');
  });
});

describe('whole', () => {
  it.each<[number[], number | string]>([
    [[0x7f], 127],
    [[0xcc, 0xff], 255],
    [[0xcd, 0x01, 0x00], 256],
    [[0xce, 0xff, 0xff, 0xff, 0xff], 4294967295],
    [[0xcf, 0x00, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Number.MAX_SAFE_INTEGER],
    [[0xd0, 0x7f], 127],
    [[0xd1, 0x00, 0x05], 5],
    [[0xd2, 0x7f, 0xff, 0xff, 0xff], 2147483647],
    [[0xd3, 0, 0, 0, 0, 0, 0, 0, 9], 9],
    [[0xff], 'INVALID_REQUEST'],
    [[0xd0, 0x80], 'INVALID_REQUEST'],
    [[0xd1, 0xff, 0xff], 'INVALID_REQUEST'],
    [[0xd2, 0x80, 0, 0, 0], 'INVALID_REQUEST'],
    [[0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 'INVALID_REQUEST'],
    [[0xcf, 0x00, 0x20, 0, 0, 0, 0, 0, 0], 'INVALID_REQUEST'],
    [[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 'INVALID_REQUEST'],
    [[0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], 'INVALID_REQUEST'],
    [[0xcd, 0x01], 'MALFORMED_MSGPACK'],
    [[0xcf, 0x00], 'MALFORMED_MSGPACK'],
    [[0xd3, 0x00], 'MALFORMED_MSGPACK'],
    [[], 'MALFORMED_MSGPACK'],
  ])('reads %j as %s', (bytes, expected) => {
    const cursor = new MsgpackCursor(Uint8Array.from(bytes));
    expect(cursor.whole('n') ?? cursor.failure().code).toBe(expected);
  });
});
