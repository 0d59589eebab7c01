/**
 * The file of tokens: readable by its owner alone, replaced as a whole, and read again when it was changed. A file that
 * cannot be used lets nobody in.
 */
import { constants } from 'node:fs';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StoreError } from '../../registry-store/main.ts';
import { systemCode } from '../../registry-store/store-error.ts';
import { writeDurably } from '../../registry-store/storage/durable-file.ts';
import { FieldReader } from '../../registry-store/manifest/field-reader.ts';
import { type TokenEntry, scopes, tokenNameRule } from './control-tokens.ts';

/** Bits of a file mode that let anybody but the owner in. */
const othersMask = 0o077;
const fileBytesMax = 1024 * 1024;
const tokensMax = 1000;
const schema = 1;
const time = { lengthMax: 24, pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ };

/** Codes: FILE_UNREADABLE, KEY_UNSAFE when others can read it, INVALID_ARGUMENT when it is no token file. */
export async function readTokenFile(path: string): Promise<readonly TokenEntry[]> {
  return parseTokens(path, await readOwnFile(path));
}

/** Adds or removes tokens; two commands at once do not lose each other's. `change` gets none for a file that is not there. */
export async function changeTokenFile(
  path: string,
  change: (entries: readonly TokenEntry[]) => readonly TokenEntry[],
): Promise<void> {
  const lock = `${path}.lock`;
  await takeLock(lock);
  try {
    const isThere = await stat(path).then(
      () => true,
      (error: unknown) => systemCode(error) !== 'ENOENT',
    );
    const entries = change(isThere ? await readTokenFile(path) : []);
    const file = { kind: 'tidegate-tokens', schema, tokens: entries };
    await writeDurably(path, Buffer.from(`${JSON.stringify(file, undefined, 2)}\n`), { mode: 0o600 });
  } finally {
    await rm(lock, { force: true });
  }
}

/** The tokens of a file as they are now. */
export class TokenFile {
  readonly #path: string;
  #known: { readonly stamp: string; readonly entries: readonly TokenEntry[] } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads the file when it is another than before. Rejects as `readTokenFile` does. */
  async entries(): Promise<readonly TokenEntry[]> {
    const stamp = await stampOf(this.#path);
    if (this.#known?.stamp === stamp) return this.#known.entries;
    this.#known = undefined;
    const entries = await readTokenFile(this.#path);
    // Changed while it was read: the next request reads it once more.
    this.#known = { stamp, entries };
    return entries;
  }
}

/** The mode is part of it: a file that others may read from now on is not used any more. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mode, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [ino, size, mode, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    throw unreadable(path, error);
  }
}

function parseTokens(path: string, text: string): readonly TokenEntry[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Whatever the parser says could quote the file.
  }
  const reader = new FieldReader(json, path);
  reader.oneOf('kind', ['tidegate-tokens']);
  reader.integer('schema', { min: schema, max: schema });
  const entries = reader
    .list('tokens', tokensMax)
    .map((value, index) => readEntry(reader.nest(value, `token ${index + 1} of ${path}`)));
  if (new Set(entries.map(({ name }) => name)).size < entries.length) reader.reject('has a name twice');
  const parsed = reader.finish(entries);
  if (parsed.ok) return parsed.value;
  throw new StoreError('INVALID_ARGUMENT', `This is not a token file that can be used: ${parsed.message}.`);
}

function readEntry(reader: FieldReader): TokenEntry {
  const named = reader.texts('scopes', { lengthMax: 20, countMax: scopes.length });
  const granted = scopes.filter((scope) => named.includes(scope));
  if (granted.length !== named.length) reader.reject(`has a scope that is none of ${scopes.join(', ')}`);
  return {
    name: reader.text('name', { lengthMax: 64, pattern: tokenNameRule }),
    sha256: reader.text('sha256', { lengthMax: 64, pattern: /^[0-9a-f]{64}$/ }),
    scopes: granted,
    createdAt: reader.text('createdAt', time),
    ...(reader.has('expiresAt') && { expiresAt: reader.text('expiresAt', time) }),
  };
}

async function readOwnFile(path: string): Promise<string> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (process.platform !== 'win32' && (facts.mode & othersMask) !== 0) {
        throw new StoreError('KEY_UNSAFE', `${path} can be read by others. Run: chmod 600 ${path}`);
      }
      if (!facts.isFile() || facts.size > fileBytesMax) {
        throw new StoreError('INVALID_ARGUMENT', `${path} is not a token file.`);
      }
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof StoreError ? error : unreadable(path, error);
  }
}

async function takeLock(lock: string): Promise<void> {
  try {
    await mkdir(dirname(lock), { recursive: true });
    await (await open(lock, 'wx', 0o600)).close();
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw unreadable(lock, error);
    throw new StoreError(
      'STORE_LOCKED',
      `Another command is changing these tokens. If none is, remove ${lock} and try again.`,
    );
  }
}

function unreadable(path: string, error: unknown): StoreError {
  const reason = systemCode(error) ?? 'unknown reason';
  const advice = reason === 'ENOENT' ? ' Make it with: tidegate token create <name> --scope <scope>' : '';
  return new StoreError('FILE_UNREADABLE', `${path} cannot be read or written (${reason}).${advice}`, {
    cause: error,
  });
}
