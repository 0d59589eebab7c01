/**
 * Requests with binary tensors that cannot be answered, each with the one code that says why. After what Triton's own
 * tests send (qa/L0_http/http_test.py, qa/L0_infer_zero) and the checks of its HTTP server. The models are those of
 * bad-bodies.ts.
 */
import type { ErrorCode } from '../../gateway/wire/error-code.ts';
import { type BinaryBody, binaryBody, jsonBytesHeader } from './binary-form.ts';

export interface BadBinary extends BinaryBody {
  readonly what: string;
  readonly model: string;
  readonly code: ErrorCode;
  /** Words of Triton's message that its clients look for. */
  readonly says?: string;
}

const row = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
const features = { name: 'features', shape: [1, 4], datatype: 'FP32' };
const sized = (bytes: number): object => ({ ...features, parameters: { binary_data_size: bytes } });

function withHeader(value: string, body: Uint8Array = row): BinaryBody {
  return { headers: { [jsonBytesHeader]: value }, body: Buffer.from(body) };
}

function oneInput(input: object, bytes: readonly Uint8Array[] = [row]): BinaryBody {
  return binaryBody({ inputs: [input] }, bytes);
}

const iris: readonly (readonly [what: string, body: BinaryBody, code: ErrorCode, says?: string])[] = [
  ['a header that is a word', withHeader('many'), 'INVALID_REQUEST'],
  ['a header that is negative', withHeader('-1'), 'INVALID_REQUEST'],
  ['a header that is a fraction', withHeader('1.5'), 'INVALID_REQUEST'],
  ['a header in hexadecimal', withHeader('0x10'), 'INVALID_REQUEST'],
  ['a header with two numbers', withHeader('1, 2'), 'INVALID_REQUEST'],
  ['a header beyond any size', withHeader('99999999999999999999'), 'INVALID_REQUEST'],
  ['a header beyond the body', withHeader('17'), 'INVALID_REQUEST'],
  ['a header far beyond the body', withHeader('9007199254740991'), 'INVALID_REQUEST'],
  ['a header that ends inside the JSON', { ...oneInput(sized(16)), ...header(10) }, 'MALFORMED_JSON'],
  [
    'a header that takes tensor bytes for JSON',
    { ...oneInput(sized(16)), ...header(104) },
    'BINARY_SIZE_MISMATCH',
  ],
  ['no JSON where there should be some', withHeader('16'), 'MALFORMED_JSON'],
  [
    'fewer bytes than its size says',
    oneInput(sized(16), [row.subarray(0, 12)]),
    'BINARY_SIZE_MISMATCH',
    'unexpected size for input',
  ],
  ['no bytes at all', oneInput(sized(16), []), 'BINARY_SIZE_MISMATCH', 'expecting 16 additional bytes'],
  [
    'bytes left over',
    oneInput(sized(16), [row, Buffer.alloc(1)]),
    'BINARY_SIZE_MISMATCH',
    'unexpected additional input data',
  ],
  ['bytes behind JSON inputs', oneInput({ ...features, data: [1, 2, 3, 4] }), 'BINARY_SIZE_MISMATCH'],
  ['a size smaller than its shape', oneInput(sized(12), [row.subarray(4)]), 'ELEMENT_COUNT_MISMATCH'],
  ['a size larger than its shape', oneInput(sized(20), [row, row.subarray(12)]), 'ELEMENT_COUNT_MISMATCH'],
  ['a size that is no whole element', oneInput(sized(15), [row.subarray(1)]), 'ELEMENT_COUNT_MISMATCH'],
  ['the size 0 for a tensor that has elements', oneInput(sized(0), []), 'ELEMENT_COUNT_MISMATCH'],
  ['a negative size', oneInput(sized(-16)), 'INVALID_REQUEST'],
  ['a size that is a fraction', oneInput(sized(15.5)), 'INVALID_REQUEST'],
  ['a size that is beyond counting', oneInput(sized(2 ** 60)), 'INVALID_REQUEST'],
  [
    'a size that is a string',
    oneInput({ ...features, parameters: { binary_data_size: '16' } }),
    'INVALID_REQUEST',
  ],
  ['both data and a size', oneInput({ ...sized(16), data: [1, 2, 3, 4] }), 'INVALID_REQUEST'],
  ['neither data nor a size', oneInput(features), 'INVALID_REQUEST'],
  [
    'a shape whose product overflows',
    oneInput({ ...sized(16), shape: [2 ** 4, 2 ** 60 + 2] }),
    'INVALID_REQUEST',
  ],
  [
    'a shape of more elements than can be counted',
    oneInput({ ...sized(16), shape: [2 ** 4, 2 ** 52] }),
    'INVALID_REQUEST',
    'causes total element count to exceed maximum size of',
  ],
  ['a negative dimension', oneInput({ ...sized(16), shape: [1, -4] }), 'INVALID_REQUEST'],
  ['another shape', oneInput({ ...sized(16), shape: [4, 1] }), 'SHAPE_MISMATCH'],
  ['another datatype', oneInput({ ...sized(16), datatype: 'INT32' }), 'DATATYPE_MISMATCH'],
  [
    'an input in shared memory',
    oneInput({ ...features, parameters: { shared_memory_region: 'a', shared_memory_byte_size: 16 } }, []),
    'UNSUPPORTED_PARAMETER',
  ],
  ['a raw body of too few bytes', withHeader('0', row.subarray(4)), 'BINARY_SIZE_MISMATCH'],
  ['a raw body of two rows', withHeader('0', Buffer.concat([row, row])), 'BINARY_SIZE_MISMATCH'],
  ['an empty raw body', withHeader('0', Buffer.alloc(0)), 'BINARY_SIZE_MISMATCH'],
];

const strings = (bytes: Uint8Array, size: number = bytes.length): BinaryBody =>
  oneInput({ name: 'x0', shape: [2], datatype: 'BYTES', parameters: { binary_data_size: size } }, [bytes]);

export const badBinary: readonly BadBinary[] = [
  ...iris.map(([what, body, code, says]) => {
    return { what, model: 'iris', ...body, code, ...(says === undefined ? {} : { says }) };
  }),
  {
    what: 'a raw body for a model with two inputs',
    model: 'pair',
    ...withHeader('0'),
    code: 'SHAPE_MISMATCH',
    says: 'Raw request must only have 1 input (found 1) to be deduced but got 2 inputs in',
  },
  {
    what: 'a BOOL that is neither 0 nor 1',
    model: 'BOOL',
    ...oneInput({ name: 'x0', shape: [1], datatype: 'BOOL', parameters: { binary_data_size: 1 } }, [
      Buffer.of(2),
    ]),
    code: 'INVALID_ELEMENT',
  },
  {
    what: 'strings whose lengths exceed the bytes',
    model: 'BYTES',
    ...strings(Buffer.of(9, 0, 0, 0, 0x61)),
    code: 'INVALID_ELEMENT',
  },
  {
    what: 'a string length that is cut off',
    model: 'BYTES',
    ...strings(Buffer.of(0, 0, 0, 0, 1, 0)),
    code: 'INVALID_ELEMENT',
  },
  { what: 'one string too few', model: 'BYTES', ...strings(Buffer.alloc(4)), code: 'ELEMENT_COUNT_MISMATCH' },
  {
    what: 'one string too many',
    model: 'BYTES',
    ...strings(Buffer.alloc(12)),
    code: 'ELEMENT_COUNT_MISMATCH',
  },
  {
    what: 'a string that is not UTF-8',
    model: 'BYTES',
    ...strings(Buffer.of(1, 0, 0, 0, 0xff, 0, 0, 0, 0)),
    code: 'INVALID_ELEMENT',
  },
];

function header(bytes: number): Pick<BinaryBody, 'headers'> {
  return { headers: { [jsonBytesHeader]: String(bytes) } };
}
