/** Whether the first dimension of every tensor can be one batch, as far as the signature can tell. */
import { quoted } from './onnx-refusal.ts';
import type { NamedTensor, Side } from './tensor-signature.ts';

export interface SidedTensor extends NamedTensor {
  readonly side: Side;
}

/**
 * Why rows of different requests cannot share a run, as a sentence; undefined when they can: the first dimension of every
 * tensor is there, any size fits, and no two carry different symbolic names. An unnamed one may be the same dimension;
 * the runtime checks that with a probe.
 */
export function batchObstacle(tensors: readonly SidedTensor[]): string | undefined {
  let named: SidedTensor | undefined;
  for (const tensor of tensors) {
    const [first] = tensor.signature.shape;
    if (first === undefined) return `${subject(tensor)} is a scalar, so it has no dimension for rows.`;
    if (first !== -1) {
      return `${subject(tensor)} has a first dimension of ${first}; export it with a dynamic one to share runs.`;
    }
    if (tensor.firstSymbol === undefined) continue;
    if (named !== undefined && named.firstSymbol !== tensor.firstSymbol) {
      return (
        `${subject(named)} counts ${quoted(named.firstSymbol)} in its first dimension and ` +
        `${subject(tensor).replace('The', 'the')} ${quoted(tensor.firstSymbol)}; give it one name to share runs.`
      );
    }
    named = tensor;
  }
  return undefined;
}

function subject({ side, signature }: SidedTensor): string {
  return `The ${side} ${quoted(signature.name)}`;
}
