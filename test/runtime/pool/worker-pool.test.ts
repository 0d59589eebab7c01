/**
 * The real pool, with real threads that run the compiled worker: what it loads, what it refuses, and that what comes out
 * of a thread is bit by bit what the runtime gives when it is called directly.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';
import { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import { datatypes, elementBytes, type NumericDatatype } from '../../../runtime/tensor/dtype.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import {
  demoModel,
  floatBytes,
  outputBytes,
  place,
  type PoolUnderTest,
  ranOf,
  runDirectly,
  runRows,
  signatureOf,
  startTestPool,
} from './pool-under-test.ts';

const iris = demoModel('iris-1.0.0');
const irisSignature = signatureOf(iris);
const numericDatatypes = datatypes.filter((name): name is NumericDatatype => name !== 'BYTES');

/** Measurements that no two rows share. */
function flowers(rows: number): number[] {
  return Array.from({ length: rows * 4 }, (_, index) => 0.1 + ((index * 37) % 79) / 10);
}

let test: PoolUnderTest;
beforeAll(async () => {
  test = await startTestPool({ threads: 2 });
});
afterAll(async () => {
  await test.close();
});

/** Bytes and shapes of all outputs of a reply, in the order of the signature. */
function resultsOf(
  reply: Awaited<ReturnType<typeof runRows>>,
  signature: ModelSignature,
): { readonly shape: readonly number[]; readonly bytes: number[] }[] {
  return ranOf(reply).outputs.map((output, index) => {
    const { datatype } = signature.outputs[index]!;
    const elements = output.shape.reduce((product, size) => product * size, 1);
    return {
      shape: output.shape,
      bytes: outputBytes(test.pool, output, elements * elementBytes(datatype)),
    };
  });
}

describe('a model that was loaded', () => {
  it('is held by every lane and said to be warm', async () => {
    const model = await test.load(iris, { warmRows: [4, 8] });
    expect(model).toMatchObject({ kind: 'loaded', batching: 'rows', note: undefined });
    expect(Math.min(model.loadMs, model.warmMs)).toBeGreaterThan(0);
    for (const lane of [0, 1]) {
      const reply = await runRows(test, { session: model.session, width: 4, values: flowers(1), lane });
      expect(reply).toMatchObject({ kind: 'ran' });
      expect(ranOf(reply).runUs).toBeGreaterThan(0);
    }
  });

  it('has the costs that an earlier load of the same file measured, where these are given', async () => {
    const knownCosts = [{ rows: 1, us: 12_345 }];
    const again = await test.load(iris, { warmRows: [4], knownCosts });
    expect(again).toMatchObject({ batching: 'rows', costs: knownCosts, inline: false });
    const reply = await runRows(test, { session: again.session, width: 4, values: flowers(3) });
    expect(reply).toMatchObject({ kind: 'ran' });
  });

  it.each([
    { name: 'iris-1.0.0', width: 4, rows: 1 },
    { name: 'iris-1.0.0', width: 4, rows: 33 },
    { name: 'iris-2.0.0', width: 4, rows: 7 },
  ])('answers $rows rows of $name bit by bit as a direct run does, on every lane', async (row) => {
    const file = demoModel(row.name);
    const { session } = await test.load(file);
    const run = { width: row.width, values: flowers(row.rows) };
    const direct = await runDirectly(file, run);
    for (const lane of [0, 1]) {
      const reply = await runRows(test, { session, lane, ...run });
      expect(resultsOf(reply, signatureOf(file))).toEqual(direct);
    }
  });

  it('answers the same when its rows come in several pieces', async () => {
    const { session } = await test.load(iris);
    const values = flowers(5);
    const whole = resultsOf(await runRows(test, { session, width: 4, values }), irisSignature);
    const bytes = floatBytes(values);
    const pieces = [bytes.subarray(0, 32), bytes.subarray(32, 48), bytes.subarray(48)].map((piece) => ({
      byteOffset: place(test.pool, piece),
      elements: piece.byteLength / 4,
    }));
    const inputs = [{ shape: [5, 4], pieces }];
    const cut = await test.lane().run({ session, inputs, outputs: undefined });
    expect(resultsOf(cut, irisSignature)).toEqual(whole);
  });

  it('gives only the outputs asked for, in the order asked for', async () => {
    const { session } = await test.load(iris);
    const elements = 4;
    const pieces = [{ byteOffset: place(test.pool, new Uint8Array(16)), elements }];
    const shapes = [];
    for (const outputs of [[0], [1], [1, 0], undefined]) {
      const reply = await test.lane().run({ session, inputs: [{ shape: [1, 4], pieces }], outputs });
      shapes.push(ranOf(reply).outputs.map(({ shape }) => shape));
    }
    expect(shapes).toEqual([[[1]], [[1, 3]], [[1, 3], [1]], [[1], [1, 3]]]);
  });

  it('fills two result regions in turn, so that one can be read while the next batch runs', async () => {
    const { session } = await test.load(iris);
    const first = await runRows(test, { session, width: 4, values: flowers(3) });
    const before = resultsOf(first, irisSignature);
    await runRows(test, { session, width: 4, values: flowers(3).map((value) => value + 1) });
    expect(resultsOf(first, irisSignature)).toEqual(before);
  });

  it('is gone everywhere after it is unloaded, and others stay', async () => {
    const [gone, kept] = [await test.load(iris), await test.load(iris)];
    await test.pool.unload(gone.session);
    for (const lane of [0, 1]) {
      const runs = { width: 4, values: flowers(1), lane };
      expect(await runRows(test, { session: gone.session, ...runs })).toMatchObject({
        kind: 'failed',
        code: 'UNKNOWN_SESSION',
      });
      expect(await runRows(test, { session: kept.session, ...runs })).toMatchObject({ kind: 'ran' });
    }
  });
});

describe('tensors', () => {
  it.each(numericDatatypes)('of %s go to the runtime and come back byte by byte', async (datatype) => {
    const graph = new GraphBuilder('same');
    const type = tensorType(datatype, ['batch', 3]);
    graph.node('Identity', [graph.input('x', type)], { outputs: ['y'] });
    graph.output('y', type);
    const { session } = await test.load(writeOnnxModel(graph));
    const bytes = new Uint8Array(6 * elementBytes(datatype)).map((_, index) =>
      datatype === 'BOOL' ? index % 2 : (index * 29 + 1) % 127,
    );
    const pieces = [{ byteOffset: place(test.pool, bytes), elements: 6 }];
    const reply = await test.lane().run({ session, inputs: [{ shape: [2, 3], pieces }], outputs: undefined });
    expect(resultsOf(reply, signatureOf(writeOnnxModel(graph)))).toEqual([
      { shape: [2, 3], bytes: [...bytes] },
    ]);
  });

  it('of strings travel inside of the task and the answer', async () => {
    const graph = new GraphBuilder('same');
    const type = tensorType('BYTES', ['batch']);
    graph.node('Identity', [graph.input('x', type)], { outputs: ['y'] });
    graph.output('y', type);
    const { session } = await test.load(writeOnnxModel(graph));
    const strings = ['setosa', '', 'Grüße \u{1f33c}'];
    const reply = await test.lane().run({ session, inputs: [{ shape: [3], strings }], outputs: undefined });
    expect(ranOf(reply).outputs).toEqual([{ shape: [3], strings }]);
  });

  it('that are too large for the result region are moved, and are the same', async () => {
    const small = await startTestPool({ resultBytes: 64 });
    const { session } = await small.load(iris);
    const run = { width: 4, values: flowers(8) };
    const { outputs } = ranOf(await runRows(small, { session, ...run }));
    const direct = await runDirectly(iris, run);
    await small.close();
    // Eight labels of eight bytes fill the region; the probabilities do not fit any more.
    expect(outputs.map((output) => 'moved' in output)).toEqual([false, true]);
    expect(outputBytes(small.pool, outputs[1], 0)).toEqual(direct[1]?.bytes);
  });
});

describe('a model that must not be served', () => {
  const { inputs, outputs } = irisSignature;
  it.each<{ readonly what: string; readonly promised: Partial<ModelSignature>; readonly says: string }>([
    {
      what: 'another input name',
      promised: { inputs: [{ ...inputs[0]!, name: 'petals' }] },
      says: 'the file has features in its place',
    },
    {
      what: 'another datatype',
      promised: { inputs: [{ ...inputs[0]!, datatype: 'FP64' }] },
      says: 'the file says float32, the manifest FP64',
    },
    {
      what: 'another row size',
      promised: { inputs: [{ ...inputs[0]!, shape: [-1, 5] }] },
      says: 'the manifest [-1,5]',
    },
    {
      what: 'another rank',
      promised: { inputs: [{ ...inputs[0]!, shape: [-1] }] },
      says: 'the manifest [-1]',
    },
    {
      what: 'one output less',
      promised: { outputs: outputs.slice(1) },
      says: 'the file has 2 outputs, the manifest says 1',
    },
    {
      what: 'outputs in another order',
      promised: { outputs: outputs.toReversed() },
      says: 'the file has label in its place',
    },
  ])('is refused when the manifest promises $what', async ({ promised, says }) => {
    const outcome = await test.pool.load({
      signature: { ...irisSignature, ...promised },
      warmRows: [],
      readModel: () => Promise.resolve(new Uint8Array(iris)),
    });
    expect(outcome).toMatchObject({ kind: 'failed', code: 'SIGNATURE_MISMATCH' });
    expect(outcome).toMatchObject({ detail: expect.stringContaining(says) as string });
  });

  it.each([
    { what: 'empty', bytes: new Uint8Array() },
    { what: 'text', bytes: new TextEncoder().encode('<!doctype html>') },
    { what: 'cut off', bytes: iris.slice(0, iris.byteLength - 7) },
    { what: 'all zeros', bytes: new Uint8Array(256) },
  ])('is refused when the file is $what, and the lanes go on', async ({ bytes }) => {
    const readModel = (): Promise<Uint8Array> => Promise.resolve(bytes);
    const outcome = await test.pool.load({ signature: irisSignature, warmRows: [], readModel });
    expect(outcome).toMatchObject({ kind: 'failed', code: 'MODEL_INVALID' });
    expect(test.pool.lanes.map((lane) => lane.state)).toEqual(['idle', 'idle']);
    const { session } = await test.load(iris);
    expect(await runRows(test, { session, width: 4, values: flowers(1) })).toMatchObject({ kind: 'ran' });
    expect(test.lost).toEqual([]);
  });

  it('is not loaded when its file cannot be read', async () => {
    const readModel = (): Promise<Uint8Array> => Promise.reject(new Error('no such file'));
    const loading = test.pool.load({ signature: irisSignature, warmRows: [], readModel });
    await expect(loading).rejects.toThrow('no such file');
  });
});

describe('a model that is not what it seems', () => {
  it('is run with one request at a time when its rows are not independent', async () => {
    const graph = new GraphBuilder('share');
    const type = tensorType('FP32', ['batch', 4]);
    const x = graph.input('x', type);
    graph.node('Softmax', [x], { outputs: ['y'], attributes: { axis: { int: 0 } } });
    graph.output('y', type);
    expect(await test.load(writeOnnxModel(graph))).toMatchObject({
      batching: 'none',
      note: 'output y gives a row another answer when a second row rides along',
    });
  });

  it('fails, and gives nobody the rows of others, when it drops rows that it does not like', async () => {
    const graph = new GraphBuilder('positive');
    const x = graph.input('x', tensorType('FP32', ['batch']));
    const positive = graph.node('Greater', [x, graph.node('Sub', [x, x])]);
    graph.node('Compress', [x, positive], { outputs: ['y'], attributes: { axis: { int: 0 } } });
    graph.output('y', tensorType('FP32', ['batch']));
    const { session, batching } = await test.load(writeOnnxModel(graph));
    expect(batching).toBe('rows');
    const byteOffset = place(test.pool, floatBytes([1, -1, 2]));
    const inputs = [{ shape: [3], pieces: [{ byteOffset, elements: 3 }] }];
    expect(await test.lane().run({ session, inputs, outputs: undefined })).toEqual({
      kind: 'failed',
      code: 'ROWS_MISMATCH',
      detail: '3 rows went in, [2] came out',
    });
  });

  it('fails on what it cannot take, and the next request is answered', async () => {
    const { session } = await test.load(iris);
    const values = flowers(1);
    const bad = await runRows(test, { session, width: 1, values });
    expect(bad).toMatchObject({ kind: 'failed', code: 'RUN_FAILED' });
    expect(await runRows(test, { session, width: 4, values })).toMatchObject({ kind: 'ran' });
    expect(test.lost).toEqual([]);
  });
});

it('a pool does not start when its arena cannot hold the result regions', () => {
  const nobody = (): void => undefined;
  const sizes = {
    threads: 1,
    arenaBytes: 8192,
    resultBytes: 8192,
    inlineRunUsMax: 0,
    onInlineLost: () => undefined,
  };
  expect(() =>
    WorkerPool.start({ workerFile: new URL('file:///none.js'), ...sizes, onIdle: nobody, onLost: nobody }),
  ).toThrow(RangeError);
});
