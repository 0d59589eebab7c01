/** Which models nobody could ever ask, by the sizes of their inputs alone. */
import { expect, test } from 'vitest';
import { inputsTooLarge } from '../../../gateway/admission/smallest-run.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';

const limits = { requestBytesMax: 64 * 2 ** 20 };

function inputs(...shapes: (readonly number[])[]): Pick<ModelSignature, 'inputs'> {
  return { inputs: shapes.map((shape, index) => ({ name: `x${index}`, datatype: 'FP32', shape })) };
}

test.each([
  { shapes: [[1, 2e8]], bytes: '800000000' },
  { shapes: [[-1, 2 ** 31 - 1, 2 ** 31 - 1]], bytes: '18446744056529682000' },
  { shapes: [[8, 2 ** 21 + 1]], bytes: String(8 * 4 * (2 ** 21 + 1)) },
  { shapes: [[-1, 2 ** 23], [-1, 2 ** 23], [1]], bytes: String(2 ** 26 + 4) },
])('$shapes is too large, and both numbers are named', ({ shapes, bytes }) => {
  const problem = inputsTooLarge(inputs(...shapes), limits);
  expect(problem).toContain(`take ${bytes} bytes`);
  expect(problem).toContain('may take 67108864');
});

test.each([
  { shapes: [[-1, 2 ** 24]], why: 'one row is just as large as a request' },
  { shapes: [[8, 2 ** 21]], why: 'a fixed batch is too' },
  { shapes: [[-1, 0, 2 ** 31 - 1]], why: 'it is empty' },
  { shapes: [[-1, -1, -1], []], why: 'open sizes may be 1' },
])('$shapes can be asked: $why', ({ shapes }) => {
  expect(inputsTooLarge(inputs(...shapes), limits)).toBeUndefined();
});

test('every text counts, however short', () => {
  const text = { inputs: [{ name: 'x', datatype: 'BYTES', shape: [2 ** 26 + 1] }] } as const;
  expect(inputsTooLarge(text, limits)).toContain('take 67108865 bytes');
});
