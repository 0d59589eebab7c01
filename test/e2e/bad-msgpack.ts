/**
 * Bodies and frames of msgpack that cannot be answered, each with the one code that says why. The models are those of
 * bad-bodies.ts.
 */
import { type BadBody, type BadRow, good, goodText } from './bad-bodies.ts';
import { packed } from './wire-forms.ts';

const bin = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
const goodMap = { inputs: [{ ...good, data: bin }] };
const goodBytes = packed(goodMap);

function changedMap(change: Readonly<Record<string, unknown>>): Buffer {
  return packed({ inputs: [{ ...good, data: bin, ...change }] });
}

export const badOipMsgpack: readonly BadBody[] = (
  [
    ['nothing', '', 'EMPTY_BODY'],
    ['JSON', `{"inputs":[${goodText}]}`, 'INVALID_REQUEST'],
    ['a byte that msgpack does not use', Buffer.of(0xc1), 'MALFORMED_MSGPACK'],
    ['a message that ends in the middle', goodBytes.subarray(0, -3), 'MALFORMED_MSGPACK'],
    ['a byte behind the end', Buffer.concat([goodBytes, Buffer.of(0)]), 'MALFORMED_MSGPACK'],
    [
      'a map that claims four thousand million pairs',
      Buffer.of(0xdf, 255, 255, 255, 255),
      'MALFORMED_MSGPACK',
    ],
    ['a key that is a number', Buffer.of(0x81, 1, 2), 'INVALID_REQUEST'],
    ['a key that is not UTF-8', Buffer.of(0x81, 0xa1, 0xff, 0xc0), 'MALFORMED_MSGPACK'],
    ['an extension', packed({ ...goodMap, inputs: new Date(0) }), 'MALFORMED_MSGPACK'],
    ['maps nested too deep', deepMap(), 'MALFORMED_MSGPACK'],
    ['a list', packed([]), 'INVALID_REQUEST'],
    ['nil', packed(null), 'INVALID_REQUEST'],
    ['an empty map', packed({}), 'INVALID_REQUEST'],
    ['an id that is a list', packed({ ...goodMap, id: [] }), 'INVALID_REQUEST'],
    ['an id that is a fraction', packed({ ...goodMap, id: 1.5 }), 'INVALID_REQUEST'],
    ['an unknown datatype', changedMap({ datatype: 'float' }), 'INVALID_REQUEST'],
    ['another datatype', changedMap({ datatype: 'INT32' }), 'DATATYPE_MISMATCH'],
    ['an unknown input', changedMap({ name: 'x' }), 'UNKNOWN_INPUT'],
    ['no inputs', packed({ inputs: [] }), 'MISSING_INPUT'],
    ['another shape', changedMap({ shape: [4, 1] }), 'SHAPE_MISMATCH'],
    ['a negative dimension', changedMap({ shape: [-1, 4] }), 'INVALID_REQUEST'],
    ['too few bytes', changedMap({ data: bin.subarray(0, 15) }), 'ELEMENT_COUNT_MISMATCH'],
    ['too many bytes', changedMap({ data: Buffer.concat([bin, bin]) }), 'ELEMENT_COUNT_MISMATCH'],
    ['too few values', changedMap({ data: [1, 2, 3] }), 'ELEMENT_COUNT_MISMATCH'],
    ['a value that is a string', changedMap({ data: [1, 2, 3, '4'] }), 'INVALID_ELEMENT'],
    ['a value that is nil', changedMap({ data: [1, 2, 3, null] }), 'INVALID_ELEMENT'],
    ['a value too large for its datatype', changedMap({ data: [1, 2, 3, 1e39] }), 'INVALID_ELEMENT'],
    ['data that is a string', changedMap({ data: 'abcd' }), 'INVALID_REQUEST'],
    [
      'uneven rows',
      changedMap({
        shape: [2, 4],
        data: [
          [1, 2, 3, 4],
          [5, 6, 7],
        ],
      }),
      'SHAPE_MISMATCH',
    ],
  ] satisfies readonly BadRow[]
).map(([what, body, code]) => ({ what, model: 'iris', body, code }));

export const badMsgpackElements: readonly BadBody[] = (
  [
    ['BOOL', 'the byte 2', Buffer.of(2), 'INVALID_ELEMENT'],
    ['BYTES', 'a string that is cut off', Buffer.of(9, 0, 0, 0, 97), 'INVALID_ELEMENT'],
    ['BYTES', 'a string that is not UTF-8', Buffer.of(1, 0, 0, 0, 0xff), 'INVALID_ELEMENT'],
    ['BYTES', 'a string with a NUL', Buffer.of(3, 0, 0, 0, 97, 0, 98), 'INVALID_ELEMENT'],
    ['BYTES', 'a value with a NUL', ['a\0b'], 'INVALID_ELEMENT'],
    ['BYTES', 'bytes with a NUL among values', [Buffer.of(97, 0)], 'INVALID_ELEMENT'],
    ['BYTES', 'no strings', Buffer.of(), 'ELEMENT_COUNT_MISMATCH'],
    ['INT64', 'a value beyond the range', [2n ** 63n], 'INVALID_ELEMENT'],
    ['INT8', 'a value beyond the range', [200], 'INVALID_ELEMENT'],
    ['UINT8', 'a negative value', [-1], 'INVALID_ELEMENT'],
    ['FP16', 'a value beyond the range', [65520], 'INVALID_ELEMENT'],
  ] as const
).map(([datatype, what, data, code]) => ({
  what: `${what} as ${datatype}`,
  model: datatype,
  body: packed({ inputs: [{ name: 'x0', shape: [1], datatype, data }] }),
  code,
}));

function deepMap(): Buffer {
  return Buffer.concat([Buffer.of(0x81, 0xa1, 0x78), Buffer.alloc(1000, 0x91), Buffer.of(1)]);
}
