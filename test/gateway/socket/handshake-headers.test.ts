/** What is kept of a handshake for rules that come later, and what is not. */
import { expect, test } from 'vitest';
import { HandshakeHeaders } from '../../../gateway/socket/handshake-headers.ts';

function kept(headers: readonly (readonly [string, string])[]): HandshakeHeaders {
  return new HandshakeHeaders({
    forEach: (each) => {
      for (const [name, value] of headers) each(name, value);
    },
  });
}

test('says what was sent, and that something was not', () => {
  const headers = kept([
    ['x-tenant', 'beta-7'],
    ['x-tenant', 'other'],
    ['x-long', 'a'.repeat(5000)],
  ]);
  expect(headers.get('x-tenant')).toBe('beta-7');
  expect(headers.get('x-long')).toHaveLength(201);
  expect(headers.get('x-tier')).toBe('');
});

test('keeps no secrets', () => {
  const headers = kept([
    ['authorization', 'Bearer abc'],
    ['cookie', 'session=abc'],
  ]);
  expect([headers.get('authorization'), headers.get('cookie')]).toEqual(['', '']);
});

test('does not know of those beyond what it keeps', () => {
  const headers = kept(Array.from({ length: 65 }, (_, index) => [`x-${index}`, 'a'] as const));
  expect([headers.get('x-63'), headers.get('x-64'), headers.get('x-65')]).toEqual([
    'a',
    undefined,
    undefined,
  ]);
});
