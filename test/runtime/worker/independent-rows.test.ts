/**
 * The trial of a fixed batch, with puppet sessions that behave, or misbehave, as models do: whatever way rows mix or places
 * matter has to be seen, and rounding must not be taken for it.
 */
import { describe, expect, it } from 'vitest';
import { arrangements, rowDependence } from '../../../runtime/worker/independent-rows.ts';
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import { numberToHalf } from '../../../runtime/tensor/half-float.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import type { SessionTensor } from '../../../runtime/worker/onnx-session.ts';

const features = 3;

type Row = readonly number[];

function signatureOf(
  rows: number,
  datatype: Datatype = 'FP32',
  inputType: Datatype = 'FP32',
): ModelSignature {
  return {
    inputs: [{ name: 'x', datatype: inputType, shape: [rows, features] }],
    outputs: [{ name: 'y', datatype, shape: [rows] }],
    batching: 'none',
    fixedRows: rows,
  };
}

function rowsOf({ shape, data }: SessionTensor): Row[] {
  const numbers = [...data].map((value) => (typeof value === 'string' ? value.length : Number(value)));
  return Array.from({ length: shape[0] ?? 0 }, (_, row) =>
    numbers.slice(row * features, (row + 1) * features),
  );
}

const sum = (row: Row): number => row.reduce((total, value) => total + value, 0);

/** What is found of a model that answers each row with a number. */
function found(
  rows: number,
  answer: (row: Row, place: number, all: readonly Row[]) => number,
  signature = signatureOf(rows),
): Promise<string | undefined> {
  const run = ([x]: readonly SessionTensor[]): Promise<SessionTensor[]> => {
    const all = rowsOf(x!);
    expect(x!.shape).toEqual([rows, features]);
    const data = Float32Array.from(all, (row, place) => answer(row, place, all));
    const [output] = signature.outputs;
    if (output?.datatype !== 'FP16') return Promise.resolve([{ shape: [rows], data }]);
    return Promise.resolve([{ shape: [rows], data: Uint16Array.from(data, numberToHalf) }]);
  };
  return rowDependence({ run }, signature, rows);
}

const mixed = 'output y gives a row another answer at another place or beside other rows';

describe('the arrangements', () => {
  const sizes = Array.from({ length: 40 }, (_, index) => index + 2);

  it.each(sizes)(
    'of %d rows change any place while any other one stays, and put one row everywhere',
    (rows) => {
      const runs = arrangements(rows);
      expect(runs.length).toBe(4 + Math.ceil(Math.log2(rows)));
      for (const run of runs) expect(run.length).toBe(rows);
      for (let kept = 0; kept < rows; kept++) {
        expect(runs.some((run) => run[kept] === 0)).toBe(true);
        for (let changed = 0; changed < rows; changed++) {
          if (kept === changed) continue;
          const isSeen = runs.some((one) =>
            runs.some((other) => one[kept] === other[kept] && one[changed] !== other[changed]),
          );
          expect(isSeen).toBe(true);
        }
      }
    },
  );
});

describe.each([2, 3, 8, 13])('rows of a run of %d', (rows) => {
  it('that depend on nothing else pass', async () => {
    expect(await found(rows, (row) => sum(row))).toBeUndefined();
    expect(await found(rows, ([first = 0, second = 0]) => (first > second ? NaN : first))).toBeUndefined();
  });

  it.each<{ readonly why: string; readonly answer: Parameters<typeof found>[1] }>([
    {
      why: 'a softmax goes over the batch',
      answer: (row, _, all) => Math.exp(sum(row)) / sum(all.map((one) => Math.exp(sum(one)))),
    },
    {
      why: 'the mean of the batch is subtracted',
      answer: (row, _, all) => sum(row) - sum(all.map(sum)) / all.length,
    },
    {
      why: 'the batch has one scale',
      answer: (row, _, all) => Math.round(sum(row) * (127 / Math.max(...all.flat()))),
    },
    { why: 'each place has a bias', answer: (row, place) => sum(row) + place / 1000 },
    {
      why: 'only the last place is another',
      answer: (row, place, all) => sum(row) * (place === all.length - 1 ? 1.001 : 1),
    },
    {
      why: 'a row sees the one before it',
      answer: (row, place, all) => sum(row) + (all[place - 1]?.[0] ?? 0),
    },
    {
      why: 'the first row sees the last',
      answer: (row, place, all) => sum(row) + (place === 0 ? (all.at(-1)?.[1] ?? 0) : 0),
    },
    {
      why: 'the last row sees the first',
      answer: (row, place, all) => sum(row) + (place === all.length - 1 ? (all[0]?.[1] ?? 0) : 0),
    },
    { why: 'rows mix by a thousandth', answer: (row, _, all) => sum(row) + 1e-3 * (all.at(-1)?.[2] ?? 0) },
  ])('are refused where $why', async ({ answer }) => {
    expect(await found(rows, answer)).toBe(mixed);
  });

  it('may differ by the last bits, by where they lie', async () => {
    expect(await found(rows, (row, place) => sum(row) * (1 + (place % 2) * 2e-7))).toBeUndefined();
  });

  it('are refused where all are answered alike, since then nothing could be seen', async () => {
    expect(await found(rows, () => 1)).toBe(
      'output y is the same for all rows that were tried, which shows nothing',
    );
  });
});

it('takes halves for the same only within their eleven bits', async () => {
  const half = signatureOf(8, 'FP16');
  expect(await found(8, (row, place) => sum(row) * (1 + (place % 2) * 5e-4), half)).toBeUndefined();
  expect(await found(8, (row, place) => sum(row) * (1 + (place % 2) * 0.02), half)).toBe(mixed);
});

it.each<Datatype>(['INT64', 'BOOL', 'UINT8', 'BYTES', 'FP64', 'FP16'])(
  'has rows of %s too',
  async (inputType) => {
    const signature = signatureOf(8, 'FP32', inputType);
    const weights = [1, 2, 4];
    const weighed = ({ data }: SessionTensor): number[] =>
      Array.from({ length: 8 }, (_, row) =>
        sum(
          weights.map(
            (weight, at) =>
              weight * (data[row * features + at] === 'b' ? 1 : Number(data[row * features + at]) || 0),
          ),
        ),
      );
    const session = (answer: (all: number[]) => number[]) => ({
      run: ([x]: readonly SessionTensor[]): Promise<SessionTensor[]> =>
        Promise.resolve([{ shape: [8], data: Float32Array.from(answer(weighed(x!))) }]),
    });
    expect(
      await rowDependence(
        session((all) => all),
        signature,
        8,
      ),
    ).toBeUndefined();
    const shifted = (all: number[]): number[] =>
      all.map((value, place) => value + (all[(place + 5) % 8] ?? 0));
    expect(await rowDependence(session(shifted), signature, 8)).toBe(mixed);
  },
);

it.each<{ readonly results: SessionTensor[]; readonly problem: string }>([
  { results: [], problem: 'output y is missing' },
  {
    results: [{ shape: [1], data: Float32Array.of(1) }],
    problem: 'output y has shape [1] for 8 rows, so its first dimension is not the batch',
  },
])('says what is wrong with answers: $problem', async ({ results, problem }) => {
  expect(await rowDependence({ run: () => Promise.resolve(results) }, signatureOf(8), 8)).toBe(problem);
});

it('says when the rows of an answer have another shape beside other rows', async () => {
  let width = 0;
  const run = (): Promise<SessionTensor[]> => {
    width += 1;
    return Promise.resolve([{ shape: [2, width], data: new Float32Array(2 * width) }]);
  };
  expect(await rowDependence({ run }, signatureOf(2), 2)).toBe(
    'output y has another row shape when other rows ride along',
  );
});
