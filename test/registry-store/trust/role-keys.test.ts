/** Who signed, and whether that is enough. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { splitEnvelope } from '../../../registry-store/trust/envelope.ts';
import {
  type RoleKeys,
  checkSignatures,
  checkThreshold,
  keyIdOf,
} from '../../../registry-store/trust/role-keys.ts';

const people = Array.from({ length: 4 }, () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const publicHex = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex');
  return { privateKey, publicKey, keyId: keyIdOf(publicHex) };
});

type Person = (typeof people)[number];

function role(threshold: number, members: readonly Person[]): RoleKeys {
  return {
    role: 'root',
    threshold,
    keys: new Map(members.map(({ keyId, publicKey }) => [keyId, publicKey])),
  };
}

function signedBy(
  signers: readonly Person[],
  content = '{"version":1}',
  signedContent = content,
): Uint8Array {
  const signatures = signers
    .map(({ keyId, privateKey }) => ({
      keyid: keyId,
      sig: sign(null, Buffer.from(signedContent), privateKey).toString('hex'),
    }))
    .sort((left, right) => (left.keyid < right.keyid ? -1 : 1));
  return Buffer.from(`{"signatures":${JSON.stringify(signatures)},"signed":${content}}`);
}

function check(bytes: Uint8Array, ...roles: readonly RoleKeys[]): boolean {
  const envelope = splitEnvelope(bytes, 'file');
  return envelope.ok && checkSignatures(envelope.value, ...roles).ok;
}

const [ada, bea, cleo, stranger] = people as [Person, Person, Person, Person];

describe('two of three', () => {
  const twoOfThree = role(2, [ada, bea, cleo]);
  test.each([
    ['one', [ada], false],
    ['two', [ada, cleo], true],
    ['all', [ada, bea, cleo], true],
    ['one and a stranger', [ada, stranger], false],
    ['two and a stranger', [ada, bea, stranger], false],
  ])('%s signed', (_, signers, isEnough) => {
    expect(check(signedBy(signers), twoOfThree)).toBe(isEnough);
  });

  test('a bad signature beside two good ones is one too many', () => {
    const good = Buffer.from(signedBy([ada, bea, cleo])).toString();
    const other = Buffer.from(signedBy([ada, bea, cleo], '{"version":1}', '{"version":2}')).toString();
    const [mine, theirs] = [good, other].map(
      (text) => new RegExp(`${cleo.keyId}","sig":"(\\w+)`).exec(text)?.[1] ?? '',
    );
    expect(check(Buffer.from(good), twoOfThree)).toBe(true);
    expect(check(Buffer.from(good.replace(mine ?? '', theirs ?? '')), twoOfThree)).toBe(false);
  });
});

test('a new root needs the old one’s consent and its own signature', () => {
  const [old, next] = [role(1, [ada]), role(1, [bea])];
  expect(check(signedBy([ada, bea]), old, next)).toBe(true);
  expect(check(signedBy([ada]), old, next)).toBe(false);
  expect(check(signedBy([bea]), old, next)).toBe(false);
  expect(check(signedBy([ada, bea, cleo]), old, next)).toBe(false);
  const envelope = splitEnvelope(signedBy([ada, bea]), 'file');
  expect(envelope.ok && checkThreshold(envelope.value, old).ok).toBe(true);
});

describe('an envelope is refused', () => {
  const good = Buffer.from(signedBy([ada, bea])).toString();
  const [first, second] = [...good.matchAll(/\{"keyid".*?\}/g)].map(([entry]) => entry);
  test.each([
    ['without signatures', '{"signatures":[],"signed":{}}'],
    ['with its parts the other way round', `{"signed":{},"signatures":[${first ?? ''}]}`],
    [
      'with signatures out of order',
      good.replace(`${first ?? ''},${second ?? ''}`, `${second ?? ''},${first ?? ''}`),
    ],
    ['with one signature twice', good.replace(`,${second ?? ''}`, `,${first ?? ''}`)],
    ['with a field more', good.replace('"signed"', '"extra":1,"signed"')],
    [
      'with capital letters',
      good.replace(/"sig":"[0-9a-f]+"/, (text) => text.toUpperCase().replace('SIG', 'sig')),
    ],
    ['when it is empty', ''],
    ['when its end is missing', good.slice(0, 100)],
  ])('%s', (_, text) => {
    expect(splitEnvelope(Buffer.from(text), 'file')).toMatchObject({ ok: false, check: 'canonical-bytes' });
  });

  test('with more signatures than anybody needs', () => {
    const entry = (index: number): string =>
      `{"keyid":"${index.toString(16).padStart(64, '0')}","sig":"${'0'.repeat(128)}"}`;
    const text = `{"signatures":[${Array.from({ length: 33 }, (_, index) => entry(index)).join(',')}],"signed":{}}`;
    expect(splitEnvelope(Buffer.from(text), 'file').ok).toBe(false);
  });
});
