/**
 * The second opinion: the reference implementation of TUF in JavaScript goes over the same bytes in the order of the
 * specification, and both must agree. Its network client is not used, because it needs files on disk for its cache,
 * wraps errors into text and blocks the event loop while it copies; its trusted metadata store has none of that.
 * Deep imports, because tuf-js exports neither it nor its errors; the version is pinned and a test uses the full client.
 */
import { ExpiredMetadataError, BadVersionError } from 'tuf-js/dist/error.js';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { LengthOrHashMismatchError, UnsignedMetadataError } from '@tufjs/models/dist/error.js';
import { refusal } from '../store-error.ts';
import type { StoreCheck } from '../trust/check.ts';

export interface MetadataBytes {
  /** The pinned root and every newer one, in order. */
  readonly roots: readonly Uint8Array[];
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
  readonly targets: Uint8Array;
  /** Parents before their children. */
  readonly delegated: readonly DelegatedBytes[];
  /** What was accepted last time, against which a rollback is seen. */
  readonly before: { readonly timestamp: Uint8Array; readonly snapshot: Uint8Array } | undefined;
}

export interface DelegatedBytes {
  readonly role: string;
  readonly parent: string;
  readonly bytes: Uint8Array;
}

/** Throws STORE_REFUSED when tuf-js does not accept exactly this set of files now. */
export function confirmWithReference(files: MetadataBytes): void {
  const [pinned, ...newer] = files.roots.map((bytes) => Buffer.from(bytes));
  const { before } = files;
  const timestamp = Buffer.from(files.timestamp);
  const trusted = step('pinned-root', () => new TrustedMetadataStore(pinned ?? Buffer.alloc(0)));
  // A new root without the consent of the old one.
  for (const root of newer) step('root-chain', () => trusted.updateRoot(root));
  // Rollback and freeze of timestamp.
  if (before !== undefined) attempt(() => trusted.updateTimestamp(Buffer.from(before.timestamp)));
  const isUnchanged =
    trusted.timestamp !== undefined && before !== undefined && timestamp.equals(before.timestamp);
  if (!isUnchanged) step('rollback', () => trusted.updateTimestamp(timestamp));
  // Mix-and-match against timestamp; rollback and disappearance of roles.
  if (before !== undefined) attempt(() => trusted.updateSnapshot(Buffer.from(before.snapshot), true));
  step('rollback', () => trusted.updateSnapshot(Buffer.from(files.snapshot)));
  // Mix-and-match against snapshot, wrong signer, freeze.
  step('mix-and-match', () => {
    trusted.updateDelegatedTargets(Buffer.from(files.targets), 'targets', 'root');
  });
  for (const { role, parent, bytes } of files.delegated) {
    step('mix-and-match', () => {
      trusted.updateDelegatedTargets(Buffer.from(bytes), role, parent);
    });
  }
}

/** `onVersion` names what a wrong version number means at this step. */
function step<Value>(onVersion: StoreCheck, run: () => Value): Value {
  try {
    return run();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw refusal(checkOf(error, onVersion), `tuf-js says: ${detail}`, error);
  }
}

function checkOf(error: unknown, onVersion: StoreCheck): StoreCheck {
  if (error instanceof ExpiredMetadataError) return 'expiry';
  if (error instanceof UnsignedMetadataError) return 'signature';
  if (error instanceof LengthOrHashMismatchError) return 'mix-and-match';
  if (error instanceof BadVersionError) return onVersion;
  return 'reference';
}

/** Old metadata may have expired or have been signed with keys that are retired by now; then it protects nothing more. */
function attempt(run: () => unknown): void {
  try {
    run();
  } catch {
    // The version floor still holds.
  }
}
