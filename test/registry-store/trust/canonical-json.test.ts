/** One content, one spelling: the laws of canonical JSON. */
import fc from 'fast-check';
import { Metadata, MetadataKind, Signature } from '@tufjs/models';
import { expect, test } from 'vitest';
import { canonicalJson, parseCanonicalJson } from '../../../registry-store/trust/canonical-json.ts';

const signable = fc
  .jsonValue({ noUnicodeString: false, maxDepth: 4 })
  .filter((value) => canonicalJson(value) !== undefined);

test('what is spelled is read back, and spelled the same again', () => {
  fc.assert(
    fc.property(signable, (value) => {
      const bytes = canonicalJson(value)!;
      const parsed = parseCanonicalJson(bytes, 'x');
      expect(parsed.ok).toBe(true);
      if (parsed.ok) expect(canonicalJson(parsed.value)).toEqual(bytes);
    }),
  );
});

test('a changed byte never reads as the same content', () => {
  const change = fc.tuple(signable, fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(change, ([value, at, mask]) => {
      const bytes = canonicalJson(value)!;
      const changed = Uint8Array.from(bytes);
      const position = at % bytes.length;
      changed[position] = (changed[position] ?? 0) ^ mask;
      const parsed = parseCanonicalJson(changed, 'x');
      if (parsed.ok) expect(canonicalJson(parsed.value)).not.toEqual(bytes);
    }),
  );
});

test.each([
  ['white space', '{"a": 1}'],
  ['a line end', '{"a":1}\n'],
  ['keys out of order', '{"b":1,"a":1}'],
  ['a key twice', '{"a":1,"a":1}'],
  ['an escape that is not needed', '"\\u0061"'],
  ['a fraction', '1.5'],
  ['a whole number with a fraction', '1.0'],
  ['an exponent', '1e3'],
  ['minus zero', '-0'],
  ['a number beyond exactness', '9007199254740993'],
  ['a byte order mark', '\ufeff{}'],
  ['half a character', '"\\ud800"'],
  ['no JSON', '{'],
  ['nothing', ''],
  ['depth', `${'['.repeat(40)}${']'.repeat(40)}`],
])('refuses %s', (_, text) => {
  expect(parseCanonicalJson(Buffer.from(text), 'x')).toMatchObject({ ok: false, check: 'canonical-bytes' });
});

test('refuses bytes that are not UTF-8', () => {
  expect(parseCanonicalJson(Uint8Array.of(0x22, 0xc3, 0x28, 0x22), 'x').ok).toBe(false);
});

test.each([[1.5], [NaN], [undefined], ['a\nb'], ['\u0000'], ['\ud800'], [{ a: undefined }], [() => 1]])(
  'has no spelling for %j',
  (value) => {
    expect(canonicalJson(value)).toBeUndefined();
  },
);

test('spells what TUF signs, byte for byte', () => {
  const signed = {
    _type: 'timestamp',
    spec_version: '1.0.31',
    version: 7,
    expires: '2030-01-01T00:00:00Z',
    meta: { 'snapshot.json': { version: 3, length: 9, hashes: { sha256: 'ff' } } },
    'x-"\\é🌷': [true, null, { b: -1, a: 'z' }],
  };
  const metadata = Metadata.fromJSON(MetadataKind.Timestamp, { signed, signatures: [] });
  let theirs = Buffer.alloc(0);
  metadata.sign((bytes) => {
    theirs = Buffer.from(bytes);
    return new Signature({ keyID: 'k', sig: 's' });
  });
  expect(Buffer.from(canonicalJson(signed)!)).toEqual(theirs);
});
