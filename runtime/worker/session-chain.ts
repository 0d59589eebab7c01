/**
 * Several sessions behind the face of one: each model of a chain runs on what the one before it gave, on the same thread and
 * without a message between. A run of the chain is one run to everything outside, so all that holds of a model holds of it.
 *
 * Invariant: what a model gives is taken by the next one as it is; only what the next one takes is computed.
 */
import { type ChainLink, handedOn } from '../tensor/chain.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import type { OnnxSession, SessionTensor } from './onnx-session.ts';

/** What a thread does with whatever it has loaded, be it one model or several. */
export type LoadedSession = Pick<OnnxSession, 'run' | 'release' | 'signatureDifference'>;

/** Loads one model. */
export type OpenSession = (model: Uint8Array, signature: ModelSignature) => Promise<LoadedSession>;

interface Joint {
  readonly link: ChainLink;
  readonly session: LoadedSession;
  /** Outputs that the next model takes; undefined for the last, where it is the caller who says. */
  readonly outputs: readonly number[] | undefined;
}

export class SessionChain implements LoadedSession {
  readonly #joints: readonly Joint[];

  private constructor(joints: readonly Joint[]) {
    this.#joints = joints;
  }

  /** `files` holds those of all links, one behind the other. Throws what `open` throws; then nothing stays loaded. */
  static async open(
    files: Uint8Array,
    links: readonly ChainLink[],
    open: OpenSession,
  ): Promise<SessionChain> {
    const joints: Joint[] = [];
    let at = 0;
    for (const [index, link] of links.entries()) {
      const next = links[index + 1];
      try {
        const session = await open(files.subarray(at, at + link.fileBytes), link.signature);
        joints.push({ link, session, outputs: next && handedOn(next) });
      } catch (error) {
        await new SessionChain(joints).release();
        throw errorOf(link, error);
      }
      at += link.fileBytes;
    }
    return new SessionChain(joints);
  }

  signatureDifference(): string | undefined {
    for (const { link, session } of this.#joints) {
      const difference = session.signatureDifference();
      if (difference !== undefined) return `${link.name}: ${difference}`;
    }
    return undefined;
  }

  async run(
    inputs: readonly SessionTensor[],
    outputs: readonly number[] | undefined,
  ): Promise<SessionTensor[]> {
    let given: readonly SessionTensor[] = [];
    for (const { link, session, outputs: wanted } of this.#joints) {
      try {
        const taken = inputsOf(link, { inputs, given });
        const results = await session.run(taken, wanted ?? outputs);
        if (wanted === undefined) return results;
        given = byIndex(results, wanted);
      } catch (error) {
        throw errorOf(link, error);
      }
    }
    throw new Error('a chain has no models');
  }

  /** All of them, whatever becomes of one. */
  async release(): Promise<void> {
    const released = await Promise.allSettled(this.#joints.map(({ session }) => session.release()));
    for (const outcome of released) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

function inputsOf(
  { name, sources }: ChainLink,
  from: { readonly inputs: readonly SessionTensor[]; readonly given: readonly SessionTensor[] },
): SessionTensor[] {
  return sources.map((source) => {
    const tensor = (source.from === 'caller' ? from.inputs : from.given)[source.index];
    if (tensor === undefined)
      throw new RangeError(`${name} has no tensor from ${source.from} ${source.index}`);
    return tensor;
  });
}

/** Where sources look for them: at their place among all outputs of the model, those that nobody takes left out. */
function byIndex(results: readonly SessionTensor[], outputs: readonly number[]): readonly SessionTensor[] {
  const places: SessionTensor[] = [];
  for (const [position, output] of outputs.entries()) {
    const result = results[position];
    if (result !== undefined) places[output] = result;
  }
  return places;
}

/**
 * Says which model it was, where the runtime only says of a model that it fails. What tells of the thread (a trap, no
 * memory) has other forms, by which it is known, and stays as it is.
 */
function errorOf({ name }: ChainLink, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'Error' || /^\d+$/.test(error.message)) return error;
  return new Error(`${name}: ${error.message}`, { cause: error });
}
