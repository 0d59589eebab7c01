/**
 * The store as a serving node sees it: open it from a pinned root, look at the current snapshot, hear of the next one.
 * It holds no key and writes only to its own state and cache. All work is done by a keeper in a thread of its own; here
 * is the side that serves, which only takes in what was verified.
 *
 * Invariants: `current` is always wholly verified; a change that does not verify leaves it as it was and is reported
 * once; nothing here takes longer than a piece of a snapshot.
 */
import { setImmediate } from 'node:timers';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import { StoreError } from '../store-error.ts';
import type { DownloadProgress } from './artifact-shelf.ts';
import { signedFile } from './needed-files.ts';
import { type FromKeeper, type KeeperOrder, type ToKeeper, fromPlain } from './keeper-messages.ts';
import { SnapshotAssembly } from './snapshot-pieces.ts';
import { type StoreCondition, isSameCondition } from './store-condition.ts';
import type { TransferLimits } from './transfer-limits.ts';

export interface StoreOptions {
  /** A folder, or the address of one on a file server that begins with http:// or https://. */
  readonly source?: string;
  /** The same, for a folder. One of the two must be given. */
  readonly folder?: string;
  /** The root of trust that was carried to this node; the one in the store is never taken for it. */
  readonly pinnedRootPath: string;
  /** Folder of this node alone, where it remembers what it accepted. Made if need be. */
  readonly stateFolder: string;
  /** Where models of an HTTP source are kept. Default `cache` in the state folder. */
  readonly cacheFolder?: string;
  /** How large those may become together, bytes. What is live, its predecessor included, must fit. Default 10 GiB. */
  readonly cacheBytesMax?: number;
  /** Certificates to trust for https:// instead of those of the system, a PEM file. */
  readonly caFile?: string;
  /**
   * Time between two looks, milliseconds. For a folder, where the system gives no notice; default 1000. For an address,
   * give or take a fifth, and up to 5 min while there is trouble; default 10 000.
   */
  readonly pollMs?: number;
  /** How often everything is verified anew though nothing changed, so that an expiry is noticed, milliseconds. Default 5 min. */
  readonly reverifyMs?: number;
  /** How slow a server may be. */
  readonly transferLimits?: Partial<TransferLimits>;
  /** Called now and then while models are downloaded. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** The compiled store-thread. Default the one beside this module when it is compiled, otherwise no thread. */
  readonly threadFile?: URL;
  /** A clock for tests. Default `Date.now`; another one means no thread. */
  readonly nowMs?: () => number;
}

export type StoreEvent =
  /** `changedModels`: whose versions, stages or deployment are others than before; also those that are gone. */
  | {
      readonly kind: 'snapshot';
      readonly snapshot: StoreSnapshot;
      readonly changedModels: ReadonlySet<string>;
    }
  | { readonly kind: 'refused'; readonly error: StoreError }
  | { readonly kind: 'condition'; readonly condition: StoreCondition };

export interface VerifiedStore {
  /** The last good state. Replaced as a whole, never changed. */
  readonly current: StoreSnapshot;
  /** How fresh that state is. */
  readonly condition: StoreCondition;
  /** Listeners are called in the order of subscription, after `current` was replaced; they must not throw. */
  subscribe(listener: (event: StoreEvent) => void): () => void;
  /** The file of a version; length and digest were checked over the very bytes returned, which the caller owns. */
  readArtifact(version: VersionMetadata): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Verifies what the source shows, and for a folder every file of it. When that does not succeed, but a state that was
 * accepted before is at hand whole, the store opens with that one and its condition says why. Otherwise it rejects with
 * a StoreError that names the check that failed.
 */
export async function openStore(options: StoreOptions): Promise<VerifiedStore> {
  const source = options.source ?? options.folder;
  if (source === undefined)
    throw new StoreError('INVALID_ARGUMENT', 'Name the folder or address of the store.');
  const order: KeeperOrder = {
    source,
    pinnedRootPath: options.pinnedRootPath,
    stateFolder: options.stateFolder,
    cacheFolder: options.cacheFolder,
    cacheBytesMax: options.cacheBytesMax,
    caFile: options.caFile,
    pollMs: options.pollMs,
    reverifyMs: options.reverifyMs,
    transferLimits: options.transferLimits,
  };
  const threadFile = options.threadFile ?? compiledThread;
  const isThreaded = threadFile !== undefined && options.nowMs === undefined;
  const store = new KeptStore(isThreaded ? inThread(threadFile, order) : inPlace(order, options.nowMs));
  if (options.onProgress !== undefined) store.onProgress = options.onProgress;
  await store.opened;
  return store;
}

/** Beside this file when it is compiled. The sources have no thread to run, so there the keeper works right here. */
const compiledThread = import.meta.url.endsWith('.js')
  ? new URL('./store-thread.js', import.meta.url)
  : undefined;

/** The way to a keeper, wherever it works. */
interface KeeperEnd {
  readonly port: {
    postMessage(message: ToKeeper): void;
    on(event: 'message', listener: (message: FromKeeper) => void): unknown;
    ref(): void;
    unref(): void;
  };
  /** Whether the keeper can end by itself; then with what is known about why. */
  readonly onEnd: (listener: (reason: string) => void) => void;
  readonly stop: () => Promise<unknown>;
}

function inThread(threadFile: URL, order: KeeperOrder): KeeperEnd {
  const worker = new Worker(threadFile, { workerData: order });
  return {
    port: worker,
    onEnd: (listener) => {
      worker.once('error', (error) => {
        listener(error.message);
      });
      worker.once('exit', (code) => {
        listener(`exit code ${code}`);
      });
    },
    stop: () => worker.terminate(),
  };
}

function inPlace(order: KeeperOrder, nowMs: (() => number) | undefined): KeeperEnd {
  const { port1, port2 } = new MessageChannel();
  // A node with a thread never reads the code of the keeper here. What is said before it listens waits in the port.
  void import('./keeper-link.ts').then(({ serveKeeper }) => serveKeeper(port2, order, nowMs));
  port2.unref();
  return {
    port: port1,
    onEnd: () => undefined,
    stop: () => {
      port1.close();
      return Promise.resolve();
    },
  };
}

interface Waiting {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: StoreError) => void;
}

/** A keeper that does not stop by itself within this time is in the middle of something that survives being cut off, milliseconds. */
const closeMsMax = 1000;

class KeptStore implements VerifiedStore {
  readonly opened: Promise<void>;
  onProgress: (progress: DownloadProgress) => void = () => undefined;
  readonly #keeper: KeeperEnd;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #assembly = new SnapshotAssembly();
  readonly #reads = new Map<number, Waiting>();
  #nextRead = 0;
  #current: StoreSnapshot | undefined;
  #condition: StoreCondition = { fresh: false, lastVerifiedAtMs: 0, expires: new Map(), expiresSoon: [] };
  #settleOpening: { readonly resolve: () => void; readonly reject: (error: StoreError) => void } | undefined;
  #onClosed: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #ended: StoreError | undefined;

  constructor(keeper: KeeperEnd) {
    this.#keeper = keeper;
    this.opened = new Promise((resolve, reject) => {
      this.#settleOpening = { resolve, reject };
    });
    keeper.port.on('message', (message: FromKeeper) => {
      this.#take(message);
    });
    keeper.onEnd((reason) => {
      this.#keeperEnded(reason);
    });
  }

  get current(): StoreSnapshot {
    if (this.#current === undefined) throw new Error('the store is not open yet');
    return this.#current;
  }

  get condition(): StoreCondition {
    return this.#condition;
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  readArtifact(version: VersionMetadata): Promise<Uint8Array> {
    if (this.#closing !== undefined) {
      return Promise.reject(
        new StoreError('STORE_CLOSED', 'The store was closed; open it again to read from it.'),
      );
    }
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextRead++;
    const read = new Promise<Uint8Array>((resolve, reject) => {
      this.#reads.set(id, { resolve, reject });
    });
    this.#keeper.port.ref();
    this.#post({ kind: 'read', id, file: signedFile(version.artifact) });
    return read;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    const closed = new Promise<void>((resolve) => (this.#onClosed = resolve));
    if (this.#ended === undefined) {
      this.#keeper.port.ref();
      this.#post({ kind: 'close' });
      const timer = setTimeout(() => this.#onClosed?.(), closeMsMax);
      await closed;
      clearTimeout(timer);
    }
    await this.#keeper.stop();
    const error = new StoreError('STORE_CLOSED', 'The store was closed while a model was read.');
    for (const { reject } of this.#reads.values()) reject(error);
    this.#reads.clear();
  }

  #take(message: FromKeeper): void {
    switch (message.kind) {
      case 'pieces':
        this.#assembly.add(message.pieces);
        // The next piece comes after whatever waits by now had its turn.
        setImmediate(() => {
          this.#post({ kind: 'next' });
        });
        break;
      case 'end':
        this.#putInForce(message);
        break;
      case 'refused':
        this.#emit({ kind: 'refused', error: fromPlain(message.error) });
        break;
      case 'condition':
        this.#setCondition(message.condition);
        break;
      case 'progress':
        this.onProgress(message.progress);
        break;
      case 'artifact':
        this.#settleRead(message.id)?.resolve(message.bytes);
        break;
      case 'artifact-failed':
        this.#settleRead(message.id)?.reject(fromPlain(message.error));
        break;
      case 'opened':
        // From now on the store alone keeps no process alive.
        this.#keeper.port.unref();
        this.#settleOpening?.resolve();
        break;
      case 'open-failed':
        this.#settleOpening?.reject(fromPlain(message.error));
        void this.#keeper.stop();
        break;
      case 'closed':
        this.#onClosed?.();
        break;
      default:
        message satisfies never;
    }
  }

  #settleRead(id: number): Waiting | undefined {
    const waiting = this.#reads.get(id);
    this.#reads.delete(id);
    if (this.#reads.size === 0) this.#keeper.port.unref();
    return waiting;
  }

  #putInForce({ end, condition }: Extract<FromKeeper, { kind: 'end' }>): void {
    const isNews = !isSameCondition(this.#condition, condition);
    this.#current = this.#assembly.end(end);
    this.#condition = condition;
    const changedModels = new Set(end.changedModels);
    this.#emit({ kind: 'snapshot', snapshot: this.#current, changedModels });
    if (isNews) this.#emit({ kind: 'condition', condition });
  }

  #setCondition(condition: StoreCondition): void {
    const isNews = !isSameCondition(this.#condition, condition);
    this.#condition = condition;
    if (isNews) this.#emit({ kind: 'condition', condition });
  }

  /** The last good state serves on; nothing new can be taken in any more. */
  #keeperEnded(reason: string): void {
    if (this.#ended !== undefined || this.#closing !== undefined) {
      this.#onClosed?.();
      return;
    }
    const error = new StoreError(
      'FILE_UNREADABLE',
      `The thread that verifies the store ended (${reason}); restart the node to follow the store again.`,
    );
    this.#ended = error;
    this.#settleOpening?.reject(error);
    for (const { reject } of this.#reads.values()) reject(error);
    this.#reads.clear();
    const { code, message } = error;
    this.#setCondition({
      ...this.#condition,
      fresh: false,
      lastError: { code, message, atMs: Date.now() },
    });
    this.#emit({ kind: 'refused', error });
  }

  #post(message: ToKeeper): void {
    this.#keeper.port.postMessage(message);
  }

  #emit(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
