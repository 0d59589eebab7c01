/**
 * Several models that run as one: where each of them takes its inputs from. The tensors between two of them stay on the
 * thread; nothing here looks at their values. Whether the models fit together was decided by whoever made the links.
 */
import type { ModelSignature } from './signature.ts';

/** Where an input of a model comes from. */
export type InputSource =
  /** From the caller: the index among the inputs of the whole. */
  | { readonly from: 'caller'; readonly index: number }
  /** From the model before it: the index among its outputs. Never so for the first. */
  | { readonly from: 'before'; readonly index: number };

/** One model of a chain, in the order in which they run. */
export interface ChainLink {
  /** For messages, such as `scale 1.0.0`. */
  readonly name: string;
  /** Of its ONNX file. The files stand one behind the other in the order of the links. */
  readonly fileBytes: number;
  readonly signature: ModelSignature;
  /** In the order of its inputs. */
  readonly sources: readonly InputSource[];
}

/** Indexes of the outputs that the next model takes, ascending: no others are computed for it. */
export function handedOn(next: ChainLink): readonly number[] {
  const taken = next.sources.flatMap((source) => (source.from === 'before' ? [source.index] : []));
  return [...new Set(taken)].sort((left, right) => left - right);
}
