/**
 * Runs of a fixed number of rows behind the face of a session that takes fewer, with a puppet session that keeps what it was
 * given: what fills a run up, and that nothing of it comes out.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { elementBytes, type NumericDatatype, typedView } from '../../../runtime/tensor/dtype.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import { FixedRowsSession } from '../../../runtime/worker/fixed-rows.ts';
import type { SessionTensor } from '../../../runtime/worker/onnx-session.ts';
import type { LoadedSession } from '../../../runtime/worker/session-chain.ts';

const fixedRows = 4;

const signature: ModelSignature = {
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [fixedRows, 2] },
    { name: 'word', datatype: 'BYTES', shape: [fixedRows] },
  ],
  outputs: [],
  batching: 'none',
  fixedRows,
};

/** Gives back what it gets, copied as a runtime does. */
function puppet(of: ModelSignature = signature): {
  readonly session: FixedRowsSession;
  readonly asked: SessionTensor[][];
  released: boolean;
} {
  const asked: SessionTensor[][] = [];
  const seen = { asked, released: false };
  const echo: LoadedSession = {
    run: (inputs) => {
      const copies = inputs.map(({ shape, data }) => ({ shape, data: data.slice() }));
      asked.push(copies);
      return Promise.resolve(copies);
    },
    release: () => {
      seen.released = true;
      return Promise.resolve();
    },
    signatureDifference: () => 'a difference',
  };
  return Object.assign(seen, { session: new FixedRowsSession(echo, of, fixedRows) });
}

function call(numbers: readonly (readonly number[])[], words: readonly string[]): SessionTensor[] {
  return [
    { shape: [numbers.length, 2], data: Float32Array.from(numbers.flat()) },
    { shape: [words.length], data: words },
  ];
}

test('is filled up with copies of the last row, which are cut off again', async () => {
  const { session, asked } = puppet();
  const results = await session.run(
    call(
      [
        [1, 2],
        [3, 4],
      ],
      ['a', 'b'],
    ),
    undefined,
  );
  expect(asked).toEqual([
    [
      { shape: [4, 2], data: Float32Array.of(1, 2, 3, 4, 3, 4, 3, 4) },
      { shape: [4], data: ['a', 'b', 'b', 'b'] },
    ],
  ]);
  expect(results).toEqual([
    { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    { shape: [2], data: ['a', 'b'] },
  ]);
});

test('is handed on as it is when it is full', async () => {
  const { session, asked } = puppet();
  const full = call(
    [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ],
    ['a', 'b', 'c', 'd'],
  );
  const results = await session.run(full, [0, 1]);
  expect(asked).toEqual([full]);
  expect(results).toEqual(full);
});

test('shows nothing of the run before, whatever the rows and the datatype', async () => {
  const datatype = fc.constantFrom<NumericDatatype>('FP32', 'INT64', 'UINT8', 'FP16', 'FP64');
  const runs = fc.array(fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: fixedRows }), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(datatype, runs, async (type, all) => {
      const spec = { name: 'x', datatype: type, shape: [fixedRows] };
      const { session, asked } = puppet({ ...signature, inputs: [spec] });
      for (const rows of all) {
        const buffer = new SharedArrayBuffer(rows.length * elementBytes(type));
        const data = typedView(type, { buffer, byteOffset: 0, elementCount: rows.length });
        const values = rows.map((value) => (type === 'INT64' ? BigInt(value) : value));
        for (const [index, value] of values.entries())
          (data as (number | bigint)[] & typeof data)[index] = value;
        const [result] = await session.run([{ shape: [rows.length], data }], undefined);
        expect([...(result?.data ?? [])]).toEqual(values);
        expect([...(asked.at(-1)?.[0]?.data ?? [])]).toEqual(
          Array.from({ length: fixedRows }, (_, place) => values[Math.min(place, rows.length - 1)]),
        );
      }
    }),
  );
});

test('leaves a result of another number of rows for others to see', async () => {
  const wrong = [{ shape: [1], data: Float32Array.of(7) }];
  const session = new FixedRowsSession(
    {
      run: () => Promise.resolve(wrong),
      release: () => Promise.resolve(),
      signatureDifference: () => undefined,
    },
    signature,
    fixedRows,
  );
  expect(
    await session.run(
      call(
        [
          [1, 2],
          [3, 4],
        ],
        ['a', 'b'],
      ),
      undefined,
    ),
  ).toEqual(wrong);
});

test('is the session behind it in everything else', async () => {
  const seen = puppet();
  expect(seen.session.signatureDifference()).toBe('a difference');
  await seen.session.release();
  expect(seen.released).toBe(true);
});
