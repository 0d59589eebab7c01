/** JSON that two readers could take differently is told from JSON that they cannot. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUnambiguousJson } from '../../../registry-store/trust/json-keys.ts';

const parse = (text: string): ReturnType<typeof parseUnambiguousJson> =>
  parseUnambiguousJson(Buffer.from(text), 'the file');

describe('a key that stands twice in one object', () => {
  test.each([
    ['plainly', '{"a":1,"a":2}'],
    ['with spaces before the colon', '{"a" :1, "a"\n:2}'],
    ['in another spelling', String.raw`{"a":1,"\u0061":2}`],
    ['far below', '[[{"x":{"a":1,"b":[{"a":1}],"a":3}}]]'],
    ['around a nested object', '{"a":{"b":1},"a":2}'],
    ['as the empty name', '{"":1,"":2}'],
    ['as a name with brackets and quotes', String.raw`{"{\"[":1,"{\"[":2}`],
    ['as __proto__', '{"__proto__":1,"__proto__":2}'],
  ])('is found %s', (_where, text) => {
    expect(parse(text)).toMatchObject({ ok: false, check: 'metadata-form' });
  });
});

test.each([
  ['in two objects', '{"a":{"a":1},"b":{"a":1}}'],
  ['in a list of objects', '[{"a":1},{"a":1}]'],
  ['as key and as value', '{"a":"a","b":["a","a"]}'],
  ['as values that look like keys', String.raw`{"a":"\"a\":","b":"{\"a\":1,\"a\":2}"}`],
])('the same name %s is no trouble', (_where, text) => {
  const parsed = parse(text);
  expect(parsed.ok && parsed.value).toEqual(JSON.parse(text));
});

test.each(['', '{', '{"a":1}x', "{'a':1}"])('%j is no JSON', (text) => {
  expect(parse(text)).toMatchObject({ ok: false, check: 'metadata-form' });
});

test('bytes that are not UTF-8 are no JSON', () => {
  const bytes = Uint8Array.from([0x22, 0xff, 0x22]);
  expect(parseUnambiguousJson(bytes, 'the file')).toMatchObject({ ok: false });
});

test('whatever JSON.stringify writes is read as it is, also with spaces', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      const parsed = parse(text);
      expect(parsed.ok && parsed.value).toEqual(JSON.parse(text));
    }),
  );
});

test('a second copy of any key of any object is found', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 });
  fc.assert(
    fc.property(object, fc.nat(), (value, pick) => {
      const keys = Object.keys(value);
      const key = JSON.stringify(keys[pick % keys.length]);
      const text = `${JSON.stringify(value).slice(0, -1)},${key}:null}`;
      expect(parse(`[${text}]`)).toMatchObject({ ok: false, check: 'metadata-form' });
    }),
  );
});
