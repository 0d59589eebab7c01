/** Where the key of a request is found, and what is no key. */
import { describe, expect, test } from 'vitest';
import { findKey, type KeySource, parseKeySource, sourceText } from '../../../gateway/route/routing-key.ts';

const sources: readonly KeySource[] = [
  { kind: 'header', name: 'x-user-id' },
  { kind: 'cookie', name: 'uid' },
  { kind: 'query', name: 'user' },
];

function find(
  headers: Readonly<Record<string, string>>,
  query = '',
  from: readonly KeySource[] = sources,
): string | undefined {
  return findKey(from, {
    header: (name) => headers[name] ?? '',
    query: (name) => (name === 'user' ? query : ''),
    address: () => '192.0.2.7',
  });
}

describe('findKey', () => {
  test('takes the first source that has a key', () => {
    expect(find({ 'x-user-id': 'ada', cookie: 'uid=bob' }, 'cy')).toBe('ada');
    expect(find({ cookie: 'uid=bob' }, 'cy')).toBe('bob');
    expect(find({}, 'cy')).toBe('cy');
  });

  test('takes the address of the client where the operator said so, and nothing better came', () => {
    const all: readonly KeySource[] = [...sources, { kind: 'address' }];
    expect(find({}, 'cy', all)).toBe('cy');
    expect(find({ 'x-user-id': '' }, '', all)).toBe('192.0.2.7');
  });

  test('an empty value is no key', () => {
    expect(find({ 'x-user-id': '', cookie: 'uid=' })).toBeUndefined();
    expect(find({ cookie: 'uid=""' })).toBeUndefined();
  });

  test.each([
    ['a=1; uid=bob; b=2', 'bob'],
    ['uid="bob"', 'bob'],
    ['uid=a=b', 'a=b'],
    ['xuid=eve; uid=bob', 'bob'],
    ['uid', undefined],
    ['UID=eve', undefined],
  ])('reads the cookie header %j', (cookie, key) => {
    expect(find({ cookie })).toBe(key);
  });
});

describe('parseKeySource', () => {
  test.each([
    ['header:X-User-Id', { kind: 'header', name: 'x-user-id' }],
    ['cookie:uid', { kind: 'cookie', name: 'uid' }],
    ['query:user', { kind: 'query', name: 'user' }],
    ['address', { kind: 'address' }],
    ['address:', undefined],
    ['header:', undefined],
    ['body:/user', undefined],
    ['x-user-id', undefined],
    ['header:a b', undefined],
  ])('reads %j', (text, source) => {
    expect(parseKeySource(text)).toEqual(source);
  });

  test.each(['header:x-user-id', 'cookie:uid', 'query:user', 'address'])(
    '%s is written as it was read',
    (text) => {
      const source = parseKeySource(text);
      expect(source === undefined ? undefined : sourceText(source)).toBe(text);
    },
  );
});
