/**
 * The warm-up with puppet sessions: functions from inputs to outputs that behave, or misbehave, as models do. What it
 * must find out is whether a row's answer depends on the rows beside it.
 */
import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Datatype, NumericArray } from '../../../runtime/tensor/dtype.ts';
import { elementCount, type ModelSignature } from '../../../runtime/tensor/signature.ts';
import type { OnnxSession, SessionTensor } from '../../../runtime/worker/onnx-session.ts';
import { warmUp as warmUpOn, type WarmUpResult, type WarmUpTask } from '../../../runtime/worker/warm-up.ts';

type Model = (inputs: readonly SessionTensor[]) => SessionTensor[];

const features = 4;

const rowsSignature: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, features] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
  batching: 'rows',
};

/** What stands for a trap of WebAssembly. */
class Trap extends Error {}

function warmUp(session: OnnxSession, task: WarmUpTask): Promise<WarmUpResult> {
  return warmUpOn(session, task, { isBroken: (error) => error instanceof Trap });
}

/** A session that keeps what it was asked; only `run` is ever called by a warm-up. */
function puppet(model: Model): {
  readonly session: OnnxSession;
  readonly asked: (readonly SessionTensor[])[];
  readonly wanted: (readonly number[] | undefined)[];
} {
  const asked: (readonly SessionTensor[])[] = [];
  const wanted: (readonly number[] | undefined)[] = [];
  const session: Pick<OnnxSession, 'run'> = {
    run: (inputs, outputs) => {
      asked.push(inputs);
      wanted.push(outputs);
      return Promise.resolve().then(() => model(inputs));
    },
  };
  // The class has private fields, which a puppet cannot have; the warm-up uses none of them.
  return { session: session as OnnxSession, asked, wanted };
}

function rowsOf([input]: readonly SessionTensor[]): number[][] {
  const data = input!.data as Float32Array;
  return Array.from({ length: input!.shape[0]! }, (_, row) => [
    ...data.subarray(row * features, (row + 1) * features),
  ]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A model that gives one number a row. */
function perRow(answer: (row: readonly number[], rows: readonly (readonly number[])[]) => number): Model {
  return (inputs) => {
    const rows = rowsOf(inputs);
    return [{ shape: [rows.length], data: Float32Array.from(rows, (row) => answer(row, rows)) }];
  };
}

const sumOfRow = perRow((row) => sum(row));

function tensor(shape: readonly number[], data: SessionTensor['data']): SessionTensor {
  return { shape, data };
}

describe('a model that promises rows', () => {
  it('is batched when a row gets the same answer with and without company', async () => {
    const { session } = puppet(sumOfRow);
    expect(await warmUp(session, { signature: rowsSignature, warmRows: [] })).toMatchObject({
      batching: 'rows',
      note: undefined,
    });
  });

  it('is run with one row, with two, and with every row count it is to be warm for', async () => {
    const { session, asked, wanted } = puppet(sumOfRow);
    await warmUp(session, { signature: rowsSignature, warmRows: [4, 32] });
    expect(asked.slice(0, 2).map(([input]) => input!.shape)).toEqual([
      [1, features],
      [2, features],
    ]);
    expect(new Set(asked.map(([input]) => input!.shape[0]))).toEqual(new Set([1, 2, 4, 32]));
    expect(new Set(wanted)).toEqual(new Set([undefined]));
  });

  it.each<{ readonly why: string; readonly model: Model; readonly note: string }>([
    {
      why: 'rows are averaged',
      model: perRow((row, rows) => sum(row) / rows.length),
      note: 'output y gives a row another answer when a second row rides along',
    },
    {
      why: 'a row sees the one behind it',
      model: perRow((row, rows) => sum(rows.at(-1)!) - sum(row)),
      note: 'output y gives a row another answer when a second row rides along',
    },
    {
      why: 'rows are normalised over the batch',
      model: perRow((row, rows) => Math.exp(sum(row)) / sum(rows.map((each) => Math.exp(sum(each))))),
      note: 'output y gives a row another answer when a second row rides along',
    },
    {
      why: 'a row in company has no number for an answer',
      model: perRow((row, rows) => (rows.length > 1 ? NaN : sum(row))),
      note: 'output y gives a row another answer when a second row rides along',
    },
    {
      why: 'all rows give one answer together',
      model: (inputs) => [tensor([1], Float32Array.of(sum(rowsOf(inputs).flat())))],
      note: 'output y has shape [1] for two rows, so its first dimension is not the batch',
    },
    {
      why: 'the answer has no dimensions',
      model: () => [tensor([], Float32Array.of(1))],
      note: 'output y has shape [] for two rows, so its first dimension is not the batch',
    },
    {
      why: 'the answer has one row more',
      model: (inputs) => {
        const rows = rowsOf(inputs).length + 1;
        return [tensor([rows], new Float32Array(rows))];
      },
      note: 'output y has shape [3] for two rows, so its first dimension is not the batch',
    },
    {
      why: 'the batch is the second dimension of the answer',
      model: (inputs) => [tensor([1, rowsOf(inputs).length], new Float32Array(rowsOf(inputs).length))],
      note: 'output y has shape [1,2] for two rows, so its first dimension is not the batch',
    },
    {
      why: 'rows of the answer grow with the batch',
      model: (inputs) => {
        const rows = rowsOf(inputs).length;
        return [tensor([rows, rows], new Float32Array(rows * rows))];
      },
      note: 'output y has another row shape for two rows',
    },
    { why: 'there is no answer', model: () => [], note: 'output y is missing' },
  ])('is not batched when $why', async ({ model, note }) => {
    const { session, asked } = puppet(model);
    expect(await warmUp(session, { signature: rowsSignature, warmRows: [8] })).toEqual({
      batching: 'none',
      note,
      costs: [],
    });
    expect(asked.length).toBe(2);
  });

  it.each([
    { by: 1e-5, batching: 'rows', why: 'kernels may add up in another order' },
    { by: 1e-2, batching: 'none', why: 'that is more than rounding' },
  ])('is batched as $batching when company changes a row by $by of it: $why', async ({ by, batching }) => {
    const { session } = puppet(perRow((row, rows) => sum(row) * (rows.length > 1 ? 1 + by : 1)));
    expect(await warmUp(session, { signature: rowsSignature, warmRows: [] })).toMatchObject({ batching });
  });

  it.each([NaN, Infinity])('is batched when the answer is %d with and without company', async (answer) => {
    const { session } = puppet(perRow(() => answer));
    expect(await warmUp(session, { signature: rowsSignature, warmRows: [] })).toMatchObject({
      batching: 'rows',
    });
  });

  it('is judged by every output, and the one that differs is named', async () => {
    const { session } = puppet((inputs) => [
      ...sumOfRow(inputs),
      tensor(
        [rowsOf(inputs).length],
        rowsOf(inputs).map(() => (rowsOf(inputs).length > 1 ? 'b' : 'a')),
      ),
    ]);
    const outputs = [...rowsSignature.outputs, { name: 'label', datatype: 'BYTES', shape: [-1] } as const];
    expect(await warmUp(session, { signature: { ...rowsSignature, outputs }, warmRows: [] })).toEqual({
      batching: 'none',
      note: 'output label gives a row another answer when a second row rides along',
      costs: [],
    });
  });

  it.each([1, 2, 16])('is not batched, and loads all the same, when a run of %d rows throws', async (bad) => {
    const { session } = puppet((inputs) => {
      if (rowsOf(inputs).length === bad) throw new Error('Gather: index out of range');
      return sumOfRow(inputs);
    });
    expect(await warmUp(session, { signature: rowsSignature, warmRows: [16, 32] })).toEqual({
      batching: 'none',
      note: 'the warm-up run failed: Gather: index out of range',
      costs: [],
    });
  });
});

describe('a model that breaks the runtime', () => {
  it.each([1, 16])('in a run of %d rows is not loaded: the thread must go', async (bad) => {
    const { session } = puppet((inputs) => {
      if (rowsOf(inputs).length === bad) throw new Trap('memory access out of bounds');
      return sumOfRow(inputs);
    });
    await expect(warmUp(session, { signature: rowsSignature, warmRows: [16, 32] })).rejects.toThrow(
      'the warm-up run broke the runtime: memory access out of bounds',
    );
  });
});

describe('what runs cost', () => {
  /** A puppet on a clock of its own, which only its runs move on. */
  async function measured(
    usPerRun: (rows: number, run: number) => number,
    warmRows: readonly number[],
  ): Promise<WarmUpResult> {
    let nowMs = 0;
    let runs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const { session } = puppet((inputs) => {
      nowMs += usPerRun(rowsOf(inputs).length, runs++) / 1000;
      return sumOfRow(inputs);
    });
    return warmUp(session, { signature: rowsSignature, warmRows });
  }
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    { each: 100, rows: [4, 32], sizes: [1, 4, 32], why: 'every size is measured' },
    {
      each: 1000,
      rows: [32, 128],
      sizes: [1, 32],
      why: 'a size that would take more than 100 ms is left out',
    },
    { each: 200_000, rows: [4], sizes: [1], why: 'a slow model is measured at one row' },
  ])('are told by size for a model of $each us a row: $why', async ({ each, rows, sizes }) => {
    const { batching, costs } = await measured((count) => count * each, rows);
    expect(batching).toBe('rows');
    expect(costs.map((cost) => cost.rows)).toEqual(sizes);
    for (const cost of costs) expect(cost.us).toBeCloseTo(cost.rows * each);
  });

  it('are the shortest of a few runs, as others only add to it', async () => {
    const { costs } = await measured((_rows, run) => (run === 5 ? 70 : 100 + run), []);
    expect(costs).toEqual([{ rows: 1, us: expect.closeTo(70) as number }]);
  });
});

describe('a model whose runs have a fixed number of rows', () => {
  const spec = rowsSignature.inputs[0]!;
  const signature: ModelSignature = {
    inputs: [{ ...spec, shape: [8, features] }],
    outputs: [{ ...rowsSignature.outputs[0]!, shape: [8] }],
    batching: 'none',
    fixedRows: 8,
  };

  it('is batched when its rows are independent, and only ever run with all of them', async () => {
    const { session, asked } = puppet(sumOfRow);
    const result = await warmUp(session, { signature, warmRows: [4, 32], isMeasured: true });
    expect(result).toMatchObject({ batching: 'rows', note: undefined, costs: [{ rows: 8 }] });
    expect(new Set(asked.map(([input]) => input!.shape[0]))).toEqual(new Set([8]));
  });

  it('is not tried again where that is known, only run to be warm', async () => {
    const { session, asked } = puppet(sumOfRow);
    const known = { signature, warmRows: [4], isMeasured: true, batching: 'rows' } as const;
    expect(await warmUp(session, known)).toMatchObject({ batching: 'rows', costs: [{ rows: 8 }] });
    expect(asked.length).toBe(1);
  });

  it('is not batched when they are not, and measured if asked', async () => {
    const { session } = puppet(perRow((row, rows) => sum(row) / sum(rows.at(-1)!)));
    expect(await warmUp(session, { signature, warmRows: [4], costAlone: true, isMeasured: true })).toEqual({
      batching: 'none',
      note: 'output y gives a row another answer at another place or beside other rows',
      costs: [{ rows: 8, us: expect.any(Number) as number }],
    });
  });

  it('is not batched when it does not run at all', async () => {
    const { session } = puppet(() => {
      throw new Error('out of range');
    });
    expect(await warmUp(session, { signature, warmRows: [4] })).toEqual({
      batching: 'none',
      note: 'the warm-up run failed: out of range',
      costs: [],
    });
  });
});

describe('a model that runs every request alone', () => {
  const signature: ModelSignature = { ...rowsSignature, batching: 'none' };

  it('is run once and asked for nothing else', async () => {
    const { session, asked } = puppet(perRow((row, rows) => sum(row) / rows.length));
    expect(await warmUp(session, { signature, warmRows: [8] })).toEqual({
      batching: 'none',
      note: undefined,
      costs: [],
    });
    expect(asked.length).toBe(1);
  });

  it('loads although its warm-up run throws, and the log is told why', async () => {
    const { session } = puppet(() => {
      throw new Error('no');
    });
    expect(await warmUp(session, { signature, warmRows: [] })).toEqual({
      batching: 'none',
      note: 'the warm-up run failed: no',
      costs: [],
    });
  });
});

describe('what a probe is made of', () => {
  it.each<{
    readonly datatype: Datatype;
    readonly shape: readonly number[];
    readonly first: readonly number[];
    readonly why: string;
  }>([
    { datatype: 'FP32', shape: [-1, 3], first: [1, 3], why: 'the batch is the number of rows' },
    { datatype: 'FP64', shape: [-1, -1, 5], first: [1, 1, 5], why: 'other free sizes are 1' },
    { datatype: 'INT64', shape: [2, 3], first: [2, 3], why: 'fixed sizes are kept' },
    { datatype: 'FP16', shape: [], first: [], why: 'a scalar has one element' },
    { datatype: 'BOOL', shape: [-1, 0], first: [1, 0], why: 'an empty size is kept' },
    { datatype: 'BYTES', shape: [-1, 2], first: [1, 2], why: 'strings are probed too' },
  ])('$datatype $shape is first probed as $first: $why', async ({ datatype, shape, first }) => {
    const { session, asked } = puppet(() => []);
    const inputs = [{ name: 'x', datatype, shape }];
    await warmUp(session, { signature: { ...rowsSignature, inputs }, warmRows: [] });
    expect(asked[0]![0]!.shape).toEqual(first);
    expect(asked[0]![0]!.data.length).toBe(elementCount(first));
  });

  it.each<Datatype>(['INT32', 'INT64', 'UINT8', 'BOOL'])(
    '%s is probed with zeros, which index and select in many models',
    async (datatype) => {
      const { session, asked } = puppet(() => []);
      const inputs = [{ name: 'x', datatype, shape: [-1, 3] }];
      await warmUp(session, { signature: { ...rowsSignature, inputs }, warmRows: [] });
      expect([...(asked[0]![0]!.data as NumericArray)].map(Number)).toEqual([0, 0, 0]);
    },
  );

  it.each<Datatype>(['FP32', 'FP64'])('%s is probed with numbers, and rows differ', async (datatype) => {
    const { session, asked } = puppet(() => []);
    const inputs = [{ name: 'x', datatype, shape: [-1, 3] }];
    await warmUp(session, { signature: { ...rowsSignature, inputs }, warmRows: [] });
    const data = [...(asked[1]![0]!.data as Float32Array)];
    expect(data.every((value) => value > 0 && value < 1)).toBe(true);
    expect(data.slice(0, 3)).toEqual([...(asked[0]![0]!.data as Float32Array)]);
    expect(data.slice(0, 3)).not.toEqual(data.slice(3));
  });
});

describe('differences that are easily missed', () => {
  const answering = (answer: (rows: number) => NumericArray): Model => {
    return ([input]) => [{ shape: [input!.shape[0]!], data: answer(input!.shape[0]!) }];
  };

  it.each([Infinity, -Infinity])('an answer of %d beside a number is one', async (odd) => {
    const { session } = puppet(answering((rows) => new Float32Array(rows).fill(rows > 1 ? odd : 5)));
    expect((await warmUp(session, { signature: rowsSignature, warmRows: [] })).batching).toBe('none');
  });

  it('class numbers that are close to each other are one', async () => {
    const { session } = puppet(answering((rows) => new Int32Array(rows).fill(rows > 1 ? 5001 : 5000)));
    const signature = { ...rowsSignature, outputs: [{ name: 'y', datatype: 'INT32', shape: [-1] }] } as const;
    expect((await warmUp(session, { signature, warmRows: [] })).batching).toBe('none');
  });

  it.each([1, 4, 13, 26])(
    'rows of %i features are told apart, so a model that subtracts the mean row shows',
    async (width) => {
      const { session } = puppet(([input]) => {
        const { shape, data } = input!;
        const all = data as Float32Array;
        const rows = shape[0]!;
        const centred = all.map((value, index) => {
          let mean = 0;
          for (let row = 0; row < rows; row++) mean += all[row * width + (index % width)]! / rows;
          return value - mean;
        });
        return [{ shape, data: centred }];
      });
      const spec = [{ name: 'x', datatype: 'FP32', shape: [-1, width] }] as const;
      const signature = { inputs: spec, outputs: spec, batching: 'rows' } as const;
      expect((await warmUp(session, { signature, warmRows: [] })).batching).toBe('none');
    },
  );
});
