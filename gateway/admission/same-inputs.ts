/** Whether two versions of a model take the same, so that a body decoded for one is decoded for the other. */
import type { ModelSignature } from '../../runtime/tensor/signature.ts';

export function haveSameInputs(one: ModelSignature, other: ModelSignature): boolean {
  if (one === other) return true;
  if (one.batching !== other.batching || one.inputs.length !== other.inputs.length) return false;
  return one.inputs.every(({ name, datatype, shape }, index) => {
    const spec = other.inputs[index];
    if (spec?.name !== name || spec.datatype !== datatype || spec.shape.length !== shape.length) return false;
    return shape.every((size, axis) => spec.shape[axis] === size);
  });
}
