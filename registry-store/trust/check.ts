/**
 * The closed list of checks that a store must pass, each with the attack or accident it stands against.
 * Names are API: they appear in messages, logs and tests, and are never reworded, only added.
 */

const table = {
  'pinned-root': 'a root of trust that is damaged or is not a root at all',
  'root-chain': 'a new root that the holders of the old one did not sign',
  signature: 'a wrong signer, or any byte changed after signing',
  'canonical-bytes': 'a second spelling of signed content, which another reader might take differently',
  'metadata-form':
    'signed content of another kind or version than its file name says, or with one key counted twice',
  rollback: 'an old, validly signed state shown again',
  expiry: 'a frozen state shown for longer than its signers wanted',
  'mix-and-match': 'files of different moments put together',
  delegation: 'a signer who says something about files that are not his',
  'file-present': 'a file deleted, renamed or not yet copied',
  'file-kind': 'a link or device in place of a file, which leads out of the folder',
  'file-size': 'an endless or truncated file',
  'source-answer':
    'a server that answers with something else than the plain file: a redirect, an encoding, another part of it',
  'file-known': 'a file put into the store that nobody signed',
  'artifact-digest': 'a model or manifest with other bytes than were signed',
  'version-metadata': 'signed facts about a version that do not hold together',
  'deployment-manifest': 'a deployment of what is unknown, archived or not what was published',
  'trusted-state': 'a damaged memory of what was accepted before, which would allow a rollback',
  reference: 'something that this code lets pass and the reference implementation of TUF does not',
} as const;

export type StoreCheck = keyof typeof table;

export const checks: Readonly<Record<StoreCheck, string>> = table;

/** A check that failed. Values, not exceptions: bad bytes are an expected outcome. */
export interface Refused {
  readonly ok: false;
  readonly check: StoreCheck;
  readonly message: string;
}

export type Checked<Value> = { readonly ok: true; readonly value: Value } | Refused;

export function refused(check: StoreCheck, message: string): Refused {
  return { ok: false, check, message };
}

export function passed<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}
