/** The classification extension: which elements, in which order, as which text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRequest } from '../../../gateway/admission/check-request.ts';
import { isClassifiable, withClasses } from '../../../gateway/wire/classification.ts';
import type { InferReply, OutputColumn, RequestOptions } from '../../../gateway/wire/infer-request.ts';
import { numberToHalf } from '../../../runtime/tensor/half-float.ts';

function wanting(...classes: readonly number[]): RequestOptions {
  return {
    dueWithinMs: undefined,
    priority: 0,
    outputForms: classes.map((count) => ({ binary: false, classes: count })),
    sequence: undefined,
    defaultForm: { binary: false, classes: 0 },
  };
}

function replyOf(columns: readonly OutputColumn[], change: Partial<InferReply> = {}): InferReply {
  const whole = { id: undefined, modelName: 'm', modelVersion: '1', batched: true, rowStart: 0, rows: 1 };
  return { ...whole, columns, options: wanting(3), ...change };
}

function floats(...values: number[]): OutputColumn {
  const data = Float32Array.from(values);
  return { name: 'p', datatype: 'FP32', rowShape: [values.length], rowElements: values.length, data };
}

describe('classification', () => {
  it('gives the largest elements of each row as "value:index", largest first', () => {
    const column: OutputColumn = {
      ...floats(9, 9, 9, 0.1, 0.7, 0.2, 0.5, 0.25, 0.25),
      rowShape: [3],
      rowElements: 3,
    };
    const { columns, rowStart } = withClasses(
      replyOf([column], { rowStart: 1, rows: 2, options: wanting(2) }),
    );
    expect(rowStart).toBe(0);
    expect(columns).toEqual([
      {
        name: 'p',
        datatype: 'BYTES',
        rowShape: [2],
        rowElements: 2,
        data: ['0.7:1', '0.2:2', '0.5:0', '0.25:1'],
      },
    ]);
  });

  it.each([
    ['more than there are', 10, floats(1, 3, 2), ['3:1', '2:2', '1:0']],
    ['equal elements, the earlier first', 3, floats(1, 1, 1), ['1:0', '1:1', '1:2']],
    ['NaN behind everything', 3, floats(NaN, -Infinity, 0), ['0:2', '-Infinity:1', 'NaN:0']],
    ['infinity in front', 1, floats(1e30, Infinity), ['Infinity:1']],
    [
      'integers beyond 2^53',
      2,
      { ...floats(0, 0), datatype: 'INT64', data: BigInt64Array.of(9007199254740992n, 9007199254740993n) },
      ['9007199254740993:1', '9007199254740992:0'],
    ],
    [
      'FP16 by value, not by bits',
      3,
      { ...floats(0, 0, 0), datatype: 'FP16', data: Uint16Array.from([-1, 0.5, -2].map(numberToHalf)) },
      ['0.5:1', '-1:0', '-2:2'],
    ],
  ] as const)('takes %s', (_, classes, column, strings) => {
    const { columns } = withClasses(replyOf([column], { options: wanting(classes) }));
    expect(columns[0]?.data).toEqual(strings);
  });

  it('leaves other outputs as they are, and the reply itself when there is nothing to classify', () => {
    const plain = replyOf([floats(1), floats(2)], { options: wanting(0, 0) });
    expect(withClasses(plain)).toBe(plain);
    const { columns } = withClasses(replyOf([floats(1, 2), floats(3, 4)], { options: wanting(0, 1) }));
    expect(columns.map(({ data }) => [...data])).toEqual([[1, 2], ['4:1']]);
  });

  it('gives a model without a batch dimension one list for the whole output', () => {
    const column = { ...floats(1, 4, 3, 2), rowShape: [2, 2] };
    const { columns } = withClasses(replyOf([column], { batched: false, options: wanting(2) }));
    expect(columns[0]).toMatchObject({ rowShape: [2], data: ['4:1', '3:2'] });
  });

  it('is sorted, and every value stands at its index', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true }), { minLength: 1 }),
        fc.integer({ min: 1, max: 20 }),
        (values, n) => {
          const column = floats(...values);
          const { columns } = withClasses(replyOf([column], { options: wanting(n) }));
          const pairs = [...(columns[0]?.data ?? [])].map((text) => String(text).split(':').map(Number));
          expect(pairs).toHaveLength(Math.min(n, values.length));
          for (const [value, index] of pairs) expect(Math.fround(value!)).toBe(column.data[index!]);
          for (const [place, [value]] of pairs.entries()) {
            if (place > 0) expect(value! <= pairs[place - 1]![0]!).toBe(true);
          }
        },
      ),
    );
  });

  it.each(['BYTES', 'BOOL'] as const)('is refused for %s when the request is admitted', (datatype) => {
    expect(isClassifiable(datatype)).toBe(false);
    const signature = {
      inputs: [],
      outputs: [{ name: 'label', datatype, shape: [-1] }],
      batching: 'none' as const,
    };
    const request = { id: undefined, inputs: [], outputs: ['label'], options: wanting(1) };
    expect(checkRequest(request, signature, { requestRowsMax: 1, requestBytesMax: 1 })).toMatchObject({
      code: 'INVALID_REQUEST',
      message: `class result not available for output "label" due to unsupported type '${datatype}'.`,
    });
  });
});
