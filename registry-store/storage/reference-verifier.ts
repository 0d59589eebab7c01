/**
 * The reference implementation of TUF in JavaScript, step by step in the order of the specification, with its errors as
 * named checks. A node lets it go over what our own checks have passed, and both must agree; for a repository that is
 * not a store of ours it is the one that decides, with the guards in tuf-guards.ts around it.
 * Its network client is not used: it needs files on disk for its cache, wraps errors into text and blocks the event
 * loop while it copies; its trusted metadata store has none of that. Deep imports, because tuf-js exports neither it
 * nor its errors; the version is pinned and a test uses the full client.
 */
import { type Metadata, type Root, type Targets, MetadataKind } from '@tufjs/models';
import { LengthOrHashMismatchError, UnsignedMetadataError } from '@tufjs/models/dist/error.js';
import { BadVersionError, EqualVersionError, ExpiredMetadataError } from 'tuf-js/dist/error.js';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { refusal } from '../store-error.ts';
import type { StoreCheck } from '../trust/check.ts';

export interface MetadataBytes {
  /** The pinned root and every newer one, in order. */
  readonly roots: readonly Uint8Array[];
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
  /** `targets` and the roles below it that are to be looked at; parents before their children. */
  readonly targets: readonly TargetsBytes[];
  /** What was accepted last time, against which a rollback is seen. */
  readonly before: { readonly timestamp: Uint8Array; readonly snapshot: Uint8Array } | undefined;
  /** What expires before this has expired. */
  readonly nowMs: number;
}

export interface TargetsBytes {
  readonly role: string;
  readonly parent: string;
  readonly bytes: Uint8Array;
}

/** Throws STORE_REFUSED when tuf-js does not accept exactly this set of files now. */
export function confirmWithReference(files: MetadataBytes): void {
  const [pinned = new Uint8Array(), ...newer] = files.roots;
  const { before } = files;
  const reference = new ReferenceVerifier(pinned, files.nowMs);
  for (const root of newer) reference.updateRoot(root);
  if (before !== undefined) attempt(() => reference.updateTimestamp(before.timestamp));
  reference.updateTimestamp(files.timestamp);
  if (before !== undefined)
    attempt(() => {
      reference.updateSnapshot(before.snapshot, 'accepted before');
    });
  reference.updateSnapshot(files.snapshot);
  for (const { role, parent, bytes } of files.targets) reference.updateTargets(bytes, role, parent);
}

/** One refresh. Every method throws STORE_REFUSED with the check that failed, and then nothing was taken over. */
export class ReferenceVerifier {
  readonly #trusted: TrustedMetadataStore;

  /** Its own clock is fixed when it is made; ours never goes back, and is the same for all files of one look. */
  constructor(root: Uint8Array, nowMs: number) {
    const trusted = step('pinned-root', () => new TrustedMetadataStore(Buffer.from(root)));
    this.#trusted = Object.assign(trusted, { referenceTime: new Date(nowMs) });
  }

  get root(): Metadata<Root> {
    return this.#trusted.root;
  }

  get timestamp(): TrustedMetadataStore['timestamp'] {
    return this.#trusted.timestamp;
  }

  get snapshot(): TrustedMetadataStore['snapshot'] {
    return this.#trusted.snapshot;
  }

  /** Undefined until the role was taken over. */
  targets(role: string): Metadata<Targets> | undefined {
    const found = this.#trusted.getRole(role);
    return found?.signed.type === MetadataKind.Targets ? found : undefined;
  }

  /** A new root without the consent of the old one. */
  updateRoot(bytes: Uint8Array): void {
    step('root-chain', () => this.#trusted.updateRoot(Buffer.from(bytes)));
  }

  /** Rollback and freeze of timestamp. False when it is the version that is trusted already, which stays. */
  updateTimestamp(bytes: Uint8Array): boolean {
    return step('rollback', () => {
      try {
        this.#trusted.updateTimestamp(Buffer.from(bytes));
        return true;
      } catch (error) {
        if (error instanceof EqualVersionError) return false;
        throw error;
      }
    });
  }

  /** Mix-and-match against timestamp; rollback and disappearance of roles. */
  updateSnapshot(bytes: Uint8Array, origin: 'new' | 'accepted before' = 'new'): void {
    step('rollback', () => this.#trusted.updateSnapshot(Buffer.from(bytes), origin === 'accepted before'));
  }

  /** Mix-and-match against snapshot, wrong signer, freeze. */
  updateTargets(bytes: Uint8Array, role: string, parent: string): void {
    step('mix-and-match', () => {
      this.#trusted.updateDelegatedTargets(Buffer.from(bytes), role, parent);
    });
  }

  /** A role that was taken over for one delegator, looked at from another. */
  confirmSigners(
    delegator: Pick<Metadata<Targets>, 'verifyDelegate'>,
    role: string,
    signed: Metadata<Targets>,
  ): void {
    step('delegation', () => {
      delegator.verifyDelegate(role, signed);
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
