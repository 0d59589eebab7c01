/**
 * How the classes of this folder reach one store: where it is, who acts, and one change at a time. Changes made at once
 * through one object wait for each other here, in the order they were asked for; those of other processes wait at the
 * store's own lock.
 */
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { KeyFolderSigners } from '../lifecycle/key-folder.ts';
import type { ChangeOptions, ReaderOptions } from '../lifecycle/publisher-options.ts';
import type { PassphraseSource, SignerProvider } from '../lifecycle/signer.ts';
import { StoreError } from '../store-error.ts';

export interface PlatformOptions {
  /** Folder of the store. */
  readonly store: string;
  /** Folder with the signing keys and `root.json`; several for keys that are kept apart, the first with `root.json`. */
  readonly keys: string | readonly string[];
  /** The pinned root. Default `root.json` in the first keys folder. */
  readonly root?: string;
  /** Who acts, for the record. Default the user of the process. */
  readonly by?: string;
  /** Opens keys that are locked; asked once for each. */
  readonly passphrase?: PassphraseSource;
  /** Signs instead of the keys in the folders: a key service, a token, an agent. */
  readonly signers?: SignerProvider;
  /** How long a change waits for another publisher, milliseconds. Default 30 s. */
  readonly lockWaitMs?: number;
  /** Where `predict` asks, such as `http://localhost:8080`. */
  readonly gatewayUrl?: string;
  /** How long `predict` waits for the whole answer, milliseconds. Default 30 s. */
  readonly predictTimeoutMs?: number;
  /** Milliseconds since 1970. Default the clock of the machine. */
  readonly now?: () => number;
}

/** Who, why, and how to stop it, for one change. */
export interface ChangeReason {
  /** Default `by` of the platform. */
  readonly by?: string;
  readonly why?: string;
  /** Gives the change up as long as it is not in force; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export class StoreAccess {
  readonly #options: PlatformOptions;
  readonly #keysFolders: readonly string[];
  readonly #home: string;
  readonly #signers: SignerProvider;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: PlatformOptions) {
    const keysFolders = typeof options.keys === 'string' ? [options.keys] : options.keys;
    const [home] = keysFolders;
    if (home === undefined) {
      throw new StoreError('INVALID_ARGUMENT', 'The platform options cannot be used: keys names no folder.');
    }
    this.#options = options;
    this.#keysFolders = keysFolders;
    this.#home = home;
    this.#signers =
      options.signers ??
      new KeyFolderSigners({
        keysFolders,
        ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
      });
  }

  /** Runs a change when those asked for before are over, however they ended. */
  change<Result>(reason: ChangeReason, work: (options: ChangeOptions) => Promise<Result>): Promise<Result> {
    const run = this.#last.then(() => {
      reason.signal?.throwIfAborted();
      return work(this.#changeOptions(reason));
    });
    this.#last = run.catch(() => undefined);
    return run;
  }

  /** What a look at the store needs; a look waits for nothing. */
  reader(): ReaderOptions {
    return {
      folder: this.#options.store,
      pinnedRootPath: this.#options.root ?? join(this.#home, 'root.json'),
      stateFolder: join(this.#home, 'state'),
      nowMs: this.#nowMs(),
    };
  }

  #changeOptions({ by, why, signal }: ChangeReason): ChangeOptions {
    const { store, lockWaitMs } = this.#options;
    return {
      folder: store,
      keysFolders: this.#keysFolders,
      nowMs: this.#nowMs(),
      signers: this.#signers,
      ...(lockWaitMs !== undefined && { lockWaitMs }),
      actor: by ?? this.#options.by ?? processUser(),
      ...(why !== undefined && { why }),
      ...(signal !== undefined && { signal }),
    };
  }

  #nowMs(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

/** Containers may run as a user without a name. */
function processUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
