/** Which requests fit a model and which are turned away, with the code and the words for each; and which may share a batch. */
import { describe, expect, it } from 'vitest';
import { batchKeyOf, checkRequest } from '../../../gateway/admission/check-request.ts';
import type { InferRequest, InputTensor } from '../../../gateway/wire/infer-request.ts';
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import type { ModelSignature, TensorSpec } from '../../../runtime/tensor/signature.ts';

const limits = { requestRowsMax: 8, requestBytesMax: 4096 };

function spec(name: string, shape: readonly number[], datatype: Datatype = 'FP32'): TensorSpec {
  return { name, datatype, shape };
}

function tensor(name: string, shape: readonly number[], datatype: Datatype = 'FP32'): InputTensor {
  return { name, datatype, shape, source: { kind: 'packed', bytes: new Uint8Array(0) } };
}

function request(inputs: readonly InputTensor[], outputs?: readonly string[]): InferRequest {
  return { id: undefined, inputs, outputs, options: undefined };
}

const iris: ModelSignature = {
  inputs: [spec('features', [-1, 4])],
  outputs: [spec('label', [-1], 'INT64'), spec('probabilities', [-1, 3])],
  batching: 'rows',
};
/** Two inputs, one of them with an open length behind the batch. */
const pair: ModelSignature = {
  inputs: [spec('tokens', [-1, -1], 'INT64'), spec('weights', [-1, 2])],
  outputs: [spec('a', [-1]), spec('b', [-1]), spec('c', [-1])],
  batching: 'rows',
};
const single: ModelSignature = {
  inputs: [spec('image', [1, 3, -1, -1])],
  outputs: [spec('mask', [1, -1, -1])],
  batching: 'none',
};

describe('checkRequest', () => {
  it('admits a request that fits, without copying its inputs', () => {
    const { inputs } = request([tensor('features', [3, 4])]);
    const result = checkRequest(request(inputs), iris, limits);
    expect(result).toEqual({ ok: true, value: { rows: 3, bytes: 48, inputs, outputIndexes: undefined } });
    expect(result.ok && result.value.inputs === inputs).toBe(true);
  });

  it('puts the inputs into the order of the model', () => {
    const tokens = tensor('tokens', [2, 5], 'INT64');
    const weights = tensor('weights', [2, 2]);
    const result = checkRequest(request([weights, tokens]), pair, limits);
    expect(result).toMatchObject({ ok: true, value: { rows: 2, inputs: [tokens, weights] } });
  });

  it('counts one row for a model that runs every request alone, whatever its first dimension', () => {
    const result = checkRequest(request([tensor('image', [1, 3, 8, 8])]), single, limits);
    expect(result).toMatchObject({ ok: true, value: { rows: 1 } });
  });

  it('accepts zero in an open dimension behind the batch', () => {
    const inputs = [tensor('tokens', [2, 0], 'INT64'), tensor('weights', [2, 2])];
    expect(checkRequest(request(inputs), pair, limits)).toMatchObject({ ok: true });
  });

  it('admits a request without inputs for a model that has none', () => {
    const constant: ModelSignature = { inputs: [], outputs: [spec('pi', [1])], batching: 'none' };
    expect(checkRequest(request([]), constant, limits)).toMatchObject({ ok: true, value: { rows: 1 } });
  });

  it('turns away a dimension that the runtime cannot count, in whatever dimension the elements are none', () => {
    const most = 2 ** 31 - 1;
    const shaped = (size: number): InferRequest => request([tensor('image', [1, 3, size, 0])]);
    expect(checkRequest(shaped(most), single, limits)).toMatchObject({ ok: true });
    for (const size of [most + 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      expect(checkRequest(shaped(size), single, limits)).toMatchObject({
        code: 'SHAPE_MISMATCH',
        message: `Input "image" has the shape [1, 3, ${size}, 0]; the model takes [1, 3, any, any], none larger than ${most}.`,
      });
    }
  });

  it.each<[string, ModelSignature, readonly InputTensor[], string, string]>([
    [
      'no inputs at all',
      iris,
      [],
      'MISSING_INPUT',
      'The request lacks "features"; the model takes "features".',
    ],
    [
      'one input of two',
      pair,
      [tensor('weights', [1, 2])],
      'MISSING_INPUT',
      'The request lacks "tokens"; the model takes "tokens", "weights".',
    ],
    [
      'an input that the model does not have',
      iris,
      [tensor('x', [1, 4])],
      'UNKNOWN_INPUT',
      'The model has no input "x"; it takes "features".',
    ],
    [
      'an input beside those of the model',
      iris,
      [tensor('features', [1, 4]), tensor('mask', [1, 4])],
      'UNKNOWN_INPUT',
      'The model has no input "mask"; it takes "features".',
    ],
    [
      'the same input twice',
      iris,
      [tensor('features', [1, 4]), tensor('features', [1, 4])],
      'INVALID_REQUEST',
      'The input "features" is sent twice.',
    ],
    [
      'the same input twice in the place of another',
      pair,
      [tensor('weights', [1, 2]), tensor('weights', [1, 2])],
      'INVALID_REQUEST',
      'The input "weights" is sent twice.',
    ],
    [
      'another datatype',
      iris,
      [tensor('features', [1, 4], 'FP64')],
      'DATATYPE_MISMATCH',
      'Input "features" is FP64; the model takes FP32.',
    ],
    [
      'a row without the batch dimension',
      iris,
      [tensor('features', [4])],
      'SHAPE_MISMATCH',
      'Input "features" has the shape [4]; the model takes [any, 4].',
    ],
    [
      'one dimension too many',
      iris,
      [tensor('features', [1, 1, 4])],
      'SHAPE_MISMATCH',
      'Input "features" has the shape [1, 1, 4]; the model takes [any, 4].',
    ],
    [
      'a fixed dimension of another size',
      iris,
      [tensor('features', [2, 5])],
      'SHAPE_MISMATCH',
      'Input "features" has the shape [2, 5]; the model takes [any, 4].',
    ],
    [
      'two rows for a model whose first dimension is fixed',
      single,
      [tensor('image', [2, 3, 8, 8])],
      'SHAPE_MISMATCH',
      'Input "image" has the shape [2, 3, 8, 8]; the model takes [1, 3, any, any].',
    ],
    [
      'inputs with different numbers of rows',
      pair,
      [tensor('tokens', [2, 5], 'INT64'), tensor('weights', [3, 2])],
      'SHAPE_MISMATCH',
      'Input "weights" has 3 rows and "tokens" has 2; the first dimension must be the same in all inputs.',
    ],
    [
      'zero rows',
      iris,
      [tensor('features', [0, 4])],
      'SHAPE_MISMATCH',
      'The shape [0, 4] has no rows; the first dimension must be 1 or more.',
    ],
    [
      'more rows than one request may have',
      iris,
      [tensor('features', [9, 4])],
      'TOO_MANY_ROWS',
      'The request has 9 rows; one request may have 8. Send several requests.',
    ],
    [
      'more rows than a run of the model has',
      { ...iris, fixedRows: 4 },
      [tensor('features', [5, 4])],
      'TOO_MANY_ROWS',
      'The request has 5 rows; a run of this model has 4. Send several requests.',
    ],
    [
      'more bytes than one request may have, all inputs together',
      pair,
      [tensor('tokens', [1, 512], 'INT64'), tensor('weights', [1, 2])],
      'BODY_TOO_LARGE',
      'The inputs take 4104 bytes; those of one request may take 4096.',
    ],
    [
      'a shape of 130 dimensions, shown short',
      iris,
      [tensor('features', Array<number>(130).fill(1))],
      'SHAPE_MISMATCH',
      'Input "features" has the shape [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ... 130 dimensions]; the model takes [any, 4].',
    ],
  ])('refuses %s', (_, signature, inputs, code, message) => {
    expect(checkRequest(request(inputs), signature, limits)).toEqual({ ok: false, code, message });
  });

  it('counts the text of BYTES inputs in whatever form it comes', () => {
    const text: ModelSignature = { ...iris, inputs: [spec('text', [-1], 'BYTES')] };
    const head = { name: 'text', datatype: 'BYTES', shape: [2] } as const;
    const big = 'x'.repeat(4000);
    const sources: InputTensor['source'][] = [
      { kind: 'packed', bytes: new Uint8Array(4097) },
      { kind: 'json', text: new Uint8Array(5000), start: 100, end: 4197 },
      { kind: 'values', values: [[big], [Buffer.alloc(97)]] },
    ];
    for (const source of sources) {
      expect(checkRequest(request([{ ...head, source }]), text, limits)).toMatchObject({
        code: 'BODY_TOO_LARGE',
      });
    }
    expect(
      checkRequest(request([{ ...head, source: { kind: 'values', values: [big, 'y'] } }]), text, limits),
    ).toMatchObject({ ok: true });
  });

  const fits = [tensor('tokens', [1, 5], 'INT64'), tensor('weights', [1, 2])];
  it.each<[string, readonly string[] | undefined, readonly number[] | undefined]>([
    ['undefined', undefined, undefined],
    ['an empty list', [], undefined],
    ['all of them as they stand', ['a', 'b', 'c'], undefined],
    ['all of them in another order', ['a', 'c', 'b'], [0, 2, 1]],
    ['the first ones', ['a', 'b'], [0, 1]],
    ['one of them', ['c'], [2]],
  ])('reads %s as the outputs wanted', (_, outputs, outputIndexes) => {
    const result = checkRequest({ id: undefined, inputs: fits, outputs, options: undefined }, pair, limits);
    expect(result).toMatchObject({ ok: true, value: { outputIndexes } });
  });

  it.each([
    [['a', 'd'], 'UNKNOWN_OUTPUT', 'The model has no output "d"; it has "a", "b", "c".'],
    [['a', 'b', 'a'], 'INVALID_REQUEST', 'The output "a" is asked for twice.'],
  ])('refuses the outputs %j', (outputs, code, message) => {
    expect(checkRequest(request(fits, outputs), pair, limits)).toEqual({ ok: false, code, message });
  });
});

describe('batchKeyOf', () => {
  function keyOf(
    signature: ModelSignature,
    inputs: readonly InputTensor[],
    outputs?: readonly string[],
  ): string {
    const result = checkRequest(request(inputs, outputs), signature, limits);
    if (!result.ok) throw new Error(result.message);
    return batchKeyOf(signature, result.value);
  }
  const tokens = (rows: number, length: number) => [
    tensor('tokens', [rows, length], 'INT64'),
    tensor('weights', [rows, 2]),
  ];

  it('is empty when nothing but the batch is open and all outputs are wanted', () => {
    expect(keyOf(iris, [tensor('features', [3, 4])])).toBe('');
    expect(keyOf(iris, [tensor('features', [3, 4])], ['label', 'probabilities'])).toBe('');
  });

  it('does not depend on rows or on the order in which inputs were sent', () => {
    expect(keyOf(pair, tokens(1, 5))).toBe(keyOf(pair, tokens(4, 5).reverse()));
  });

  it('tells open dimensions and wanted outputs apart', () => {
    const open: ModelSignature = { ...iris, inputs: [spec('x', [-1, -1, -1])] };
    const keys = [
      keyOf(pair, tokens(1, 5)),
      keyOf(pair, tokens(1, 51)),
      keyOf(pair, tokens(1, 5), ['a']),
      keyOf(pair, tokens(1, 5), ['a', 'b']),
      keyOf(pair, tokens(1, 5), ['b', 'a']),
      keyOf(open, [tensor('x', [1, 1, 23])]),
      keyOf(open, [tensor('x', [1, 12, 3])]),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});
