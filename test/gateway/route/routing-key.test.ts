/** Where the key of a request is found, and what is no key. */
import { describe, expect, test } from 'vitest';
import {
  findKey,
  type HeadKeySource,
  parseKeySource,
  planKeys,
  sourceText,
} from '../../../gateway/route/routing-key.ts';

const sources: readonly HeadKeySource[] = [
  { kind: 'header', name: 'x-user-id' },
  { kind: 'cookie', name: 'uid' },
  { kind: 'query', name: 'user' },
];

function find(
  headers: Readonly<Record<string, string>>,
  query = '',
  from: readonly HeadKeySource[] = sources,
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
    const all: readonly HeadKeySource[] = [...sources, { kind: 'address' }];
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
    ['body:/user/id', { kind: 'body', pointer: '/user/id', path: ['user', 'id'] }],
    ['body:user', undefined],
    ['x-user-id', undefined],
    ['header:a b', undefined],
  ])('reads %j', (text, source) => {
    expect(parseKeySource(text)).toEqual(source);
  });

  test.each(['header:x-user-id', 'cookie:uid', 'query:user', 'address', 'body:/a~1b'])(
    '%s is written as it was read',
    (text) => {
      const source = parseKeySource(text);
      expect(source === undefined ? undefined : sourceText(source)).toBe(text);
    },
  );
});

describe('planKeys', () => {
  const plan = (...texts: readonly string[]): unknown =>
    planKeys(texts.map(parseKeySource).filter((source) => source !== undefined));
  const header = { kind: 'header', name: 'a' };

  test('leaves sources in the head as they are', () => {
    expect(plan('header:a', 'address')).toEqual({
      before: [header, { kind: 'address' }],
      inBody: [],
      after: [],
    });
  });

  test('cuts them at those in the body', () => {
    expect(plan('header:a', 'body:/b', 'body:/c/d', 'address')).toEqual({
      before: [header],
      inBody: [['b'], ['c', 'd']],
      after: [{ kind: 'address' }],
    });
    expect(plan('body:/b')).toEqual({ before: [], inBody: [['b']], after: [] });
  });

  test('knows no plan where those in the body stand apart', () => {
    expect(plan('body:/b', 'header:a', 'body:/c')).toBeUndefined();
  });
});
