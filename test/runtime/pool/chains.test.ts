/**
 * Several models that run as one, on real threads: what comes out is bit by bit what the sessions give when they are run by
 * hand, one after the other; what one of them cannot do is told with its name; and the pool treats them as one model.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LoadedModel } from '../../../runtime/pool/pool-options.ts';
import type { LaneReply } from '../../../runtime/pool/lane.ts';
import { type ChainLink, handedOn, type InputSource } from '../../../runtime/tensor/chain.ts';
import { DirectSession } from '../../e2e/direct-session.ts';
import {
  fourPixels,
  linearModel,
  offsetModel,
  positiveModel,
  scaleModel,
  topDigitsModel,
} from '../../e2e/pipeline-models.ts';
import type { Tensor } from '../../e2e/tensor.ts';
import {
  demoModel,
  floatBytes,
  outputBytes,
  place,
  type PoolUnderTest,
  ranOf,
  runRows,
  signatureOf,
  startTestPool,
} from './pool-under-test.ts';
import { rowModel, spinModel } from './row-models.ts';

let test: PoolUnderTest;
beforeAll(async () => {
  test = await startTestPool({ threads: 1 });
});
afterAll(() => test.close());

const caller = (index: number): InputSource => ({ from: 'caller', index });
const before = (index: number): InputSource => ({ from: 'before', index });

interface Part {
  readonly file: Uint8Array;
  readonly sources: readonly InputSource[];
}

function linksOf(parts: readonly Part[]): readonly ChainLink[] {
  return parts.map(({ file, sources }, index) => {
    return { name: `part ${index + 1}`, fileBytes: file.byteLength, signature: signatureOf(file), sources };
  });
}

/** Loads them as one; what callers send is what no part gives. */
async function load(parts: readonly Part[], on = test): Promise<LoadedModel> {
  const chain = linksOf(parts);
  const inputs = chain.flatMap(({ signature, sources }) =>
    signature.inputs.filter((_, index) => sources[index]?.from === 'caller'),
  );
  const outputs = chain.at(-1)?.signature.outputs ?? [];
  const outcome = await on.pool.load({
    signature: { inputs, outputs, batching: 'rows' },
    chain,
    warmRows: [],
    readModel: () => Promise.resolve(Buffer.concat(parts.map(({ file }) => file))),
  });
  if (outcome.kind !== 'loaded') throw new Error(JSON.stringify(outcome));
  return outcome;
}

const rows = 5;
/** A real four, and noise. */
const pixels = Uint8Array.from({ length: rows * 28 * 28 }, (_, index) =>
  index < fourPixels.length ? (fourPixels[index] ?? 0) : (index * 37 + (index % 11) * 5) % 256,
);
const digits = [
  { file: scaleModel(255, { opset: 13 }), sources: [caller(0)] },
  { file: demoModel('digits-2.0.0'), sources: [before(0)] },
  { file: topDigitsModel({ opset: 17 }), sources: [before(1)] },
];

function runPixels(session: number, outputs?: readonly number[]): Promise<LaneReply> {
  const byteOffset = place(test.pool, pixels);
  const inputs = [{ shape: [rows, 28, 28], pieces: [{ byteOffset, elements: pixels.length }] }];
  return test.lane().run({ session, inputs, outputs });
}

/** By hand, with a session for each. */
async function byHand(): Promise<readonly Tensor[]> {
  const [scale, main, top] = await Promise.all(digits.map(({ file }) => DirectSession.open(file)));
  const sent = { name: 'pixels', datatype: 'UINT8', shape: [rows, 28, 28], data: pixels } as const;
  const [scaled] = (await scale?.run([sent])) ?? [];
  const [, scores] = (await main?.run([{ ...scaled!, name: 'image' }])) ?? [];
  return (await top?.run([{ ...scores!, name: 'scores' }])) ?? [];
}

describe('models that run as one', () => {
  it('answer bit by bit what they give one after the other, whatever their operator sets', async () => {
    const { session, batching, note } = await load(digits);
    expect({ batching, note }).toEqual({ batching: 'rows', note: undefined });
    const [best, words] = ranOf(await runPixels(session)).outputs;
    const [bestByHand, wordsByHand] = await byHand();
    const bytes = bestByHand!.data as BigInt64Array;
    expect(best?.shape).toEqual([rows, 3]);
    expect(outputBytes(test.pool, best, bytes.byteLength)).toEqual([...new Uint8Array(bytes.buffer)]);
    expect(words).toEqual({ shape: [rows], strings: wordsByHand!.data });
    expect(new Set(wordsByHand!.data as string[]).size).toBeGreaterThan(1);
  });

  it('give only the outputs asked for, and a thread that is new holds them again', async () => {
    const { session } = await load(digits);
    const only = ranOf(await runPixels(session, [1])).outputs;
    expect(only).toMatchObject([{ strings: expect.any(Array) as unknown }]);
    await test.lane().renew();
    expect(ranOf(await runPixels(session, [1])).outputs).toEqual(only);
  });

  it('take from callers what none of them gives, in the middle too', async () => {
    const parts = [
      { file: linearModel({ a: 2, b: 1 }), sources: [caller(0)] },
      { file: offsetModel(), sources: [before(0), caller(1)] },
      { file: linearModel({ a: 10, b: 0 }), sources: [before(1)] },
    ];
    expect(linksOf(parts).map(handedOn)).toEqual([[], [0], [1]]);
    const { session } = await load(parts);
    const [x, offset] = [floatBytes([1, 2]), floatBytes([0.5, 100])].map((bytes) => {
      return { shape: [1, 2], pieces: [{ byteOffset: place(test.pool, bytes), elements: 2 }] };
    });
    const [y] = ranOf(await test.lane().run({ session, inputs: [x!, offset!], outputs: undefined })).outputs;
    expect(outputBytes(test.pool, y, 8)).toEqual([...floatBytes([35, 1050])]);
  });

  it('share the answer that is not a number, as one model would', async () => {
    const { session } = await load([
      { file: linearModel({ a: NaN, b: 0 }), sources: [caller(0)] },
      { file: linearModel({ a: 1, b: 1 }), sources: [before(0)] },
    ]);
    const reply = ranOf(await runRows(test, { session, width: 2, values: [1, 2] }));
    const floats = new Float32Array(Uint8Array.from(outputBytes(test.pool, reply.outputs[0], 8)).buffer);
    expect([...floats]).toEqual([NaN, NaN]);
  });

  it('fail for rows that one of them drops, and give nobody the rows of others', async () => {
    const { session, batching } = await load([
      { file: linearModel({ a: 1, b: 0 }, ['batch']), sources: [caller(0)] },
      { file: positiveModel(), sources: [before(0)] },
      { file: linearModel({ a: 1, b: 0 }, ['batch']), sources: [before(0)] },
    ]);
    expect(batching).toBe('rows');
    const byteOffset = place(test.pool, floatBytes([1, -1, 2]));
    const inputs = [{ shape: [3], pieces: [{ byteOffset, elements: 3 }] }];
    expect(await test.lane().run({ session, inputs, outputs: undefined })).toEqual({
      kind: 'failed',
      code: 'ROWS_MISMATCH',
      detail: '3 rows went in, [2] came out',
    });
  });

  it('say which of them fails, and go on with the next run', async () => {
    const { session } = await load([
      { file: linearModel({ a: 1, b: 0 }, ['batch', 'any']), sources: [caller(0)] },
      { file: linearModel({ a: 1, b: 0 }), sources: [before(0)] },
    ]);
    const bad = await runRows(test, { session, width: 3, values: [1, 2, 3] });
    expect(bad).toMatchObject({
      kind: 'failed',
      code: 'RUN_FAILED',
      detail: expect.stringMatching(/^part 2: /) as unknown,
    });
    expect(await runRows(test, { session, width: 2, values: [1, 2] })).toMatchObject({ kind: 'ran' });
    expect(test.lost).toEqual([]);
  });
});

it('a model that hangs in the middle costs the thread, and the next one holds all of them again', async () => {
  const under = await startTestPool({ runMsMax: 300, restartDelayMsMax: 50 });
  const parts = [
    { file: rowModel(), sources: [caller(0)] },
    { file: spinModel(), sources: [before(0)] },
    { file: rowModel(), sources: [before(0)] },
  ];
  const { session } = await load(parts, under);
  expect(await runRows(under, { session, width: 1, values: [1e12] })).toMatchObject({ kind: 'lost' });
  expect(under.losses).toMatchObject([{ cause: 'hung', session }]);
  // Again and again: a thread that stands still for as long is taken for one that hangs.
  const isWell = async (): Promise<boolean> =>
    under.lane().state === 'idle' &&
    (await runRows(under, { session, width: 1, values: [3] })).kind === 'ran';
  await vi.waitUntil(isWell, { timeout: 20_000, interval: 10 });
  await under.close();
});

describe('a chain that must not be served', () => {
  const good = { file: linearModel({ a: 1, b: 0 }), sources: [caller(0)] };

  it('is refused with the name of the model that is none', async () => {
    const links = linksOf([good, { ...good, sources: [before(0)] }]);
    const outcome = await test.pool.load({
      signature: signatureOf(good.file),
      chain: links,
      warmRows: [],
      readModel: () => Promise.resolve(Buffer.concat([good.file, new Uint8Array(good.file.byteLength)])),
    });
    expect(outcome).toMatchObject({
      kind: 'failed',
      code: 'MODEL_INVALID',
      detail: expect.stringMatching(/^part 2: /) as unknown,
    });
  });

  it('is refused with the name of the model whose file says something else than the manifest', async () => {
    const links = linksOf([good, { ...good, sources: [before(0)] }]);
    const lied = { ...links[1]!, signature: signatureOf(linearModel({ a: 1, b: 0 }, ['batch', 3])) };
    const outcome = await test.pool.load({
      signature: signatureOf(good.file),
      chain: [links[0]!, lied],
      warmRows: [],
      readModel: () => Promise.resolve(Buffer.concat([good.file, good.file])),
    });
    expect(outcome).toMatchObject({
      code: 'SIGNATURE_MISMATCH',
      detail: 'part 2: input x: the file says shape [batch,2], the manifest [-1,3]',
    });
  });
});
