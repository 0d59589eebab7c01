/** Who may choose a version by header. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { ForcePermission, type ForcePolicy } from '../../../gateway/socket/force-permission.ts';

const secret = '0123456789abcdef0123456789abcdef';
const token = { tokenSha256: createHash('sha256').update(secret).digest() };

test.each<[string, ForcePolicy, string, boolean]>([
  ['anybody', 'any', '', true],
  ['nobody', 'none', secret, false],
  ['who sends the secret', token, secret, true],
  ['not who sends another', token, secret.replace('0', '1'), false],
  ['not who sends the beginning', token, secret.slice(0, -1), false],
  ['not who sends more', token, `${secret}0`, false],
  ['not who sends none', token, '', false],
  ['not who sends the digest', token, token.tokenSha256.toString('hex'), false],
])('%s', (_, policy, sent, allowed) => {
  const getHeader = (name: unknown): string => (String(name) === 'x-force-token' ? sent : '');
  expect(new ForcePermission(policy).allows({ getHeader })).toBe(allowed);
});
