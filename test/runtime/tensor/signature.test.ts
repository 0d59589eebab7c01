/** What callers meet of a signature, by how the model proved to be batched when it was loaded. */
import { expect, test } from 'vitest';
import { asLoaded, type ModelSignature } from '../../../runtime/tensor/signature.ts';

const spec = (name: string, shape: readonly number[]): ModelSignature['inputs'][number] => {
  return { name, datatype: 'FP32', shape };
};

test('a fixed batch whose rows are independent is any number of rows, and of how many is still known', () => {
  const stored = { inputs: [spec('x', [8, 512])], outputs: [spec('y', [8])], batching: 'none', fixedRows: 8 };
  expect(asLoaded(stored as ModelSignature, 'rows')).toEqual({
    inputs: [spec('x', [-1, 512])],
    outputs: [spec('y', [-1])],
    batching: 'rows',
    fixedRows: 8,
  });
  expect(asLoaded(stored as ModelSignature, 'none')).toEqual({
    inputs: [spec('x', [8, 512])],
    outputs: [spec('y', [8])],
    batching: 'none',
  });
});

test('without one it stays as it is', () => {
  const free: ModelSignature = { inputs: [spec('x', [-1, 4])], outputs: [spec('y', [-1])], batching: 'rows' };
  expect(asLoaded(free, 'rows')).toEqual(free);
  expect(asLoaded(free, 'none')).toEqual({ ...free, batching: 'none' });
});
