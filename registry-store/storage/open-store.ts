/**
 * The store as a serving node sees it: open it from a pinned root, look at the current snapshot, hear of the next one.
 * It holds no key and writes only to its own state and cache. All work is done by a keeper in a thread of its own; the
 * side that serves (kept-store.ts) only takes in what was verified.
 *
 * Invariants: a change that does not verify leaves what is in force as it was and is reported once; nothing on the side that
 * serves takes longer than a piece of a snapshot.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { StoreError } from '../store-error.ts';
import type { DownloadProgress } from './artifact-shelf.ts';
import type { KeeperOrder } from './keeper-messages.ts';
import { type KeeperEnd, KeptStore } from './kept-store.ts';
import type { TransferLimits } from './transfer-limits.ts';
import type { VerifiedStore } from './verified-store.ts';

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
  const store = new KeptStore(() =>
    isThreaded ? inThread(threadFile, order) : inPlace(order, options.nowMs),
  );
  if (options.onProgress !== undefined) store.onProgress = options.onProgress;
  await store.opened;
  return store;
}

/** Beside this file when it is compiled. The sources have no thread to run, so there the keeper works right here. */
const compiledThread = import.meta.url.endsWith('.js')
  ? new URL('./store-thread.js', import.meta.url)
  : undefined;

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
