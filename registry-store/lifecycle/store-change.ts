/** What a publisher wants signed: files that are added or replaced. Which role lists a file follows from its path. */
import type { SignedTarget } from '../trust/signed-content.ts';

export interface NewFile {
  readonly target: SignedTarget;
  readonly bytes: Uint8Array;
}

export interface StoreChange {
  readonly put: readonly NewFile[];
}
