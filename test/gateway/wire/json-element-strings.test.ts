/** Elements of BYTES tensors from JSON text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJsonStrings } from '../../../gateway/wire/json-elements.ts';
import { elementCount } from '../../../runtime/tensor/signature.ts';
import { shapes, waysToWrite } from './json-tensor-text.ts';

/** Stands around every span, so that reading outside it shows. */
const before = '9,[1';
const behind = '1],9]';

function codeOf(result: unknown): string {
  return typeof result === 'object' && result !== null && 'code' in result ? String(result.code) : 'no error';
}

/** Any text that the runtime can hold: well-formed, and without NUL. */
const elementText = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''));

describe('strings from JSON text', () => {
  function parseStrings(text: string, shape: readonly number[]): unknown {
    const span = Buffer.from(text);
    const whole = Buffer.concat([Buffer.from(before), span, Buffer.from(behind)]);
    const source = { text: whole, start: before.length, end: before.length + span.length };
    const result = readJsonStrings(source, { name: 'x', datatype: 'BYTES', shape });
    return result.ok ? result.value : result;
  }

  it('reads strings of any shape, with all their escapes', () => {
    const tensors = shapes.chain((shape) => {
      const count = elementCount(shape);
      const strings = fc.array(elementText, { minLength: count, maxLength: count });
      return fc.tuple(fc.constant(shape), strings);
    });
    fc.assert(
      fc.property(tensors, ([shape, values]) => {
        for (const text of waysToWrite(values, shape)) expect(parseStrings(text, shape)).toEqual(values);
      }),
    );
    expect(parseStrings('["\\ud83d\\ude00", "\\/\\b\\f\\n\\r\\t\\"\\\\"]', [2])).toEqual([
      '😀',
      '/\b\f\n\r\t"\\',
    ]);
  });

  it('refuses what is no string', () => {
    expect(parseStrings('["a", 1]', [2])).toMatchObject({
      code: 'INVALID_ELEMENT',
      message: 'Element 1 of input "x" is 1; BYTES takes strings without NUL and lone surrogates.',
    });
    expect(codeOf(parseStrings('["a", "\\u0000"]', [2]))).toBe('INVALID_ELEMENT');
    expect(codeOf(parseStrings('["a", "\\ud800"]', [2]))).toBe('INVALID_ELEMENT');
    expect(codeOf(parseStrings('["a"]', [2]))).toBe('ELEMENT_COUNT_MISMATCH');
    expect(codeOf(parseStrings('["a', [1]))).toBe('MALFORMED_JSON');
  });
});
