/**
 * The signing keys of a publisher: one Ed25519 key per role, one file each, outside the store and readable by its owner
 * alone. A key is used only for a role that the verified store gives it; a serving node needs none of them.
 */
import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError, systemCode } from '../store-error.ts';
import { writeFlushed } from '../storage/durable-file.ts';
import { type RoleKeys, keyIdOf } from '../trust/role-keys.ts';

export interface Signer {
  readonly keyId: string;
  readonly publicHex: string;
  /** Ed25519 over exactly these bytes, lower-case hex. */
  readonly sign: (bytes: Uint8Array) => string;
}

/** Bits of a file mode that let anybody but the owner in. */
const othersMask = 0o077;

export function keyFile(keysFolder: string, role: string): string {
  return join(keysFolder, `${role}.pem`);
}

/** The copy of the first root that init leaves beside the keys, to be carried to every node. */
export function pinnedRootFile(keysFolder: string): string {
  return join(keysFolder, 'root.json');
}

/** Makes a new key for each role in a folder that must not have them yet. */
export async function createKeys<const Role extends string>(
  keysFolder: string,
  roles: readonly Role[],
): Promise<ReadonlyMap<Role, Signer>> {
  await mkdir(keysFolder, { recursive: true, mode: 0o700 });
  const signers = new Map<Role, Signer>();
  for (const role of roles) {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFlushed(keyFile(keysFolder, role), Buffer.from(pem), 0o600);
    signers.set(role, signerOf(privateKey));
  }
  return signers;
}

/** The signer for a role, or undefined when its key is not here. Refuses a key that the store does not give the role. */
export async function findSigner(keysFolder: string, keys: RoleKeys): Promise<Signer | undefined> {
  const path = keyFile(keysFolder, keys.role);
  const pem = await readKeyFile(path);
  if (pem === undefined) return undefined;
  const signer = parseKey(path, pem);
  if (keys.keys.has(signer.keyId)) return signer;
  throw new StoreError(
    'KEY_UNSAFE',
    `${path} is not the key that this store trusts for ${keys.role}. Use the keys folder that belongs to the store.`,
  );
}

export async function requireSigner(keysFolder: string, keys: RoleKeys): Promise<Signer> {
  const signer = await findSigner(keysFolder, keys);
  if (signer !== undefined) return signer;
  throw new StoreError(
    'KEY_MISSING',
    `The key of the role ${keys.role} is not at ${keyFile(keysFolder, keys.role)}. Name its folder with --keys.`,
  );
}

async function readKeyFile(path: string): Promise<Buffer | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { mode } = await file.stat();
      if (process.platform !== 'win32' && (mode & othersMask) !== 0) {
        throw new StoreError('KEY_UNSAFE', `${path} can be read by others. Run: chmod 600 ${path}`);
      }
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    if (systemCode(error) === 'ENOENT') return undefined;
    const reason = systemCode(error) ?? 'unknown';
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${reason}).`, { cause: error });
  }
}

export function parseKey(path: string, pem: Buffer): Signer {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    // Whatever the parser says could quote the key.
  }
  if (key?.asymmetricKeyType === 'ed25519') return signerOf(key);
  throw new StoreError('KEY_UNSAFE', `${path} does not hold an Ed25519 key in PEM.`);
}

function signerOf(privateKey: KeyObject): Signer {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicHex = Buffer.from(x, 'base64url').toString('hex');
  return {
    keyId: keyIdOf(publicHex),
    publicHex,
    sign: (bytes) => sign(null, bytes, privateKey).toString('hex'),
  };
}
