/** What every change of a store needs to be told, and what every look at one. */
import { join } from 'node:path';
import { StoreError } from '../store-error.ts';
import type { PassphraseSource, SignerProvider } from './signer.ts';

export interface PublisherOptions {
  readonly folder: string;
  /** Folders with signing keys. The first holds the pinned root and what this publisher accepted before as well. */
  readonly keysFolders: readonly string[];
  /** Time of the change, milliseconds since 1970. Signed as creation time and start of every lifetime. */
  readonly nowMs: number;
  /** How long to wait for another publisher, milliseconds. Default 30 s. */
  readonly lockWaitMs?: number;
  /** Asked once for each encrypted key that is needed. Without it such keys cannot be used. */
  readonly passphrase?: PassphraseSource;
  /** Gives the change up as long as it is not in force; the store is then as before. Rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Bytes of files written so far, of those that this change writes. */
  readonly progress?: (doneBytes: number, totalBytes: number) => void;
  /** Signs instead of the keys in `keysFolders`. Several changes with one provider unlock each key once. */
  readonly signers?: SignerProvider;
}

/** A change that stands in the history. */
export interface ChangeOptions extends PublisherOptions {
  /** Who decides it, and why; both are signed. */
  readonly actor: string;
  readonly why?: string;
}

/** A look needs no key. */
export interface ReaderOptions {
  readonly folder: string;
  readonly pinnedRootPath: string;
  /** Memory of a node or publisher to compare with, so that a rollback shows. It is not written to. */
  readonly stateFolder: string;
  readonly nowMs: number;
}

/** The folder that holds what belongs to the publisher and not to a single key. */
export function homeFolder({ keysFolders }: Pick<PublisherOptions, 'keysFolders'>): string {
  const [first] = keysFolders;
  if (first !== undefined) return first;
  throw new StoreError('INVALID_ARGUMENT', 'No keys folder was named. Name one with --keys.');
}

export function publisherStateFolder(keysFolder: string): string {
  return join(keysFolder, 'state');
}
