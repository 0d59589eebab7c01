/** Ed25519 public keys as OpenSSL wants them. The same few are asked for with every file that is signed. */
import { type KeyObject, createPublicKey } from 'node:crypto';

const known = new Map<string, KeyObject>();
/** More keys than any store has; a process that meets more begins anew. */
const knownMax = 1000;

export function publicKeyOf(publicHex: string): KeyObject {
  const found = known.get(publicHex);
  if (found !== undefined) return found;
  const x = Buffer.from(publicHex, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  if (known.size >= knownMax) known.clear();
  known.set(publicHex, key);
  return key;
}
