/** Answers in msgpack: read back by msgpackr they say what the reply says, however often the kind of reply changes. */
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { InferReply, OutputColumn } from '../../../gateway/wire/infer-request.ts';
import { type AnswerNotes, StreamAnswerWriter } from '../../../gateway/wire/stream-answer.ts';
import { FrameSpace } from '../../../gateway/wire/stream-space.ts';

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

function written(
  writer: StreamAnswerWriter,
  reply: InferReply,
  space: FrameSpace,
  notes?: AnswerNotes,
): unknown {
  const start = space.length;
  writer.write(reply, space, notes);
  return comparable(unpackr.unpack(Buffer.from(space.bytes.subarray(start, space.length))));
}

/** With bytes as text: comparing large buffers element by element takes seconds. */
function comparable(message: unknown): unknown {
  return JSON.parse(
    JSON.stringify(message, (_, value: unknown) =>
      // A Buffer has turned itself into an object by now, a bare array has not.
      value instanceof Uint8Array ? { type: 'Buffer', data: [...value] } : value,
    ),
  );
}

/** What a client should read, worked out without the gateway's writers. */
function expected(reply: InferReply): unknown {
  const outputs = reply.columns.map(({ name, datatype, rowShape, rowElements, data }) => {
    const start = reply.batched ? reply.rowStart * rowElements : 0;
    const end = start + (reply.batched ? reply.rows : 1) * rowElements;
    const shape = reply.batched ? [reply.rows, ...rowShape] : rowShape;
    if (!ArrayBuffer.isView(data)) return { name, datatype, shape, data: data.slice(start, end) };
    const part = data.slice(start, end);
    return { name, datatype, shape, data: new Uint8Array(part.buffer, part.byteOffset, part.byteLength) };
  });
  return comparable({
    id: reply.id,
    model_name: reply.modelName,
    model_version: reply.modelVersion,
    outputs,
  });
}

const batchRows = 8;
const anyColumn: fc.Arbitrary<OutputColumn> = fc
  .record({
    name: fc.constantFrom('label', 'probabilities', 'ü'),
    rowShape: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 2 }),
    kind: fc.constantFrom('FP32', 'INT64', 'UINT8', 'BYTES' as const),
    seed: fc.nat(200),
  })
  .map(({ name, rowShape, kind, seed }) => {
    const rowElements = rowShape.reduce((product, size) => product * size, 1);
    const length = batchRows * rowElements;
    const values = Array.from({ length }, (_, index) => (seed + index) % 251);
    const data = {
      FP32: () => Float32Array.from(values, (value) => value / 8),
      INT64: () => BigInt64Array.from(values, BigInt),
      UINT8: () => Uint8Array.from(values),
      BYTES: () => values.map((value) => `v${value}`),
    }[kind]();
    return { name, datatype: kind, rowShape, rowElements, data };
  });

const anyId = fc.oneof(
  fc.constantFrom(0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff, 0x1_0000_0000),
  fc.maxSafeNat(),
  fc.string({ maxLength: 128 }),
);

const anyReply: fc.Arbitrary<InferReply> = fc
  .record({
    id: anyId,
    modelName: fc.constantFrom('iris', 'digits'),
    modelVersion: fc.constantFrom('1.0.0', '2'),
    columns: fc.array(anyColumn, { maxLength: 3 }),
    batched: fc.boolean(),
    rows: fc.integer({ min: 1, max: 4 }),
    rowStart: fc.integer({ min: 0, max: 4 }),
  })
  .map((reply) => ({
    ...reply,
    rowStart: reply.batched ? reply.rowStart : 0,
    rows: reply.batched ? reply.rows : 1,
    options: undefined,
  }));

describe('StreamAnswerWriter', () => {
  it('writes what msgpackr reads back as the reply, for any sequence of replies', () => {
    fc.assert(
      fc.property(fc.array(anyReply, { maxLength: 12 }), (replies) => {
        const writer = new StreamAnswerWriter();
        const space = new FrameSpace();
        for (const reply of replies) {
          expect(written(writer, reply, space)).toEqual(expected(reply));
          // The other rows of the same batch, and the same kind of batch with other elements.
          if (!reply.batched) continue;
          const next = { ...reply, id: 5, rowStart: batchRows - reply.rows };
          expect(written(writer, next, space)).toEqual(expected(next));
          const columns = reply.columns.map((column) => ({ ...column, data: column.data.toReversed() }));
          const again = { ...next, columns: columns as OutputColumn[] };
          expect(written(writer, again, space)).toEqual(expected(again));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('writes these bytes', () => {
    const column: OutputColumn = {
      name: 'y',
      datatype: 'UINT8',
      rowShape: [2],
      rowElements: 2,
      data: Uint8Array.of(1, 2, 3, 4),
    };
    const reply: InferReply = {
      id: 300,
      modelName: 'm',
      modelVersion: '1',
      columns: [column],
      batched: true,
      rowStart: 1,
      rows: 1,
      options: undefined,
    };
    const space = new FrameSpace();
    new StreamAnswerWriter().write(reply, space);
    expect(Buffer.from(space.bytes.subarray(0, space.length)).toString('hex')).toBe(
      [
        '84',
        'a26964cd012c',
        `aa${Buffer.from('model_name').toString('hex')}a16d`,
        `ad${Buffer.from('model_version').toString('hex')}a131`,
        `a7${Buffer.from('outputs').toString('hex')}91`,
        `84a4${Buffer.from('name').toString('hex')}a179`,
        `a8${Buffer.from('datatype').toString('hex')}a5${Buffer.from('UINT8').toString('hex')}`,
        `a5${Buffer.from('shape').toString('hex')}920102`,
        `a4${Buffer.from('data').toString('hex')}c4020304`,
      ].join(''),
    );
  });

  it.each([
    [{ cache: 'hit' }, { cache: 'hit' }],
    [
      { cache: 'miss', rollout: { id: 'r1', variant: 'stable' } },
      { cache: 'miss', rollout_id: 'r1', variant: 'stable' },
    ],
    [{}, {}],
  ] as const)('says %j about an answer, and nothing of that about the next one', (notes, said) => {
    const column = {
      name: 'y',
      datatype: 'INT8',
      rowShape: [],
      rowElements: 1,
      data: Int8Array.of(5),
    } as const;
    const answer = {
      id: 1,
      modelName: 'm',
      modelVersion: '1',
      columns: [column],
      batched: true,
      rowStart: 0,
    };
    const reply: InferReply = { ...answer, rows: 1, options: undefined };
    const writer = new StreamAnswerWriter();
    const space = new FrameSpace();
    expect(written(writer, reply, space, notes)).toEqual({ ...(expected(reply) as object), ...said });
    expect(written(writer, reply, space)).toEqual(expected(reply));
  });

  it('writes answers that are larger than what is kept of them, and than the space', () => {
    const rowElements = 40_000;
    const data = Float32Array.from({ length: rowElements * 2 }, (_, index) => index);
    const columns = [{ name: 'y', datatype: 'FP32' as const, rowShape: [rowElements], rowElements, data }];
    const space = new FrameSpace();
    const writer = new StreamAnswerWriter();
    for (const rowStart of [0, 1]) {
      const reply = { id: 1, modelName: 'm', modelVersion: '1', columns, batched: true, rowStart, rows: 1 };
      const full = { ...reply, options: undefined };
      expect(written(writer, full, space)).toEqual(expected(full));
    }
    space.empty();
    expect(space.length).toBe(0);
  });
});
