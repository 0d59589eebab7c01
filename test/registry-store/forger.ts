/**
 * Signs what no publisher of ours would: a forger has all keys and no scruples. It writes a next state in which one role
 * says something else, with good signatures and pins all the way up, so that only the check in question can refuse it.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyFile, openKey, readKeyFile } from '../../registry-store/lifecycle/key-file.ts';
import { createKey } from '../../registry-store/lifecycle/key-folder.ts';
import {
  type StoreRole,
  pinOf,
  snapshotMeta,
  timestampMeta,
} from '../../registry-store/lifecycle/metadata-content.ts';
import { type SignedJson, signFile, signedJsonOf } from '../../registry-store/lifecycle/signed-file.ts';
import type { Signer } from '../../registry-store/lifecycle/signer.ts';
import { metadataFile } from '../../registry-store/trust/store-file.ts';
import type { TemporaryStore } from './temporary-store.ts';

type Content = Record<string, unknown>;

/** A change to the JSON of one role. */
export type Edit = (content: Content) => void;

export function put(path: readonly string[], value: unknown): Edit {
  return (content) => {
    const [table, key] = place(content, path);
    table[key] = value;
  };
}

export function copy(from: readonly string[], to: readonly string[]): Edit {
  return (content) => {
    const [table, key] = place(content, from);
    put(to, structuredClone(table[key]))(content);
  };
}

export function drop(path: readonly string[]): Edit {
  return (content) => {
    const [table, key] = place(content, path);
    Reflect.deleteProperty(table, key);
  };
}

export function all(...edits: readonly Edit[]): Edit {
  return (content) => {
    for (const edit of edits) edit(content);
  };
}

function place(content: Content, path: readonly string[]): [Content, string] {
  let table = content;
  for (const key of path.slice(0, -1)) table = table[key] as Content;
  return [table, path.at(-1) ?? ''];
}

export interface Forgery {
  /** Any role but root; `models-iris` for what a publisher of iris says. */
  readonly role: string;
  readonly edit?: Edit;
  /** The role whose key signs; default the one it should be. */
  readonly signedAs?: StoreRole;
  /** Changes the finished bytes, after signing. */
  readonly respell?: (text: string) => string;
}

export async function signerOf(store: TemporaryStore, role: StoreRole): Promise<Signer> {
  const file = await readKeyFile(keyFile(store.keysFolder, role));
  if (file === undefined) throw new Error(`there is no key for ${role}`);
  return openKey(file, undefined);
}

/** A signer that no store knows, and its key file, to be put wherever it should not be. */
export async function freshSigner(): Promise<{ readonly signer: Signer; readonly file: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-key-'));
  try {
    const { path } = await createKey({ keysFolder: folder, name: 'fresh' });
    const key = await readKeyFile(path);
    if (key === undefined) throw new Error('the fresh key is missing');
    return { signer: await openKey(key, undefined), file: await readFile(path) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The forged file as version `version + 1`, and snapshot and timestamp that vouch for it. */
export async function forge(store: TemporaryStore, forgery: Forgery): Promise<void> {
  const current = await contents(store);
  const change = async (role: string, content: SignedJson): Promise<Uint8Array> => {
    const forged = structuredClone(content) as Content;
    const isForged = role === forgery.role;
    if (isForged) forgery.edit?.(forged);
    const own = role.startsWith('models-') ? 'models' : (role as StoreRole);
    const signer = await signerOf(store, (isForged ? forgery.signedAs : undefined) ?? own);
    const bytes = await signFile(forged, [signer]);
    const text = Buffer.from(bytes).toString('utf8');
    const spelled = isForged ? Buffer.from(forgery.respell?.(text) ?? text) : bytes;
    await store.write(metadataFile(role, Number(content['version'])), spelled);
    return spelled;
  };
  const pins = new Map<string, ReturnType<typeof pinOf>>();
  for (const [role, { content, bytes }] of current) {
    if (['root', 'timestamp', 'snapshot'].includes(role)) continue;
    const version = Number(content['version']);
    const next = role === forgery.role ? await change(role, { ...content, version: version + 1 }) : bytes;
    pins.set(role, pinOf(role === forgery.role ? version + 1 : version, next));
  }
  const snapshot = current.get('snapshot')!.content;
  const snapshotVersion = Number(snapshot['version']) + 1;
  const snapshotBytes = await change('snapshot', {
    ...snapshot,
    version: snapshotVersion,
    meta: snapshotMeta(pins),
  });
  const timestamp = current.get('timestamp')!.content;
  const meta = timestampMeta(pinOf(snapshotVersion, snapshotBytes));
  await change('timestamp', { ...timestamp, version: Number(timestamp['version']) + 1, meta });
}

/** A next root, signed by the given keys. */
export async function forgeRoot(
  store: TemporaryStore,
  options: { readonly edit: Edit; readonly signers: readonly Signer[] },
): Promise<void> {
  const bytes = await readFile(store.path(metadataFile('root', 1)));
  const content = structuredClone(signedJsonOf(bytes, 'root')) as Content;
  content['version'] = 2;
  options.edit(content);
  await store.write(metadataFile('root', 2), await signFile(content, options.signers));
}

/** Current content and bytes of every role. */
async function contents(
  store: TemporaryStore,
): Promise<ReadonlyMap<string, { readonly content: SignedJson; readonly bytes: Uint8Array }>> {
  const found = new Map<string, { readonly content: SignedJson; readonly bytes: Uint8Array }>();
  for (const file of await store.files()) {
    const match = /^metadata\/(?:\d+\.)?([a-z][a-z0-9-]*)\.json$/.exec(file);
    if (match?.[1] === undefined) continue;
    const bytes = await readFile(store.path(file));
    const content = signedJsonOf(bytes, file);
    const known = found.get(match[1])?.content['version'];
    if (known === undefined || Number(known) < Number(content['version']))
      found.set(match[1], { content, bytes });
  }
  return found;
}
