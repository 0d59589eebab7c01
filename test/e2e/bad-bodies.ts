/**
 * Bodies of JSON that cannot be answered, each with the one code that says why. The models behind them: `iris` takes
 * `features` FP32 [any, 4]; `pair` takes two inputs `x0` and `x1`, FP32 [any, 2]; the others are named after the one
 * datatype they take, as `x0` with the shape [any].
 */
import type { ErrorCode } from '../../gateway/wire/error-code.ts';
import type { Datatype } from '../../runtime/tensor/dtype.ts';

export interface BadBody {
  readonly what: string;
  readonly model: string;
  readonly body: string | Uint8Array;
  readonly code: ErrorCode;
}

/** Limits that the tables below run into. */
export const smallLimits: Readonly<Record<string, number>> = {
  bodyBytesMax: 256 * 1024,
  requestBytesMax: 8 * 1024,
  frameBytesMax: 64 * 1024,
  headerBytesMax: 4096,
};

export const datatypeModels: readonly Datatype[] = [
  'BYTES',
  'BOOL',
  'INT8',
  'UINT8',
  'INT64',
  'UINT64',
  'FP16',
  'FP64',
];

export const good = { name: 'features', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] };
export const goodText = JSON.stringify(good);

export type BadRow = readonly [what: string, body: string | Uint8Array, code: ErrorCode];

const jsonRows: readonly BadRow[] = [
  ['nothing', '', 'EMPTY_BODY'],
  ['white space only', ' \n', 'MALFORMED_JSON'],
  ['a word', 'hello', 'MALFORMED_JSON'],
  ['an open brace', '{', 'MALFORMED_JSON'],
  ['a body that ends in the middle', `{"inputs":[${goodText}`, 'MALFORMED_JSON'],
  ['something behind the end', `{"inputs":[${goodText}]}x`, 'MALFORMED_JSON'],
  ['two bodies', `{"inputs":[${goodText}]}{"inputs":[${goodText}]}`, 'MALFORMED_JSON'],
  ['a trailing comma', `{"inputs":[${goodText},]}`, 'MALFORMED_JSON'],
  ['a comment', `{/**/"inputs":[${goodText}]}`, 'MALFORMED_JSON'],
  ['single quotes', `{'inputs':[]}`, 'MALFORMED_JSON'],
  ['a byte order mark', `\ufeff{"inputs":[${goodText}]}`, 'MALFORMED_JSON'],
  ['text in UTF-16', Buffer.from(`{"inputs":[${goodText}]}`, 'utf16le'), 'MALFORMED_JSON'],
  ['bytes that are not UTF-8', Buffer.from('{"id":"\xff\xfe","inputs":[]}', 'latin1'), 'MALFORMED_JSON'],
  ['a line break in a string', '{"id":"a\nb"}', 'MALFORMED_JSON'],
  ['an unknown escape', String.raw`{"id":"\q"}`, 'MALFORMED_JSON'],
  ['arrays nested 100 000 deep', '['.repeat(100_000), 'MALFORMED_JSON'],
  [
    'arrays nested too deep in an unknown field',
    `{"x":${'['.repeat(1000)}${']'.repeat(1000)}}`,
    'MALFORMED_JSON',
  ],
  ['maps nested too deep', `{"x":${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}}`, 'MALFORMED_JSON'],
  ['a list', '[]', 'INVALID_REQUEST'],
  ['null', 'null', 'INVALID_REQUEST'],
  ['a number', '7', 'INVALID_REQUEST'],
  ['an empty map', '{}', 'INVALID_REQUEST'],
  ['inputs that are a map', '{"inputs":{}}', 'INVALID_REQUEST'],
  ['inputs that are null', '{"inputs":null}', 'INVALID_REQUEST'],
  ['an input that is a number', '{"inputs":[7]}', 'INVALID_REQUEST'],
  ['inputs twice', `{"inputs":[${goodText}],"inputs":[${goodText}]}`, 'INVALID_REQUEST'],
  ['300 inputs', `{"inputs":[${Array(300).fill('{"name":"x"}').join()}]}`, 'INVALID_REQUEST'],
  ['an id that is a number', `{"id":1,"inputs":[${goodText}]}`, 'INVALID_REQUEST'],
  ['outputs that are strings', `{"inputs":[${goodText}],"outputs":["label"]}`, 'INVALID_REQUEST'],
  ['outputs without names', `{"inputs":[${goodText}],"outputs":[{}]}`, 'INVALID_REQUEST'],
  ['an unknown output', `{"inputs":[${goodText}],"outputs":[{"name":"x"}]}`, 'UNKNOWN_OUTPUT'],
  [
    'an output twice',
    `{"inputs":[${goodText}],"outputs":[{"name":"label"},{"name":"label"}]}`,
    'INVALID_REQUEST',
  ],
  ['no inputs', '{"inputs":[]}', 'MISSING_INPUT'],
  ['an input twice', `{"inputs":[${goodText},${goodText}]}`, 'INVALID_REQUEST'],
];

/** What is wrong with one input, as a change of the good one; undefined leaves a field out. */
type Change = Readonly<Partial<Record<'name' | 'shape' | 'datatype' | 'data' | 'parameters', unknown>>>;
type Changed = readonly [what: string, change: Change, code: ErrorCode];

const changes: readonly Changed[] = [
  ['an input without a name', { name: undefined }, 'INVALID_REQUEST'],
  ['an input without a shape', { shape: undefined }, 'INVALID_REQUEST'],
  ['an input without a datatype', { datatype: undefined }, 'INVALID_REQUEST'],
  ['an input without data', { data: undefined }, 'INVALID_REQUEST'],
  ['a name that is a number', { name: 7 }, 'INVALID_REQUEST'],
  ['an unknown input', { name: 'feature' }, 'UNKNOWN_INPUT'],
  ['the name of a property of every object', { name: '__proto__' }, 'UNKNOWN_INPUT'],
  ['a very long name', { name: 'x'.repeat(10_000) }, 'UNKNOWN_INPUT'],
  ['an unknown datatype', { datatype: 'float32' }, 'INVALID_REQUEST'],
  ['a datatype in small letters', { datatype: 'fp32' }, 'INVALID_REQUEST'],
  ['another datatype', { datatype: 'FP64' }, 'DATATYPE_MISMATCH'],
  ['a shape that is a number', { shape: 4 }, 'INVALID_REQUEST'],
  ['a shape with a string', { shape: ['1', 4] }, 'INVALID_REQUEST'],
  ['a negative dimension', { shape: [-1, 4] }, 'INVALID_REQUEST'],
  ['half a row', { shape: [0.5, 4] }, 'INVALID_REQUEST'],
  ['more elements than can be counted', { shape: [2 ** 52, 4] }, 'INVALID_REQUEST'],
  ['a thousand dimensions', { shape: Array(1000).fill(1) }, 'INVALID_REQUEST'],
  ['too few dimensions', { shape: [4] }, 'SHAPE_MISMATCH'],
  ['too many dimensions', { shape: [1, 1, 4] }, 'SHAPE_MISMATCH'],
  ['another row length', { shape: [1, 3] }, 'SHAPE_MISMATCH'],
  ['no rows', { shape: [0, 4], data: [] }, 'SHAPE_MISMATCH'],
  ['too few elements', { data: [1, 2, 3] }, 'ELEMENT_COUNT_MISMATCH'],
  ['too many elements', { data: [1, 2, 3, 4, 5] }, 'ELEMENT_COUNT_MISMATCH'],
  ['no elements', { data: [] }, 'ELEMENT_COUNT_MISMATCH'],
  [
    'uneven rows',
    {
      shape: [2, 4],
      data: [
        [1, 2, 3, 4],
        [5, 6, 7],
      ],
    },
    'SHAPE_MISMATCH',
  ],
  ['a list in a list of numbers', { data: [1, 2, 3, [4]] }, 'SHAPE_MISMATCH'],
  ['data that is a number', { data: 1 }, 'INVALID_REQUEST'],
  ['data that is a map', { data: {} }, 'INVALID_REQUEST'],
  ['an element that is null', { data: [1, 2, 3, null] }, 'INVALID_ELEMENT'],
  ['an element that is true', { data: [1, 2, 3, true] }, 'INVALID_ELEMENT'],
  ['an element that is a word', { data: [1, 2, 3, 'four'] }, 'INVALID_ELEMENT'],
  ['an element that is a map', { data: [1, 2, 3, {}] }, 'INVALID_ELEMENT'],
  ['a number too large for its datatype', { data: [1, 2, 3, 1e39] }, 'INVALID_ELEMENT'],
  ['too many rows', { shape: [1025, 4], data: Array(4100).fill(1) }, 'TOO_MANY_ROWS'],
  ['rows for a million clients, and no data', { shape: [1_000_000, 4] }, 'TOO_MANY_ROWS'],
  [
    'more bytes than one request may have',
    { shape: [600, 4], data: Array(2400).fill(0.5) },
    'BODY_TOO_LARGE',
  ],
  [
    'the binary tensor extension',
    { data: undefined, parameters: { binary_data_size: 16 } },
    'INVALID_REQUEST',
  ],
  ['parameters that are a list', { parameters: [] }, 'INVALID_REQUEST'],
];

/** Text in the place of the fourth element of a FP32 input. */
const tokens: readonly (readonly [token: string, code: ErrorCode])[] = [
  ['NaN', 'MALFORMED_JSON'],
  ['Infinity', 'MALFORMED_JSON'],
  ['-Infinity', 'MALFORMED_JSON'],
  ['nan', 'MALFORMED_JSON'],
  ['+4', 'MALFORMED_JSON'],
  ['.4', 'MALFORMED_JSON'],
  ['4.', 'MALFORMED_JSON'],
  ['04', 'MALFORMED_JSON'],
  ['-', 'MALFORMED_JSON'],
  ['4e', 'MALFORMED_JSON'],
  ['0x4', 'MALFORMED_JSON'],
  ['4_0', 'MALFORMED_JSON'],
  ['', 'MALFORMED_JSON'],
  ['undefined', 'MALFORMED_JSON'],
  ['1e400', 'INVALID_ELEMENT'],
  ['-1e39', 'INVALID_ELEMENT'],
  ['9'.repeat(5000), 'INVALID_ELEMENT'],
  ['"nan"', 'INVALID_ELEMENT'],
  ['"+Infinity"', 'INVALID_ELEMENT'],
];

/** One element that its datatype does not take, as JSON text. */
const elements: readonly (readonly [datatype: Datatype, element: string])[] = [
  ['BYTES', '7'],
  ['BYTES', 'null'],
  ['BYTES', String.raw`"a\u0000b"`],
  ['BYTES', String.raw`"\ud800"`],
  ['BYTES', String.raw`"\udc00\ud800"`],
  ['BOOL', '2'],
  ['BOOL', '"true"'],
  ['INT8', '128'],
  ['INT8', '-129'],
  ['INT8', '1.5'],
  ['INT8', 'true'],
  ['UINT8', '256'],
  ['UINT8', '-1'],
  ['INT64', '9223372036854775808'],
  ['INT64', '-9223372036854775809'],
  ['INT64', '1e19'],
  ['INT64', '0.1'],
  ['INT64', '"1"'],
  ['UINT64', '18446744073709551616'],
  ['UINT64', '-1'],
  ['FP16', '65520'],
  ['FP64', '1e309'],
];

function oneInput(change: Change): string {
  return JSON.stringify({ inputs: [{ ...good, ...change }] });
}

export const badOipJson: readonly BadBody[] = [
  ...jsonRows.map(([what, body, code]) => ({ what, model: 'iris', body, code })),
  ...changes.map(([what, change, code]) => ({ what, model: 'iris', body: oneInput(change), code })),
  ...tokens.map(([token, code]) => ({
    what: `the element ${token.slice(0, 20)}`,
    model: 'iris',
    body: `{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[1,2,3,${token}]}]}`,
    code,
  })),
  ...elements.map(([datatype, element]) => ({
    what: `the ${datatype} element ${element}`,
    model: datatype,
    body: `{"inputs":[{"name":"x0","shape":[1],"datatype":"${datatype}","data":[${element}]}]}`,
    code: 'INVALID_ELEMENT' as const,
  })),
  {
    what: 'one input of two',
    model: 'pair',
    body: '{"inputs":[{"name":"x1","shape":[1,2],"datatype":"FP32","data":[1,2]}]}',
    code: 'MISSING_INPUT',
  },
  {
    what: 'inputs of different row counts',
    model: 'pair',
    body: JSON.stringify({
      inputs: [
        { name: 'x0', shape: [1, 2], datatype: 'FP32', data: [1, 2] },
        { name: 'x1', shape: [2, 2], datatype: 'FP32', data: [1, 2, 3, 4] },
      ],
    }),
    code: 'SHAPE_MISMATCH',
  },
];

export const badPredict: readonly BadBody[] = (
  [
    ['nothing', '', 'EMPTY_BODY'],
    ['a word', 'hello', 'MALFORMED_JSON'],
    ['a body that ends in the middle', '{"features":[[1,2,3,4]', 'MALFORMED_JSON'],
    ['something behind the end', '{"features":[[1,2,3,4]]}}', 'MALFORMED_JSON'],
    ['a list', '[[1,2,3,4]]', 'INVALID_REQUEST'],
    ['no features', '{}', 'INVALID_REQUEST'],
    ['features that are null', '{"features":null}', 'INVALID_REQUEST'],
    ['features that are a number', '{"features":7}', 'INVALID_REQUEST'],
    ['no rows', '{"features":[]}', 'INVALID_REQUEST'],
    ['rows that are empty', '{"features":[[]]}', 'SHAPE_MISMATCH'],
    ['a short row', '{"features":[[1,2,3]]}', 'SHAPE_MISMATCH'],
    ['a long row', '{"features":[[1,2,3,4,5]]}', 'SHAPE_MISMATCH'],
    ['uneven rows', '{"features":[[1,2,3,4],[1,2,3]]}', 'SHAPE_MISMATCH'],
    ['an element that is a word', '{"features":[[1,2,3,"four"]]}', 'INVALID_ELEMENT'],
    ['an element that is null', '{"features":[[1,2,3,null]]}', 'INVALID_ELEMENT'],
    ['a number too large for its datatype', '{"features":[[1,2,3,1e39]]}', 'INVALID_ELEMENT'],
    ['a NaN that is not a string', '{"features":[[1,2,3,NaN]]}', 'MALFORMED_JSON'],
    ['an unknown input', '{"features":{"x":[[1,2,3,4]]}}', 'UNKNOWN_INPUT'],
    ['too many rows', `{"features":${JSON.stringify(Array(1025).fill([1, 2, 3, 4]))}}`, 'TOO_MANY_ROWS'],
  ] satisfies readonly BadRow[]
).map(([what, body, code]) => ({ what, model: 'iris', body, code }));
