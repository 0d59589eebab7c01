/** What a publisher wants signed: files that one role adds or replaces. It says nothing of versions, keys or expiry. */
import type { SignedTarget } from '../trust/signed-content.ts';

export interface NewFile {
  readonly target: SignedTarget;
  readonly bytes: Uint8Array;
}

export interface StoreChange {
  readonly role: 'models' | 'deployments';
  readonly put: readonly NewFile[];
}
