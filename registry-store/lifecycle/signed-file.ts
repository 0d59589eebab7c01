/**
 * Makes the bytes of a metadata file: signed by as many as its role asks for, and spelled in the one canonical form
 * that readers accept. It decides nothing about versions.
 */
import { verify } from 'node:crypto';
import { canonicalJson } from '../trust/canonical-json.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import type { RoleKeys } from '../trust/role-keys.ts';
import { StoreError, accept } from '../store-error.ts';
import { publicKeyOf } from './public-key.ts';
import type { Signer, SignerProvider } from './signer.ts';

/** The signed part of a metadata file as JSON. */
export type SignedJson = Readonly<Record<string, unknown>>;

/**
 * Whether TUF allows the content is not asked here: the whole next state is verified before it is written, by the
 * reference implementation too. Throws KEY_UNSAFE when a signer answers with something else than its signature.
 */
export async function signFile(signed: SignedJson, signers: readonly Signer[]): Promise<Uint8Array> {
  const bytes = canonicalJson(signed);
  if (bytes === undefined) throw new TypeError('This metadata has no canonical form.');
  const signatures: { readonly keyid: string; readonly sig: string }[] = [];
  // One after the other: behind a signer may stand a person with a token.
  for (const signer of signers) {
    const sig = await signer.sign(bytes);
    if (!isSignature(signer, sig, bytes)) {
      throw new StoreError(
        'KEY_UNSAFE',
        `What was signed with the key ${signer.keyId} does not verify with it. Check what stands behind that key.`,
      );
    }
    signatures.push({ keyid: signer.keyId, sig });
  }
  signatures.sort((left, right) => (left.keyid < right.keyid ? -1 : 1));
  const head = canonicalJson(signatures);
  if (head === undefined) throw new TypeError('These signatures have no canonical form.');
  return Buffer.concat([
    Buffer.from('{"signatures":'),
    head,
    Buffer.from(',"signed":'),
    bytes,
    Buffer.from('}'),
  ]);
}

/** Enough signers for a role. Throws KEY_MISSING when there is none, THRESHOLD_NOT_MET when there are too few. */
export async function requireSigners(provider: SignerProvider, keys: RoleKeys): Promise<readonly Signer[]> {
  const { role, threshold } = keys;
  const all = await provider.signersFor(keys);
  const stranger = all.find(({ keyId }) => !keys.keys.has(keyId));
  if (stranger !== undefined) {
    throw new StoreError(
      'KEY_UNSAFE',
      `The key ${stranger.keyId} is not one that this store trusts for ${role}.`,
    );
  }
  const signers = [...new Map(all.map((signer) => [signer.keyId, signer])).values()].slice(0, threshold);
  if (signers.length >= threshold) return signers;
  if (signers.length === 0) {
    throw new StoreError(
      'KEY_MISSING',
      `No key of the role ${role} is here. Name the folder that holds it with --keys.`,
    );
  }
  throw new StoreError(
    'THRESHOLD_NOT_MET',
    `The role ${role} needs ${threshold} signatures and only ${signers.length} of its keys are here. Name the folders of the others with --keys too.`,
  );
}

/** The signed part of a file that was verified before. */
export function signedJsonOf(bytes: Uint8Array, path: string): SignedJson {
  const { signedBytes } = accept(splitEnvelope(bytes, path));
  return JSON.parse(Buffer.from(signedBytes).toString('utf8')) as SignedJson;
}

function isSignature(signer: Signer, sig: string, bytes: Uint8Array): boolean {
  const key = publicKeyOf(signer.publicHex);
  return /^[0-9a-f]{128}$/.test(sig) && verify(null, bytes, key, Buffer.from(sig, 'hex'));
}
