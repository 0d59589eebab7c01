/** Gives roles other keys: a new one for an old one, one more, one less. Signed by who speaks for the role. */
import { rm } from 'node:fs/promises';
import { StoreError } from '../store-error.ts';
import { keyIdOf } from '../trust/role-keys.ts';
import { type KeyPlan, applyKeyPlan, keySetsInForce } from './key-plan.ts';
import { keyFile } from './key-file.ts';
import { createKey, readKeyFolders } from './key-folder.ts';
import type { KeySet } from './metadata-content.ts';
import { type ChangeOptions, homeFolder } from './publisher-options.ts';
import type { PassphraseSource } from './signer.ts';
import { type StoreEditor, editStore } from './store-editor.ts';

export interface RotateKeyOptions extends ChangeOptions {
  readonly role: string;
  /** File name of the new key, without folder and ending. Default the role with the next free number. */
  readonly newKeyName?: string;
  /** The key to replace; needed when the role has several. */
  readonly keyId?: string;
  /** A key that exists already, in a service or in `keysFolders`; default a new one is made in the first keys folder. */
  readonly newPublicHex?: string;
  /**
   * Whether a key that is made is encrypted. `like-old`: when the file of the key it replaces is here and is. Default
   * the same, and when that file is not here or names a command, whenever there is a passphrase to encrypt it with.
   */
  readonly encrypt?: boolean | 'like-old';
  /** Gives the passphrase of a key that is made. Default `passphrase`. */
  readonly newPassphrase?: PassphraseSource;
}

export interface RevokeKeyOptions extends ChangeOptions {
  /** Taken from every role that has it. */
  readonly keyId: string;
}

export interface GrantKeyOptions extends ChangeOptions {
  readonly role: string;
  /** Ed25519, lower-case hex. Left out when only the threshold changes. */
  readonly publicKey?: string;
  /** Default as it is. */
  readonly threshold?: number;
}

export interface KeysResult {
  /** Revision of the store afterwards. */
  readonly revision: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Roles whose keys or threshold changed. */
  readonly roles: readonly string[];
  /** Where the new key is, when one was made. */
  readonly newKeyPath?: string;
  readonly changed: boolean;
}

/** Codes: INVALID_ARGUMENT, UNKNOWN_KEY, KEY_MISSING, THRESHOLD_NOT_MET, STORE_EXISTS when the key file is there. */
export async function rotateKey(options: RotateKeyOptions): Promise<KeysResult> {
  checkPublicKey(options.newPublicHex);
  return editStore(options, async (editor) => {
    const sets = keySetsInForce(editor.current);
    const before = keySetOf(sets, options.role);
    const oldKeyId = keyToReplace(before, options);
    const made = options.newPublicHex === undefined ? await makeKey(options, oldKeyId) : undefined;
    const publicHex = made?.publicHex ?? options.newPublicHex ?? '';
    const replace = (set: KeySet): KeySet => {
      const others = [...set.keys].filter(([keyId]) => keyId !== oldKeyId);
      return { threshold: set.threshold, keys: new Map([...others, [keyIdOf(publicHex), publicHex]]) };
    };
    const affected = rolesLike(sets, options.role, (set) => set.keys.has(oldKeyId));
    try {
      const result = await apply(
        editor,
        new Map(affected.map(([role, set]) => [role, replace(set)])),
        options,
      );
      return { ...result, ...(made !== undefined && { newKeyPath: made.path }) };
    } catch (error) {
      // A key that no role got is of no use to anybody; one that a role got before it failed is.
      if (made !== undefined && !isInUse(editor, made.keyId)) await rm(made.path, { force: true });
      throw error;
    }
  });
}

/** Codes: UNKNOWN_KEY, THRESHOLD_NOT_MET when a role would have too few keys left, KEY_MISSING. */
export function revokeKey(options: RevokeKeyOptions): Promise<KeysResult> {
  const { keyId } = options;
  return editStore(options, async (editor) => {
    const sets = keySetsInForce(editor.current);
    const affected = [...sets].filter(([, { keys }]) => keys.has(keyId));
    if (affected.length === 0) {
      throw new StoreError(
        'UNKNOWN_KEY',
        `No role of this store has the key ${keyId}. See them with: tidegate keys list`,
      );
    }
    const plan = affected.map(([role, { threshold, keys }]) => {
      const left = new Map([...keys].filter(([other]) => other !== keyId));
      if (left.size < threshold) {
        throw new StoreError(
          'THRESHOLD_NOT_MET',
          `Without this key ${role} would have ${left.size} of the ${threshold} keys it needs. Rotate the key, or grant another one first.`,
        );
      }
      return [role, { threshold, keys: left }] as const;
    });
    return apply(editor, new Map(plan), options);
  });
}

/** Codes: INVALID_ARGUMENT, UNKNOWN_KEY for a role there is not, KEY_MISSING, THRESHOLD_NOT_MET. */
export async function grantKey(options: GrantKeyOptions): Promise<KeysResult> {
  const { role, publicKey } = options;
  checkPublicKey(publicKey);
  return editStore(options, async (editor) => {
    const sets = keySetsInForce(editor.current);
    const before = keySetOf(sets, role);
    const added = publicKey === undefined ? [] : [[keyIdOf(publicKey), publicKey] as const];
    const keys = new Map([...before.keys, ...added]);
    const threshold = options.threshold ?? before.threshold;
    if (!Number.isInteger(threshold) || threshold < 1 || threshold > keys.size) {
      throw new StoreError(
        'INVALID_ARGUMENT',
        `${role} would have ${keys.size} keys, so its threshold is between 1 and ${keys.size}.`,
      );
    }
    // Roles of models that have just the keys of `models` go on having them.
    const affected = rolesLike(sets, role, (set) => isSameSet(set, before));
    return apply(editor, new Map(affected.map(([name]) => [name, { threshold, keys }])), options);
  });
}

async function apply(editor: StoreEditor, after: KeyPlan, options: ChangeOptions): Promise<KeysResult> {
  const before = keySetsInForce(editor.current);
  const plan = new Map([...after].filter(([role, set]) => !isSameSet(set, keySetOf(before, role))));
  await applyKeyPlan(editor, plan, options);
  const idsBefore = new Set([...plan.keys()].flatMap((role) => [...keySetOf(before, role).keys.keys()]));
  const idsAfter = new Set([...plan.values()].flatMap(({ keys }) => [...keys.keys()]));
  return {
    revision: editor.current.snapshot.revision,
    added: [...idsAfter].filter((keyId) => !idsBefore.has(keyId)),
    removed: [...idsBefore].filter((keyId) => !idsAfter.has(keyId)),
    roles: [...plan.keys()],
    changed: plan.size > 0,
  };
}

/** The role itself, and for `models` the roles of models that are meant along with it. */
function rolesLike(
  sets: ReadonlyMap<string, KeySet>,
  role: string,
  isMeant: (set: KeySet) => boolean,
): readonly (readonly [string, KeySet])[] {
  return [...sets].filter(
    ([name, set]) => name === role || (role === 'models' && name.startsWith('models-') && isMeant(set)),
  );
}

function keySetOf(sets: ReadonlyMap<string, KeySet>, role: string): KeySet {
  const found = sets.get(role);
  if (found !== undefined) return found;
  throw new StoreError(
    'INVALID_ARGUMENT',
    `The store has no role ${JSON.stringify(role)}. It has: ${[...sets.keys()].slice(0, 10).join(', ')}.`,
  );
}

function keyToReplace({ keys }: KeySet, { role, keyId }: RotateKeyOptions): string {
  const [only = ''] = keys.keys();
  if (keyId === undefined && keys.size === 1) return only;
  if (keyId !== undefined && keys.has(keyId)) return keyId;
  const [code, what] =
    keyId === undefined
      ? (['INVALID_ARGUMENT', 'has several keys; say which one to replace'] as const)
      : (['UNKNOWN_KEY', `has no key ${keyId}`] as const);
  throw new StoreError(code, `The role ${role} ${what}. It has: ${[...keys.keys()].join(', ')}.`);
}

async function makeKey(
  options: RotateKeyOptions,
  oldKeyId: string,
): Promise<{ readonly keyId: string; readonly publicHex: string; readonly path: string }> {
  const { files, unusable } = await readKeyFolders(options.keysFolders);
  const old = files.find(({ keyId }) => keyId === oldKeyId);
  // It may be one of these, and then it may be encrypted: the new one must not be less safe because nobody could look.
  if (old === undefined && unusable[0] !== undefined) throw unusable[0].error;
  const isLikeOld = old?.secret.form === 'encrypted';
  const isOldUnknown = old === undefined || old.secret.form === 'command';
  const encrypt = options.encrypt ?? (isLikeOld || isOldUnknown);
  const isEncrypted = encrypt === 'like-old' ? isLikeOld : encrypt;
  const keysFolder = homeFolder(options);
  const taken = new Set(files.map(({ path }) => path));
  let name = options.newKeyName ?? `${options.role}-2`;
  for (let number = 3; options.newKeyName === undefined && taken.has(keyFile(keysFolder, name)); number++) {
    name = `${options.role}-${number}`;
  }
  const passphrase = options.newPassphrase ?? options.passphrase;
  return createKey({ keysFolder, name, ...(isEncrypted && passphrase !== undefined && { passphrase }) });
}

function isInUse(editor: StoreEditor, keyId: string): boolean {
  return [...editor.current.metadata.roles.values()].some(({ keys }) => keys.keys.has(keyId));
}

function isSameSet(left: KeySet, right: KeySet): boolean {
  const isSameSize = left.keys.size === right.keys.size && left.threshold === right.threshold;
  return isSameSize && [...left.keys.keys()].every((keyId) => right.keys.has(keyId));
}

function checkPublicKey(publicHex: string | undefined): void {
  if (publicHex === undefined || /^[0-9a-f]{64}$/.test(publicHex)) return;
  throw new StoreError('INVALID_ARGUMENT', 'A public key is 32 bytes in lower-case hex.');
}
