/** Which requests are the same question, and what the packed form is that is run instead of the one that was sent. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cachedInputBytesMax,
  keepRequest,
  ResponseCacheKeys,
} from '../../../../gateway/dispatch/cache/response-cache-key.ts';
import { fillRows } from '../../../../gateway/dispatch/fill-rows.ts';
import type { AdmittedRequest } from '../../../../gateway/admission/check-request.ts';
import type { InputTensor, TensorSource } from '../../../../gateway/wire/infer-request.ts';
import { readStrings } from '../../../../gateway/wire/tensor-elements.ts';
import type { Datatype } from '../../../../runtime/tensor/dtype.ts';
import type { ModelSignature } from '../../../../runtime/tensor/signature.ts';

const signature: ModelSignature = {
  inputs: [
    { name: 'a', datatype: 'BOOL', shape: [-1, -1] },
    { name: 'b', datatype: 'FP64', shape: [-1, -1] },
    { name: 'c', datatype: 'BYTES', shape: [-1, -1] },
  ],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
  batching: 'rows',
};
const generation = { session: 7, signature };

const jsonOf = (value: unknown): TensorSource => {
  const text = Buffer.from(JSON.stringify(value));
  return { kind: 'json', text, start: 0, end: text.length };
};
const valuesOf = (values: readonly unknown[]): TensorSource => ({ kind: 'values', values });

function inputOf(datatype: Datatype, shape: readonly number[], source: TensorSource): InputTensor {
  return { name: datatype, datatype, shape, source };
}

interface Tensors {
  readonly bools: readonly boolean[];
  readonly numbers: readonly number[];
  readonly texts: readonly string[];
}

function requestOf(
  { bools, numbers, texts }: Tensors,
  form: typeof jsonOf | typeof valuesOf,
): AdmittedRequest {
  const inputs = [
    inputOf('BOOL', [1, bools.length], form([...bools])),
    inputOf('FP64', [1, numbers.length], form([...numbers])),
    inputOf('BYTES', [1, texts.length], form([...texts])),
  ];
  return { rows: 1, bytes: 0, inputs, outputIndexes: undefined };
}

function keyOf(request: AdmittedRequest, keys = new ResponseCacheKeys()): string {
  const read = keys.read(generation, request);
  if (!read.ok || read.value === undefined) throw new Error('the request has a key');
  return read.value.key;
}

const tensors = fc.record({
  bools: fc.array(fc.boolean(), { maxLength: 9 }),
  numbers: fc.array(
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
    {
      maxLength: 300,
    },
  ),
  texts: fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }), { maxLength: 50 }),
});

describe('the key', () => {
  test('is the same however the elements were sent, and another one for any other elements', () => {
    fc.assert(
      fc.property(tensors, tensors, (one, other) => {
        const keys = new ResponseCacheKeys();
        const key = keyOf(requestOf(one, jsonOf), keys);
        expect(keyOf(requestOf(one, valuesOf), keys)).toBe(key);
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(keyOf(requestOf(other, jsonOf), keys) === key).toBe(isSame);
        // What the other one left in memory is no part of it.
        expect(keyOf(requestOf(one, valuesOf), keys)).toBe(key);
      }),
    );
  });

  test('tells apart what would be the same bytes in a row', () => {
    const none = { bools: [], numbers: [] };
    const texts = (...list: string[]): string => keyOf(requestOf({ ...none, texts: list }, jsonOf));
    expect(new Set([texts('ab', 'c'), texts('a', 'bc'), texts('abc', ''), texts('abc')]).size).toBe(4);
  });

  test('names generation, rows and outputs', () => {
    const keys = new ResponseCacheKeys();
    const request = requestOf({ bools: [], numbers: [], texts: [] }, jsonOf);
    const all = [
      keys.read(generation, request),
      keys.read({ ...generation, session: 8 }, request),
      keys.read(generation, { ...request, rows: 2 }),
      keys.read(generation, { ...request, outputIndexes: [0] }),
    ].map((read) => (read.ok ? read.value?.key : undefined));
    expect(new Set(all).size).toBe(4);
    expect(all).not.toContain(undefined);
  });
});

describe('what is packed', () => {
  test('has the elements that were sent, also in a copy that is kept while others are packed', () => {
    fc.assert(
      fc.property(tensors, tensors, (one, other) => {
        const keys = new ResponseCacheKeys();
        const read = keys.read(generation, requestOf(one, jsonOf));
        if (!read.ok || read.value === undefined) throw new Error('the request has a key');
        const { request } = read.value;
        expect(elementsOf(request)).toEqual(one);
        const textBytes = one.texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), 0);
        expect(request.bytes).toBe(one.bools.length + 8 * one.numbers.length + textBytes);
        const kept = keepRequest(request);
        keys.read(generation, requestOf(other, valuesOf));
        expect(elementsOf(kept)).toEqual(one);
      }),
    );
  });

  test('is nothing when the inputs are too large to be looked up', () => {
    const packed = (bytes: number): AdmittedRequest => {
      const source = { kind: 'packed', bytes: new Uint8Array(bytes) } as const;
      return { rows: 1, bytes, inputs: [inputOf('UINT8', [1, bytes], source)], outputIndexes: undefined };
    };
    const keys = new ResponseCacheKeys();
    expect(keys.read(generation, packed(cachedInputBytesMax))).toMatchObject({ value: { request: {} } });
    expect(keys.read(generation, packed(cachedInputBytesMax + 1))).toEqual({ ok: true, value: undefined });
    const texts = ['x'.repeat(cachedInputBytesMax)];
    const text = requestOf({ bools: [], numbers: [], texts }, jsonOf);
    expect(keys.read(generation, text)).toEqual({ ok: true, value: undefined });
  });

  test.each([
    ['FP64', jsonOf(['x']), 'INVALID_ELEMENT'],
    ['FP64', jsonOf([1, 2]), 'ELEMENT_COUNT_MISMATCH'],
    ['BYTES', jsonOf([7]), 'INVALID_ELEMENT'],
    ['BOOL', { kind: 'packed', bytes: Uint8Array.of(2) } as const, 'INVALID_ELEMENT'],
  ] as const)('is an error for a wrong %s', (datatype, source, code) => {
    const inputs = [inputOf(datatype, [1, 1], source)];
    const request = { rows: 1, bytes: 0, inputs, outputIndexes: undefined };
    expect(new ResponseCacheKeys().read(generation, request)).toMatchObject({ ok: false, code });
  });
});

/** Read as the dispatcher reads them. */
function elementsOf({ inputs }: AdmittedRequest): Tensors {
  const [bools, numbers, texts] = inputs;
  if (bools === undefined || numbers === undefined || texts === undefined) throw new Error('three inputs');
  const arena = new SharedArrayBuffer(8192);
  const slabs = { byteOffset: (_place: unknown, index: number) => index * 4096 };
  const filled = fillRows({
    arena,
    slabs: slabs as never,
    place: undefined as never,
    inputs: [bools, numbers],
  });
  expect(filled).toBeUndefined();
  const read = readStrings(texts);
  if (!read.ok) throw new Error(read.message);
  const count = ({ shape }: InputTensor): number => shape[1] ?? 0;
  return {
    bools: [...new Uint8Array(arena, 0, count(bools))].map((byte) => byte === 1),
    numbers: [...new Float64Array(arena, 4096, count(numbers))],
    texts: [...read.value],
  };
}
