/** Each kind of tensor source reaches its reader, with the same answer for the same values. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfToNumber } from '../../../runtime/tensor/half-float.ts';
import type { InputTensor, TensorSource } from '../../../gateway/wire/infer-request.ts';
import { readStrings, writeElements } from '../../../gateway/wire/tensor-elements.ts';
import { anyTensor, bytesOf, emptyTarget, nested, type ArbitraryTensor } from './arbitrary-tensor.ts';

const encoder = new TextEncoder();

function jsonSource(values: readonly unknown[]): TensorSource {
  // Whole numbers beyond 2^53 have no place in JSON.stringify, so their digits are put in afterwards.
  const json = JSON.stringify(values, (_, value: unknown) =>
    typeof value === 'bigint' ? `#${value}#` : value,
  );
  const text = encoder.encode(`{"data":${json.replaceAll(/"#(-?\d+)#"/g, '$1')}}`);
  return { kind: 'json', text, start: 8, end: text.length - 1 };
}

/** The same tensor in all three forms, flat and nested; finite only, since JSON has no other numbers. */
function forms(tensor: ArbitraryTensor, values: readonly unknown[]): InputTensor[] {
  const { name, datatype, shape } = tensor;
  const sources: TensorSource[] = [
    { kind: 'values', values },
    { kind: 'values', values: nested(values, shape) },
    jsonSource(values),
    jsonSource(nested(values, shape)),
  ];
  if (datatype !== 'BYTES') sources.push({ kind: 'packed', bytes: tensor.packed });
  return sources.map((source) => ({ name, datatype, shape, source }));
}

describe('tensor elements', () => {
  it('are the same numbers whichever way a tensor was sent', () => {
    fc.assert(
      fc.property(anyTensor, (tensor) => {
        const { datatype, shape, packed } = tensor;
        fc.pre(datatype !== 'BYTES');
        const elements = emptyTarget(datatype, shape);
        new Uint8Array(elements.buffer).set(packed);
        const sent = [...elements].map((value) =>
          datatype === 'FP16' ? halfToNumber(Number(value)) : value,
        );
        fc.pre(
          sent.every(
            (value) => typeof value === 'bigint' || (Number.isFinite(value) && !Object.is(value, -0)),
          ),
        );
        for (const input of forms(tensor, sent)) {
          const target = emptyTarget(datatype, shape);
          expect(writeElements(input, target)).toBeUndefined();
          expect(bytesOf(target)).toEqual([...packed]);
        }
      }),
    );
  });

  it('are the same strings whichever way a tensor was sent', () => {
    fc.assert(
      fc.property(anyTensor, (tensor) => {
        fc.pre(tensor.datatype === 'BYTES');
        for (const input of forms(tensor, tensor.strings)) {
          expect(readStrings(input)).toEqual({ ok: true, value: tensor.strings });
        }
      }),
    );
  });

  const wrong: readonly [string, InputTensor['datatype'], unknown][] = [
    ['an integer out of range', 'INT8', 128],
    ['a fraction for an integer', 'INT32', 0.5],
    ['a number that is too large for FP32', 'FP32', 1e39],
    ['a number that is too large for FP16', 'FP16', 65520],
    ['text for a number', 'FP64', 'one'],
    ['2 for BOOL', 'BOOL', 2],
  ];
  it.each(wrong)('refuse %s with one code, whichever way it was sent', (_, datatype, value) => {
    for (const source of [{ kind: 'values', values: [value] } as const, jsonSource([value])]) {
      const input = { name: 'x', datatype, shape: [1], source };
      expect(writeElements(input, emptyTarget(datatype, [1]))?.code).toBe('INVALID_ELEMENT');
    }
  });

  it.each([
    ['a NUL', 'a\0b'],
    ['a lone high surrogate', 'a\ud800'],
    ['a lone low surrogate', '\udc00a'],
  ])('are no strings with %s, which the runtime would not give back', (_, text) => {
    const tensor = { name: 'x', datatype: 'BYTES', shape: [2] } as const;
    const sources: TensorSource[] = [{ kind: 'values', values: ['good', text] }, jsonSource(['good', text])];
    const utf8 = encoder.encode(text);
    // UTF-8 has no lone surrogates, so packed strings cannot hold any.
    if (text.isWellFormed()) {
      const bytes = Uint8Array.of(0, 0, 0, 0, utf8.length, 0, 0, 0, ...utf8);
      sources.push({ kind: 'packed', bytes }, { kind: 'values', values: ['good', utf8] });
    }
    for (const source of sources) {
      expect(readStrings({ ...tensor, source })).toMatchObject({ ok: false, code: 'INVALID_ELEMENT' });
    }
  });
});
