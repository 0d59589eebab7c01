/** When a body that was decoded for one version is decoded for another. */
import { expect, test } from 'vitest';
import { haveSameInputs } from '../../../gateway/admission/same-inputs.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';

const input = { name: 'x', datatype: 'FP32', shape: [-1, 4] } as const;
const signature: ModelSignature = { inputs: [input], outputs: [], batching: 'rows' };

test.each<[string, ModelSignature, boolean]>([
  ['itself', signature, true],
  ['a copy', structuredClone(signature), true],
  ['other outputs', { ...signature, outputs: [input] }, true],
  ['another batching', { ...signature, batching: 'none' }, false],
  ['one input more', { ...signature, inputs: [input, { ...input, name: 'y' }] }, false],
  ['another name', { ...signature, inputs: [{ ...input, name: 'y' }] }, false],
  ['another datatype', { ...signature, inputs: [{ ...input, datatype: 'FP64' }] }, false],
  ['another size', { ...signature, inputs: [{ ...input, shape: [-1, 5] }] }, false],
  ['another rank', { ...signature, inputs: [{ ...input, shape: [-1, 4, 1] }] }, false],
])('%s', (_, other, same) => {
  expect(haveSameInputs(signature, other)).toBe(same);
  expect(haveSameInputs(other, signature)).toBe(same);
});
