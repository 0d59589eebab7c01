/** The answer to one call: which version of the model ran, and its outputs as typed tensors. */
import { TidegateError } from './tidegate-error.ts';
import type { Datatype } from './tensor/datatype.ts';
import type { NamedTensor } from './tensor/tensor.ts';

export interface InferResultFields {
  readonly model: string;
  readonly version: string;
  readonly outputs: readonly NamedTensor[];
  readonly cache?: CacheUse | undefined;
}

/** `hit`: the answer was kept from before. `coalesced`: the same question was being run for another caller. */
export type CacheUse = 'hit' | 'miss' | 'coalesced';

export class InferResult {
  /** The model that answered. */
  readonly model: string;
  /** The version that answered; empty when the server does not say. */
  readonly version: string;
  /** In the order of the answer. Typed arrays may be views of one received buffer and are the caller's from now on. */
  readonly outputs: readonly NamedTensor[];
  /** Where the gateway keeps answers of the model: whether this one was there already. Otherwise undefined. */
  readonly cache: CacheUse | undefined;

  constructor({ model, version, outputs, cache }: InferResultFields) {
    this.model = model;
    this.version = version;
    this.outputs = outputs;
    this.cache = cache;
  }

  /**
   * The output called `name`. With a `datatype` it is checked and the compiler knows the typed array:
   * `result.output('probabilities', 'FP32').data` is a Float32Array.
   * Throws UNKNOWN_OUTPUT, and INVALID_RESPONSE when the datatype is another one.
   */
  output(name: string): NamedTensor;
  output<D extends Datatype>(name: string, datatype: D): NamedTensor<D>;
  output(name: string, datatype?: Datatype): NamedTensor {
    const found = this.outputs.find((output) => output.name === name);
    if (found === undefined) {
      const names = this.outputs.map((output) => output.name).join(', ');
      throw new TidegateError(
        'UNKNOWN_OUTPUT',
        `The result has no output ${name}; it has ${names || 'none'}.`,
      );
    }
    if (datatype === undefined || found.datatype === datatype) return found;
    throw new TidegateError('INVALID_RESPONSE', `The output ${name} is ${found.datatype}, not ${datatype}.`);
  }
}

/** What an answer says of it; words of later versions are left out. */
export function cacheUseOf(word: unknown): CacheUse | undefined {
  return word === 'hit' || word === 'miss' || word === 'coalesced' ? word : undefined;
}
