/** The order of a chain and what becomes of it when one of its sessions fails, with sessions moved by hand. */
import { describe, expect, it } from 'vitest';
import type { ChainLink, InputSource } from '../../../runtime/tensor/chain.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import type { SessionTensor } from '../../../runtime/worker/onnx-session.ts';
import { type LoadedSession, SessionChain } from '../../../runtime/worker/session-chain.ts';

const signature: ModelSignature = { inputs: [], outputs: [], batching: 'rows' };

function link(name: string, sources: readonly InputSource[] = [{ from: 'before', index: 0 }]): ChainLink {
  return { name, fileBytes: 1, signature, sources };
}

function tensor(...values: readonly number[]): SessionTensor {
  return { shape: [values.length], data: Float32Array.from(values) };
}

/** Opens sessions that give what the test says; the first byte of a file is its number. */
class Puppets {
  readonly done: string[] = [];
  readonly taken = new Map<number, readonly SessionTensor[]>();
  gives: (file: number) => SessionTensor[] = () => [tensor(1)];
  opens: (file: number) => void = () => undefined;

  readonly open = async (model: Uint8Array): Promise<LoadedSession> => {
    const file = model[0] ?? 0;
    this.done.push(`open ${file}`);
    await Promise.resolve();
    this.opens(file);
    return {
      run: async (inputs, outputs) => {
        this.done.push(`run ${file} for ${String(outputs)}`);
        this.taken.set(file, inputs);
        await Promise.resolve();
        return this.gives(file);
      },
      release: async () => {
        this.done.push(`release ${file}`);
        await Promise.resolve();
        if (file === 1) throw new Error('stuck');
      },
      signatureDifference: () => (file === 2 ? 'it has another shape' : undefined),
    };
  };
}

const links = [
  link('a', [{ from: 'caller', index: 0 }]),
  link('b', [
    { from: 'before', index: 2 },
    { from: 'caller', index: 1 },
    { from: 'before', index: 0 },
    { from: 'before', index: 2 },
  ]),
  link('c', [{ from: 'before', index: 1 }]),
];
const files = Uint8Array.from([1, 2, 3]);

describe('a chain', () => {
  it('computes what the next one takes, hands it on as it is, and asks the last for what was asked', async () => {
    const puppets = new Puppets();
    const [first, third] = [tensor(10), tensor(12)];
    puppets.gives = (file) => [[first, third], [tensor(21)], [tensor(30)]][file - 1] ?? [];
    const chain = await SessionChain.open(files, links, puppets.open);
    const [x, y] = [tensor(1), tensor(2)];
    expect(await chain.run([x, y], [4])).toEqual([tensor(30)]);
    expect(puppets.done.slice(3)).toEqual(['run 1 for 0,2', 'run 2 for 1', 'run 3 for 4']);
    expect(puppets.taken.get(1)?.[0]).toBe(x);
    expect(puppets.taken.get(2)?.map((each) => [x, y, first, third].indexOf(each))).toEqual([3, 1, 2, 3]);
  });

  it('says whose file differs, and releases all of them though one does not let go', async () => {
    const puppets = new Puppets();
    const chain = await SessionChain.open(files, links, puppets.open);
    expect(chain.signatureDifference()).toBe('b: it has another shape');
    await expect(chain.release()).rejects.toThrow('stuck');
    expect(puppets.done.slice(3)).toEqual(['release 1', 'release 2', 'release 3']);
  });

  it('lets go of those that loaded when one does not', async () => {
    const puppets = new Puppets();
    puppets.opens = (file) => {
      if (file === 3) throw new Error('no such operator');
    };
    const opening = SessionChain.open(Uint8Array.from([4, 5, 3]), links, puppets.open);
    await expect(opening).rejects.toThrow('c: no such operator');
    expect(puppets.done).toEqual(['open 4', 'open 5', 'open 3', 'release 4', 'release 5']);
  });

  it.each([
    ['an error of a run gets a name', new Error('bad shape'), 'b: bad shape'],
    ['a trap stays a trap', Object.assign(new Error('unreachable'), { name: 'RuntimeError' }), 'unreachable'],
    [
      'an array that is too long stays a RangeError',
      new RangeError('Array buffer allocation failed'),
      'Array buffer allocation failed',
    ],
    ['the address of an exception stays one', new Error('123456'), '123456'],
  ])('%s', async (_, error, message) => {
    const puppets = new Puppets();
    puppets.gives = (file) => {
      if (file === 2) throw error;
      return [tensor(1), tensor(2)];
    };
    const chain = await SessionChain.open(files, links, puppets.open);
    const failed: unknown = await chain
      .run([tensor(1), tensor(2)], undefined)
      .catch((reason: unknown) => reason);
    expect(failed).toMatchObject({ name: error.name, message });
  });

  it('never runs a model without one of its inputs', async () => {
    const puppets = new Puppets();
    const chain = await SessionChain.open(files, links, puppets.open);
    await expect(chain.run([tensor(1)], undefined)).rejects.toThrow('b has no tensor from before 2');
  });
});
