/** Keys in bodies: what is one, which counts, and that looking for them changes nothing about the request. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyKey, type BodyPath } from '../../../gateway/wire/body-key.ts';
import { decodeOipJson } from '../../../gateway/wire/oip-json.ts';
import { decodePredict } from '../../../gateway/wire/predict-json.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';

const signature: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
  outputs: [],
  batching: 'rows',
};
const features = [[1, 2]];
const inputs = [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }];
const userId: BodyPath = ['user', 'id'];

function inPredict(text: string, paths: readonly BodyPath[]): string | undefined {
  const key = new BodyKey(paths);
  const decoded = decodePredict(Buffer.from(text), signature, key);
  expect(decoded).toEqual(decodePredict(Buffer.from(text), signature));
  expect(decoded).toMatchObject({ ok: true });
  return key.key;
}

function inParameters(parameters: unknown, paths: readonly BodyPath[]): string | undefined {
  const key = new BodyKey(paths);
  const text = Buffer.from(JSON.stringify({ parameters, inputs }));
  expect(decodeOipJson(text, key)).toEqual(decodeOipJson(text));
  return key.key;
}

describe('a value', () => {
  test.each([
    ['"ada"', 'ada'],
    ['"\\u0061da"', 'ada'],
    ['"ключ-🔑"', 'ключ-🔑'],
    ['17', '17'],
    ['"17"', '17'],
    ['0', '0'],
    ['-5', '-5'],
    ['9007199254740993', '9007199254740993'],
    ['""', undefined],
    ['17.5', undefined],
    ['17.0', undefined],
    ['1e3', undefined],
    ['-0', undefined],
    ['true', undefined],
    ['null', undefined],
    ['["ada"]', undefined],
    ['{"name": "ada"}', undefined],
  ])('%s', (value, key) => {
    for (const text of [`{"features":[[1,2]],"u":${value}}`, `{"u": ${value} ,"features":[[1,2]]}`]) {
      expect(inPredict(text, [['u']])).toBe(key);
      expect(inPredict(text.replace('"u"', '"user":{"id"').replace(value, `${value}}`), [userId])).toBe(key);
    }
  });

  test.each([
    ['ada', 'ada'],
    [17, '17'],
    [17.5, undefined],
    [true, undefined],
    ['', undefined],
    [null, undefined],
  ])('among the parameters of the protocol: %j', (value, key) => {
    expect(inParameters({ other: 1, u: value }, [['u']])).toBe(key);
  });

  test('digits of the protocol are exact, too', () => {
    const key = new BodyKey([['u']]);
    const text = JSON.stringify({ inputs }).replace('{', '{"parameters":{"u":9007199254740993},');
    expect(decodeOipJson(Buffer.from(text), key)).toMatchObject({ ok: true });
    expect(key.key).toBe('9007199254740993');
  });
});

describe('of several', () => {
  test('the first path with a key counts, wherever it stands', () => {
    const text = JSON.stringify({ b: 'second', features, a: 'first' });
    expect(inPredict(text, [['a'], ['b']])).toBe('first');
    expect(inPredict(text, [['none'], ['b'], ['a']])).toBe('second');
  });

  test('a path may go on where another ends', () => {
    const paths: readonly BodyPath[] = [['user'], userId];
    expect(inPredict(JSON.stringify({ features, user: 'ada' }), paths)).toBe('ada');
    expect(inPredict(JSON.stringify({ features, user: { id: 'ada' } }), paths)).toBe('ada');
  });

  test('a field that is there twice is what it was first', () => {
    expect(inPredict('{"user":{"id":"ada"},"features":[[1,2]],"user":{"id":"bob"}}', [userId])).toBe('ada');
  });

  test('a path does not begin further inside, nor end further out', () => {
    expect(inPredict(JSON.stringify({ features, a: { user: { id: 'ada' } } }), [userId])).toBeUndefined();
    expect(inPredict(JSON.stringify({ features, id: 'ada', user: 7 }), [userId])).toBeUndefined();
    expect(inParameters({ id: 'ada' }, [userId])).toBeUndefined();
  });
});

test('looking for a key changes nothing about what is refused', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const body = fc.record(
    { user: value, other: value, features: fc.constant(features) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(body, fc.nat(), fc.nat(255), (given, where, byte) => {
      const bytes = Buffer.from(JSON.stringify(given));
      // Mostly broken, sometimes not.
      if (byte > 0) bytes[where % bytes.length] = byte;
      expect(decodePredict(bytes, signature, new BodyKey([userId, ['other']])).ok).toBe(
        decodePredict(bytes, signature).ok,
      );
    }),
    { numRuns: 500 },
  );
});
