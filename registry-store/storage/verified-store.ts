/** What a serving node has of a store, and what it hears of it. */
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import type { StoreError } from '../store-error.ts';
import type { StoreCondition } from './store-condition.ts';

export type StoreEvent =
  /** `changedModels`: whose versions, stages or deployment are others than before; also those that are gone. */
  | {
      readonly kind: 'snapshot';
      readonly snapshot: StoreSnapshot;
      readonly changedModels: ReadonlySet<string>;
    }
  | { readonly kind: 'refused'; readonly error: StoreError }
  | { readonly kind: 'condition'; readonly condition: StoreCondition }
  /** Nobody looks at the source for now: the thread that does was lost, or could not open the store again. It is started after so long. */
  | { readonly kind: 'interrupted'; readonly error: StoreError; readonly restartMs: number };

export interface VerifiedStore {
  /** The last good state. Replaced as a whole, never changed. */
  readonly current: StoreSnapshot;
  /** How fresh that state is. */
  readonly condition: StoreCondition;
  /**
   * The thread that reads and verifies, as the operating system counts threads; undefined where that is the thread of the caller, or
   * cannot be told.
   */
  readonly osThread?: number | undefined;
  /** Listeners are called in the order of subscription, after `current` was replaced; they must not throw. */
  subscribe(listener: (event: StoreEvent) => void): () => void;
  /** The file of a version; length and digest were checked over the very bytes returned, which the caller owns. */
  readArtifact(version: VersionMetadata): Promise<Uint8Array>;
  close(): Promise<void>;
}
