/**
 * Which keys may sign for a role, and whether a file is signed by enough of them.
 * Every signature in a file must be good, not only as many as the threshold asks for: a bad one beside a good one
 * would be a byte that can be changed unseen.
 */
import { type KeyObject, createHash, createPublicKey, verify } from 'node:crypto';
import type { FieldReader } from '../manifest/field-reader.ts';
import { sha256Rule } from '../manifest/deployment-manifest.ts';
import { canonicalJson } from './canonical-json.ts';
import { type Checked, passed, refused } from './check.ts';
import type { Envelope, EnvelopeSignature } from './envelope.ts';

export interface RoleKeys {
  readonly role: string;
  readonly threshold: number;
  /** By key id. No two ids stand for one key. */
  readonly keys: ReadonlyMap<string, KeyObject>;
}

const keysMax = 64;
const hexKey = { lengthMax: 64, pattern: /^[0-9a-f]{64}$/ };

/** The `keys` table of root or of a delegation. Problems go to the reader. */
export function readKeyTable(table: FieldReader): ReadonlyMap<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  const seen = new Set<string>();
  for (const [keyId, value] of table.entries({ countMax: keysMax, key: sha256Rule })) {
    const key = table.nest(value, `key ${keyId}`);
    key.oneOf('keytype', ['ed25519']);
    key.oneOf('scheme', ['ed25519']);
    const publicHex = key.record('keyval').text('public', hexKey);
    if (key.problem !== undefined) continue;
    // An id that is not the digest of its key would let two ids share one key: one signer, two votes.
    const id = keyIdOf(publicHex);
    if (id !== keyId || seen.has(publicHex)) key.reject('has an id that is not its digest');
    seen.add(publicHex);
    keys.set(keyId, publicKeyOf(publicHex));
  }
  return keys;
}

/** `keyids` and `threshold` of one role, resolved against the key table. Problems go to the reader. */
export function readRoleKeys(
  role: string,
  reader: FieldReader,
  table: ReadonlyMap<string, KeyObject>,
): RoleKeys {
  const keyIds = reader.texts('keyids', { ...sha256Rule, countMax: keysMax });
  const keys = new Map<string, KeyObject>();
  for (const keyId of keyIds) {
    const key = table.get(keyId);
    if (key === undefined) reader.reject(`names the key ${keyId}, which is not in the table`);
    else keys.set(keyId, key);
  }
  const threshold = reader.integer('threshold', { min: 1, max: keysMax });
  if (keys.size !== keyIds.length) reader.reject('names a key twice');
  if (threshold > keys.size) reader.reject('asks for more signatures than it has keys');
  return { role, threshold, keys };
}

/** TUF key id: digest of the canonical form of the public key. */
export function keyIdOf(publicHex: string): string {
  const canonical = canonicalJson(publicKeyJson(publicHex)) ?? new Uint8Array();
  return createHash('sha256').update(canonical).digest('hex');
}

export function publicKeyJson(publicHex: string): {
  readonly keytype: 'ed25519';
  readonly scheme: 'ed25519';
  readonly keyval: { readonly public: string };
} {
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicHex } };
}

/** Wrong signer, changed bytes: enough keys of the role signed exactly these bytes. Other signatures are not looked at. */
export function checkThreshold(envelope: Envelope, role: RoleKeys): Checked<Envelope> {
  const { name, signatures, signedBytes } = envelope;
  const own = signatures.filter(({ keyId }) => role.keys.has(keyId));
  for (const { keyId, signature } of own) {
    const key = role.keys.get(keyId);
    if (key === undefined || !verify(null, signedBytes, key, signature)) {
      return refused('signature', `${name} does not match its signature.`);
    }
  }
  if (own.length >= role.threshold) return passed(envelope);
  return refused(
    'signature',
    `${name} has ${own.length} of ${role.threshold} signatures of the role ${role.role}.`,
  );
}

/**
 * The same for all roles that have to agree, and nobody else signed: a signature that nobody checks would be bytes that
 * anybody can change. More than one role only for a new root, which needs the old one's consent beside its own.
 */
export function checkSignatures(envelope: Envelope, ...roles: readonly RoleKeys[]): Checked<Envelope> {
  for (const role of roles) {
    const checked = checkThreshold(envelope, role);
    if (!checked.ok) return checked;
  }
  const isStranger = ({ keyId }: EnvelopeSignature): boolean => !roles.some(({ keys }) => keys.has(keyId));
  if (!envelope.signatures.some(isStranger)) return passed(envelope);
  return refused('signature', `${envelope.name} is also signed by a key that its role does not have.`);
}

function publicKeyOf(publicHex: string): KeyObject {
  const x = Buffer.from(publicHex, 'hex').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
