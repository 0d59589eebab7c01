/**
 * One signing key in one file, outside the store and for the eyes of its owner alone. The file shows the name, the key
 * id and the public key in clear, so that keys can be told apart without a passphrase; the private key is plain PKCS#8,
 * or encrypted with AES-256-GCM under a scrypt of the passphrase, or not there at all: then the file names a command
 * that signs, behind which a key service, a token or an agent can stand.
 */
import {
  type KeyObject,
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  scrypt,
  sign,
} from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FieldReader } from '../manifest/field-reader.ts';
import { sha256Rule } from '../manifest/deployment.ts';
import { StoreError, systemCode } from '../store-error.ts';
import { keyIdOf } from '../trust/role-keys.ts';
import { type SigningCommand, commandSigner } from './command-signer.ts';
import { createExclusively } from './exclusive-file.ts';
import type { PassphraseSource, Signer } from './signer.ts';

export interface KeyHeader {
  readonly name: string;
  readonly keyId: string;
  readonly publicHex: string;
}

export interface KeyFile extends KeyHeader {
  readonly path: string;
  readonly secret: KeySecret;
}

export type KeySecret =
  | { readonly form: 'plain'; readonly pkcs8: Uint8Array }
  | { readonly form: 'encrypted'; readonly sealed: SealedKey }
  | { readonly form: 'command'; readonly command: SigningCommand };

/** Everything in lower-case hex. */
interface SealedKey {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: string;
  readonly nonce: string;
  readonly tag: string;
  readonly data: string;
}

export const keyFileEnding = '.key';
/** Half a second and 64 MB for each guess. OWASP, Password Storage: N = 2^16, r = 8, p = 2. */
const scryptCost: number = 2 ** 16;
const scryptBlockSize = 8;
const scryptParallelization = 2;
const scryptMemoryMax = 256 * 1024 * 1024;
/** Bits of a file mode that let anybody but the owner in. */
const othersMask = 0o077;
const fileBytesMax = 64 * 1024;
export const keyNameRule: { readonly lengthMax: number; readonly pattern: RegExp } = {
  lengthMax: 64,
  pattern: /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/,
};
const hex = { lengthMax: 8192, pattern: /^(?:[0-9a-f]{2})+$/ };

export function keyFile(keysFolder: string, name: string): string {
  return join(keysFolder, name + keyFileEnding);
}

/** Makes a new key in a file that must not be there yet. Throws STORE_EXISTS when it is. */
export async function makeKeyFile(
  path: string,
  passphrase: PassphraseSource | undefined,
): Promise<KeyHeader> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const header = headerOf(nameOf(path), publicHexOf(privateKey));
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const secret =
    passphrase === undefined
      ? { form: 'plain', pkcs8: pkcs8.toString('hex') }
      : { form: 'encrypted', ...(await seal(pkcs8, header, await passphrase(header.name))) };
  await putKeyFile(path, header, secret);
  return header;
}

/** A file that holds no key but says which command signs with it. */
export async function makeCommandKeyFile(
  path: string,
  key: { readonly publicHex: string; readonly command: SigningCommand },
): Promise<KeyHeader> {
  const header = headerOf(nameOf(path), key.publicHex);
  const { argv, timeoutMs } = key.command;
  const secret = { form: 'command', argv, timeout_ms: timeoutMs };
  parse(path, Buffer.from(spelled(header, secret)));
  await putKeyFile(path, header, secret);
  return header;
}

/** Undefined when there is no such file. Throws KEY_UNSAFE when others can read it or it is no key. */
export async function readKeyFile(path: string): Promise<KeyFile | undefined> {
  const bytes = await readOwnFile(path);
  return bytes === undefined ? undefined : parse(path, bytes);
}

/** Throws KEY_LOCKED when the passphrase is missing or wrong, KEY_UNSAFE when the file holds another key than it shows. */
export async function openKey(file: KeyFile, passphrase: PassphraseSource | undefined): Promise<Signer> {
  const { keyId, publicHex, path, secret } = file;
  if (secret.form === 'command') return commandSigner({ keyId, publicHex, path }, secret.command);
  const pkcs8 = secret.form === 'plain' ? secret.pkcs8 : await unseal(file, secret.sealed, passphrase);
  const key = privateKeyOf(pkcs8);
  if (key === undefined || publicHexOf(key) !== publicHex) {
    throw new StoreError('KEY_UNSAFE', `${path} does not hold the key it shows. Restore it from a copy.`);
  }
  return { keyId, publicHex, sign: (bytes) => Promise.resolve(sign(null, bytes, key).toString('hex')) };
}

function parse(path: string, bytes: Uint8Array): KeyFile {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // Whatever the parser says could quote the key.
  }
  const reader = new FieldReader(json, path);
  reader.oneOf('kind', ['tidegate-key']);
  reader.integer('schema', { min: 1, max: 1 });
  const keyId = reader.text('key_id', sha256Rule);
  const publicHex = reader.text('public', sha256Rule);
  const secret = readSecret(reader.record('private'));
  if (keyIdOf(publicHex) !== keyId) reader.reject('has an id that is not its digest');
  // The name is that of the file, so a copy under another name is called what it is called.
  const parsed = reader.finish({ path, name: nameOf(path), keyId, publicHex, secret });
  if (parsed.ok) return parsed.value;
  throw new StoreError('KEY_UNSAFE', `${path} is not a key file of tidegate.`);
}

function readSecret(reader: FieldReader): KeySecret {
  const form = reader.oneOf('form', ['plain', 'encrypted', 'command']);
  switch (form) {
    case 'plain':
      return { form, pkcs8: Buffer.from(reader.text('pkcs8', hex), 'hex') };
    case 'encrypted':
      return {
        form,
        sealed: {
          cost: reader.integer('scrypt_n', { min: 2 ** 14, max: 2 ** 20 }),
          blockSize: reader.integer('scrypt_r', { min: 1, max: 16 }),
          parallelization: reader.integer('scrypt_p', { min: 1, max: 16 }),
          salt: reader.text('salt', hex),
          nonce: reader.text('nonce', hex),
          tag: reader.text('tag', { lengthMax: 32, pattern: /^[0-9a-f]{32}$/ }),
          data: reader.text('data', hex),
        },
      };
    case 'command': {
      const argv = reader.texts('argv', { lengthMax: 4096, countMax: 64 });
      if (argv.length === 0 || argv[0] === '') reader.reject('names no command');
      return {
        form,
        command: { argv, timeoutMs: reader.integer('timeout_ms', { min: 1, max: 3_600_000 }) },
      };
    }
  }
}

async function seal(
  pkcs8: Uint8Array,
  header: KeyHeader,
  passphrase: string,
): Promise<Readonly<Record<string, unknown>>> {
  if (passphrase === '') {
    throw new StoreError(
      'KEY_LOCKED',
      `The passphrase for the key ${header.name} is empty. Give one, or none at all.`,
    );
  }
  const sealing = { cost: scryptCost, blockSize: scryptBlockSize, parallelization: scryptParallelization };
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, sealing), nonce);
  cipher.setAAD(boundTo(header));
  const data = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
  return {
    scrypt_n: scryptCost,
    scrypt_r: scryptBlockSize,
    scrypt_p: scryptParallelization,
    salt: salt.toString('hex'),
    nonce: nonce.toString('hex'),
    tag: cipher.getAuthTag().toString('hex'),
    data: data.toString('hex'),
  };
}

async function unseal(
  file: KeyFile,
  sealed: SealedKey,
  passphrase: PassphraseSource | undefined,
): Promise<Uint8Array> {
  if (passphrase === undefined) {
    throw new StoreError('KEY_LOCKED', `The key ${file.path} is encrypted. Give its passphrase.`);
  }
  const salt = Buffer.from(sealed.salt, 'hex');
  const key = await derive(await passphrase(file.name), salt, sealed);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'hex'));
    decipher.setAAD(boundTo(file));
    decipher.setAuthTag(Buffer.from(sealed.tag, 'hex'));
    return Buffer.concat([decipher.update(Buffer.from(sealed.data, 'hex')), decipher.final()]);
  } catch {
    throw new StoreError('KEY_LOCKED', `The passphrase of ${file.path} is wrong, or the file is damaged.`);
  }
}

function derive(
  passphrase: string,
  salt: Uint8Array,
  { cost, blockSize, parallelization }: Pick<SealedKey, 'cost' | 'blockSize' | 'parallelization'>,
): Promise<Buffer> {
  const options = { N: cost, r: blockSize, p: parallelization, maxmem: scryptMemoryMax };
  return new Promise((resolve, reject) => {
    // One spelling of what people type, whatever keyboard composed it.
    scrypt(passphrase.normalize('NFC'), salt, 32, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** What is shown in clear is authenticated too. The name is not, so a key file may be renamed. */
function boundTo({ keyId, publicHex }: KeyHeader): Buffer {
  return Buffer.from(`tidegate-key 1 ${keyId} ${publicHex}`);
}

async function putKeyFile(
  path: string,
  header: KeyHeader,
  secret: Readonly<Record<string, unknown>>,
): Promise<void> {
  try {
    await createExclusively(path, Buffer.from(spelled(header, secret)), { mode: 0o600 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw new StoreError('STORE_EXISTS', `There is a key at ${path} already; it was not touched.`);
  }
}

function spelled(header: KeyHeader, secret: Readonly<Record<string, unknown>>): string {
  const { name, keyId, publicHex } = header;
  const file = { kind: 'tidegate-key', schema: 1, name, key_id: keyId, public: publicHex, private: secret };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

async function readOwnFile(path: string): Promise<Uint8Array | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { mode, size } = await file.stat();
      if (process.platform !== 'win32' && (mode & othersMask) !== 0) {
        throw new StoreError('KEY_UNSAFE', `${path} can be read by others. Run: chmod 600 ${path}`);
      }
      if (size > fileBytesMax) throw new StoreError('KEY_UNSAFE', `${path} is not a key file of tidegate.`);
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

function headerOf(name: string, publicHex: string): KeyHeader {
  return { name, keyId: keyIdOf(publicHex), publicHex };
}

function nameOf(path: string): string {
  return basename(path, keyFileEnding);
}

function privateKeyOf(pkcs8: Uint8Array): KeyObject | undefined {
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

function publicHexOf(privateKey: KeyObject): string {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('hex');
}
