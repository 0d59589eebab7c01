/**
 * The side that serves: takes in what a keeper verified, piece by piece, and asks it for models. A keeper that ends by
 * itself is started again, after a pause; meanwhile the last good state stays in force.
 *
 * Invariants: `current` is always wholly verified; one keeper at a time is listened to; a read settles once, also when its
 * keeper is lost, and is not asked again by itself, since it may be what the keeper died of.
 */
import { setImmediate } from 'node:timers';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import { StoreError } from '../store-error.ts';
import type { DownloadProgress } from './artifact-shelf.ts';
import { type FromKeeper, type ToKeeper, fromPlain } from './keeper-messages.ts';
import { signedFile } from './needed-files.ts';
import { SnapshotAssembly } from './snapshot-pieces.ts';
import { type StoreCondition, isSameCondition } from './store-condition.ts';
import type { StoreEvent, VerifiedStore } from './verified-store.ts';

/** The way to a keeper, wherever it works. */
export interface KeeperEnd {
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

interface Waiting {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: StoreError) => void;
}

/** A keeper that does not stop by itself within this time is in the middle of something that survives being cut off, milliseconds. */
const closeMsMax = 1000;
/**
 * Pause before a lost keeper is started again: doubles with each loss, and begins anew after a keeper that was there for
 * longer than the longest of them. A start verifies all there is. Milliseconds.
 */
const restartMsMin = 100;
const restartMsMax = 60_000;

export class KeptStore implements VerifiedStore {
  readonly opened: Promise<void>;
  osThread: number | undefined;
  onProgress: (progress: DownloadProgress) => void = () => undefined;
  readonly #startKeeper: () => KeeperEnd;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #assembly = new SnapshotAssembly();
  readonly #reads = new Map<number, Waiting>();
  /** Undefined while there is none. */
  #keeper: KeeperEnd | undefined;
  /** When it opened the store, by the clock that only goes forward; undefined until it has. */
  #sinceTickMs: number | undefined;
  #restartMs = restartMsMin;
  #restart: NodeJS.Timeout | undefined;
  /** Why there is no keeper that has the store open. */
  #lost: StoreError | undefined;
  #nextRead = 0;
  #current: StoreSnapshot | undefined;
  /** Since then it is kept open, whatever happens to keepers. */
  #isOpen = false;
  #condition: StoreCondition = { fresh: false, lastVerifiedAtMs: 0, expires: new Map(), expiresSoon: [] };
  #settleOpening: { readonly resolve: () => void; readonly reject: (error: StoreError) => void } | undefined;
  #onClosed: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(startKeeper: () => KeeperEnd) {
    this.#startKeeper = startKeeper;
    this.opened = new Promise((resolve, reject) => {
      this.#settleOpening = { resolve, reject };
    });
    this.#start();
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
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const id = this.#nextRead++;
    const read = new Promise<Uint8Array>((resolve, reject) => {
      this.#reads.set(id, { resolve, reject });
    });
    this.#keeper?.port.ref();
    this.#post({ kind: 'read', id, file: signedFile(version.artifact) });
    return read;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    clearTimeout(this.#restart);
    const closed = new Promise<void>((resolve) => (this.#onClosed = resolve));
    if (this.#keeper !== undefined) {
      this.#keeper.port.ref();
      this.#post({ kind: 'close' });
      const timer = setTimeout(() => this.#onClosed?.(), closeMsMax);
      await closed;
      clearTimeout(timer);
    }
    await this.#keeper?.stop();
    this.#rejectReads(new StoreError('STORE_CLOSED', 'The store was closed while a model was read.'));
  }

  #start(): void {
    const keeper = this.#startKeeper();
    this.#keeper = keeper;
    this.#sinceTickMs = undefined;
    this.osThread = undefined;
    this.#assembly.restart();
    keeper.port.on('message', (message: FromKeeper) => {
      if (keeper === this.#keeper) this.#take(message);
    });
    keeper.onEnd((reason) => {
      if (keeper === this.#keeper) this.#keeperEnded(reason);
    });
    // The first one is waited for by whoever opens the store.
    if (this.#isOpen) keeper.port.unref();
  }

  #take(message: FromKeeper): void {
    switch (message.kind) {
      case 'thread':
        this.osThread = message.osThread;
        break;
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
        this.#keeper?.port.unref();
        this.#sinceTickMs = performance.now();
        this.#lost = undefined;
        this.#isOpen = true;
        this.#settleOpening?.resolve();
        break;
      case 'open-failed':
        void this.#keeper?.stop();
        this.#lose(fromPlain(message.error));
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
    if (this.#reads.size === 0) this.#keeper?.port.unref();
    return waiting;
  }

  #rejectReads(error: StoreError): void {
    for (const { reject } of this.#reads.values()) reject(error);
    this.#reads.clear();
  }

  #putInForce({ end, condition }: Extract<FromKeeper, { kind: 'end' }>): void {
    const isNews = !isSameCondition(this.#condition, condition);
    const { snapshot, changedModels } = this.#assembly.end(end);
    this.#current = snapshot;
    this.#condition = condition;
    this.#emit({ kind: 'snapshot', snapshot, changedModels });
    if (isNews) this.#emit({ kind: 'condition', condition });
  }

  #setCondition(condition: StoreCondition): void {
    const isNews = !isSameCondition(this.#condition, condition);
    this.#condition = condition;
    if (isNews) this.#emit({ kind: 'condition', condition });
  }

  #keeperEnded(reason: string): void {
    if (this.#closing !== undefined) {
      this.#onClosed?.();
      return;
    }
    const text = `The thread that verifies the store ended (${reason})`;
    this.#lose(
      this.#isOpen
        ? new StoreError('THREAD_ENDED', `${text}; it is started again.`)
        : new StoreError('FILE_UNREADABLE', `${text}.`),
    );
  }

  /** What is in force stays so. Before the store was open for the first time this is the end of it. */
  #lose(error: StoreError): void {
    this.#keeper = undefined;
    this.#lost = error;
    this.#rejectReads(error);
    this.#settleOpening?.reject(error);
    if (!this.#isOpen || this.#closing !== undefined) return;
    const wasLong = this.#sinceTickMs !== undefined && performance.now() - this.#sinceTickMs > restartMsMax;
    const restartMs = wasLong ? restartMsMin : this.#restartMs;
    this.#restartMs = Math.min(2 * restartMs, restartMsMax);
    this.#restart = setTimeout(() => {
      this.#start();
    }, restartMs).unref();
    const { code, check, message } = error;
    const lastError = { code, ...(check !== undefined && { check }), message, atMs: Date.now() };
    this.#setCondition({ ...this.#condition, fresh: false, lastError });
    this.#emit({ kind: 'interrupted', error, restartMs });
  }

  #post(message: ToKeeper): void {
    this.#keeper?.port.postMessage(message);
  }

  #emit(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
