/**
 * Keeps the verified state of one store: looks at the source when told to, decides what counts, remembers it on the
 * node's disk, and hands it on. It runs in a thread of its own, so that verifying never holds up serving.
 *
 * Invariants: what it hands on was verified as a whole, with every file it needs at hand, and is remembered before it
 * counts; whatever goes wrong leaves the last good state as it is and is reported once; never more than one look is
 * taken at a time, and a notice during a look leads to another one after it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deploymentManifestPath } from '../manifest/names.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError } from '../store-error.ts';
import type { SignedFile } from '../trust/artifact-digest.ts';
import { metadataBytesMax, metadataFile, targetFile, timestampFile } from '../trust/store-file.ts';
import { type AcceptedState, readKept, recallState, rememberState } from './accepted-state.ts';
import { KeptSource } from './kept-source.ts';
import { type LoadedStore, loadStore } from './load-store.ts';
import type { LookOutcome } from './poll-watch.ts';
import {
  type Lifetimes,
  type StoreCondition,
  type StoreTrouble,
  conditionOf,
  isSameCondition,
  lifetimesOf,
} from './store-condition.ts';
import { type OriginOptions, type StoreOrigin, findPinnedRoot, openOrigin } from './store-origin.ts';
import { checkPinnedRoot } from './root-chain.ts';
import { SourceUnreachable, asStoreError } from './store-source.ts';
import { floorOf, timeText } from './verified-metadata.ts';

export interface KeeperOptions extends OriginOptions {
  readonly pinnedRootPath: string;
  /** How often everything is verified anew though nothing changed, milliseconds. */
  readonly reverifyMs?: number | undefined;
  /** Default `Date.now`. */
  readonly nowMs?: (() => number) | undefined;
}

/** Who is told. `snapshot` resolves when the state has arrived; nothing else is sent meanwhile. */
export interface KeeperOutlet {
  snapshot(next: StoreSnapshot, condition: StoreCondition): Promise<void>;
  refused(error: StoreError): void;
  condition(condition: StoreCondition): void;
}

/** The state that does not verify, while the last good one serves. */
interface RefusedState {
  /** Said once and not at every look. */
  readonly message: string;
  readonly timestamp: Uint8Array | undefined;
  /** The same state is looked at again after this long, longer each time: a file that was missing may come. */
  readonly waitMs: number;
  readonly atMs: number;
  readonly retryAfterMs: number | undefined;
}

const reverifyMsDefault = 5 * 60_000;

interface KeeperParts {
  readonly options: KeeperOptions;
  readonly outlet: KeeperOutlet;
  readonly origin: StoreOrigin;
  readonly pinnedRoot: Uint8Array;
}

export class StoreKeeper {
  readonly #parts: KeeperParts;
  /** What the last look read through. */
  #source: KeptSource | undefined;
  #loaded: LoadedStore | undefined;
  #accepted: AcceptedState;
  /** Files that never change, so that they are fetched once. */
  #kept: ReadonlyMap<string, Uint8Array>;
  #lifetimes: Lifetimes = { expires: new Map(), warnAt: new Map() };
  #verified = { atMs: 0, tickMs: 0 };
  #looking: Promise<void> | undefined;
  #rungWhileLooking = false;
  #refused: RefusedState | undefined;
  #trouble: StoreTrouble | undefined;
  #condition: StoreCondition | undefined;
  /** The timestamp file at the start of the look that runs. */
  #seen: Uint8Array | undefined;
  #closed = false;

  private constructor(
    parts: KeeperParts,
    past: { readonly accepted: AcceptedState; readonly kept: ReadonlyMap<string, Uint8Array> },
  ) {
    this.#parts = parts;
    this.#accepted = past.accepted;
    this.#kept = past.kept;
  }

  /** Resolves when a state was handed on. */
  static async open(options: KeeperOptions, outlet: KeeperOutlet): Promise<StoreKeeper> {
    const origin = await openOrigin(options);
    let keeper: StoreKeeper | undefined;
    try {
      const pinnedRoot = await findPinnedRoot(options.pinnedRootPath, origin);
      const accepted = await recallState(options.stateFolder, pinnedRoot);
      const kept = await readKept(options.stateFolder, accepted.kept);
      keeper = new StoreKeeper({ options, outlet, origin, pinnedRoot }, { accepted, kept });
      await keeper.#start();
      return keeper;
    } catch (error) {
      await (keeper ?? origin).close();
      throw error;
    }
  }

  /** The file of a version; length and digest were checked over the very bytes returned. */
  readArtifact(file: SignedFile): Promise<Uint8Array<ArrayBuffer>> {
    return this.#parts.origin.shelf.read(file);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#parts.origin.close();
    await this.#looking;
  }

  async #start(): Promise<void> {
    const { origin } = this.#parts;
    const lastGood = await this.#loadLastGood();
    let first: LoadedStore | undefined;
    try {
      await origin.requireStore();
      first = await this.#load(lastGood, origin.audit);
      // An audit read every model already.
      if (origin.audit === undefined) await origin.shelf.provide(first.snapshot, undefined);
    } catch (error) {
      await this.#startFromLastGood(lastGood, asStoreError(error));
      first = undefined;
    }
    if (first !== undefined) await this.#putInForce(first);
    await origin.watch(() => this.look(), first !== undefined);
  }

  /** What was accepted last, verified again by its signatures; its time may be over. */
  async #loadLastGood(): Promise<LoadedStore | undefined> {
    if (this.#kept.size === 0) return undefined;
    const { pinnedRoot } = this.#parts;
    const source = new KeptSource(this.#kept);
    const nowMs = this.#nowMs();
    try {
      return await loadStore({ source, pinnedRoot, accepted: this.#accepted, nowMs, expired: 'tolerated' });
    } catch {
      // Damaged on this disk, or the root is another one by now: then there is only the source.
      return undefined;
    }
  }

  /** Rejects with why the source could not be used when there is nothing to start from without it. */
  async #startFromLastGood(lastGood: LoadedStore | undefined, error: StoreError): Promise<void> {
    if (lastGood === undefined) throw error;
    const { origin, outlet } = this.#parts;
    const missing = await origin.shelf.findMissing(lastGood.snapshot);
    if (missing !== undefined) {
      const message = `${error.message} The state accepted before cannot be started from either: ${missing}`;
      const { code, check } = error;
      throw new StoreError(code, message, { ...(check !== undefined && { check }), cause: error });
    }
    this.#loaded = lastGood;
    this.#lifetimes = lifetimesOf(lastGood.metadata, this.#accepted.latestMs);
    this.#note(error);
    await this.#handOn(lastGood.snapshot);
    outlet.refused(error);
  }

  /** Looks at the source; resolves when it has been quiet for one look. */
  async look(): Promise<LookOutcome> {
    this.#rungWhileLooking = true;
    this.#looking ??= this.#lookWhileRung().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
    return { ok: this.#refused === undefined, retryAfterMs: this.#refused?.retryAfterMs };
  }

  async #lookWhileRung(): Promise<void> {
    while (this.#rungWhileLooking && !this.#closed) {
      // Everything that rang in this turn is one look.
      await nextTurn();
      this.#rungWhileLooking = false;
      await this.#lookOnce();
    }
  }

  async #lookOnce(): Promise<void> {
    const { origin } = this.#parts;
    try {
      if (await this.#isWorthALook()) {
        const next = await this.#load(this.#loaded);
        await this.#accept(next);
        await origin.shelf.settle(next.snapshot);
      }
      // The source went back to what is in force; unless it is that which does not verify any more.
      if (this.#isUnchanged() && !isSame(this.#refused?.timestamp, this.#seen)) this.#allIsWell();
    } catch (error) {
      if (!this.#closed) this.#report(asStoreError(error));
    }
    this.#tellCondition();
  }

  /** One small read decides: only a timestamp that is new, or time that has passed, is a reason to read more. */
  async #isWorthALook(): Promise<boolean> {
    this.#seen = undefined;
    this.#seen = await this.#parts.origin.source.read(timestampFile, metadataBytesMax.timestamp);
    const refused = this.#refused;
    const tickMs = performance.now();
    if (refused !== undefined && isSame(this.#seen, refused.timestamp)) {
      return tickMs - refused.atMs >= refused.waitMs;
    }
    const reverifyMs = this.#parts.options.reverifyMs ?? reverifyMsDefault;
    const isDue =
      this.#nowMs() - this.#verified.atMs >= reverifyMs || tickMs - this.#verified.tickMs >= reverifyMs;
    // What the source did not change may still expire.
    return isDue || !this.#isUnchanged() || this.#condition?.fresh !== true || this.#hasExpired();
  }

  #isUnchanged(): boolean {
    return isSame(this.#seen, this.#loaded?.metadata.files.get(timestampFile));
  }

  #hasExpired(): boolean {
    const now = timeText(this.#nowMs());
    return [...this.#lifetimes.expires.values()].some((at) => at <= now);
  }

  async #load(known: LoadedStore | undefined, audit?: StoreOrigin['audit']): Promise<LoadedStore> {
    const { origin, pinnedRoot } = this.#parts;
    const options = { pinnedRoot, accepted: this.#accepted, nowMs: this.#nowMs(), known };
    if (audit !== undefined) return audit(options);
    this.#source = new KeptSource(this.#kept, origin.source);
    return loadStore({ ...options, source: this.#source });
  }

  async #accept(next: LoadedStore): Promise<void> {
    const before = this.#loaded;
    // Also when nothing is new: a file that was there may be gone.
    await this.#parts.origin.shelf.provide(next.snapshot, before?.snapshot);
    const isKnown = (path: string): boolean =>
      isSame(before?.metadata.files.get(path), next.metadata.files.get(path));
    if (isKnown(timestampFile) && isKnown(metadataFile('root', next.metadata.root.version))) {
      this.#verified = { atMs: this.#nowMs(), tickMs: performance.now() };
      this.#refused = undefined;
      return;
    }
    if (!this.#closed) await this.#putInForce(next);
  }

  /** Remembered first: what counts once can never be taken back by a restart. */
  async #putInForce(next: LoadedStore): Promise<void> {
    const { options, origin, pinnedRoot } = this.#parts;
    const { metadata, snapshot } = next;
    const nowMs = Math.max(this.#nowMs(), this.#accepted.latestMs);
    const files = await this.#filesToKeep(next);
    const floor = floorOf(metadata.roles);
    this.#accepted = await rememberState(options.stateFolder, { files, floor, pinnedRoot, nowMs });
    this.#kept = files;
    this.#loaded = next;
    this.#lifetimes = lifetimesOf(metadata, nowMs);
    this.#verified = { atMs: nowMs, tickMs: performance.now() };
    this.#allIsWell();
    await this.#handOn(snapshot);
    await origin.shelf.settle(snapshot);
  }

  /** State and condition arrive together, so that nobody sees one with the other's predecessor. */
  #handOn(snapshot: StoreSnapshot): Promise<void> {
    this.#condition = this.#currentCondition();
    return this.#parts.outlet.snapshot(snapshot, this.#condition);
  }

  /** All that a start without the source needs: metadata in force, the roots that lead to it, and the manifest. */
  async #filesToKeep({ metadata }: LoadedStore): Promise<ReadonlyMap<string, Uint8Array>> {
    // What the look read itself comes first, so that nothing is fetched twice.
    const lasting = new Map([...this.#kept, ...(this.#source?.lasting ?? [])]);
    const source = new KeptSource(lasting, this.#parts.origin.source);
    const files = new Map(metadata.files);
    const manifest = metadata.targets.get(deploymentManifestPath);
    if (manifest !== undefined) {
      const bytes = await source.read(targetFile(manifest), manifest.sizeBytes);
      if (bytes !== undefined) files.set(targetFile(manifest), bytes);
    }
    const pinnedVersion = checkPinnedRoot(this.#parts.pinnedRoot).version;
    for (let version = pinnedVersion + 1; version < metadata.root.version; version++) {
      const path = metadataFile('root', version);
      const bytes = await source.read(path, metadataBytesMax.root);
      if (bytes !== undefined) files.set(path, bytes);
    }
    return files;
  }

  #nowMs(): number {
    return (this.#parts.options.nowMs ?? Date.now)();
  }

  #allIsWell(): void {
    this.#refused = undefined;
    this.#trouble = undefined;
  }

  #report(error: StoreError): void {
    if (!this.#note(error)) return;
    this.#tellCondition();
    this.#parts.outlet.refused(error);
  }

  /** True when this is not what was said last. */
  #note(error: StoreError): boolean {
    const before = this.#refused;
    const timestamp = this.#seen;
    const { first, max } = this.#parts.origin.refusedWaitMs;
    const isAgain = before !== undefined && isSame(before.timestamp, timestamp);
    const waitMs = isAgain ? Math.min(2 * before.waitMs, max) : first;
    const retryAfterMs = error instanceof SourceUnreachable ? error.retryAfterMs : undefined;
    const { message, code, check } = error;
    this.#refused = { message, timestamp, waitMs, atMs: performance.now(), retryAfterMs };
    if (before?.message === message) return false;
    this.#trouble = { code, ...(check === undefined ? {} : { check }), message, atMs: this.#nowMs() };
    return true;
  }

  #currentCondition(): StoreCondition {
    return conditionOf({
      lifetimes: this.#lifetimes,
      nowMs: Math.max(this.#nowMs(), this.#accepted.latestMs),
      lastVerifiedAtMs: this.#verified.atMs,
      lastError: this.#trouble,
    });
  }

  #tellCondition(): void {
    const condition = this.#currentCondition();
    const before = this.#condition;
    this.#condition = condition;
    const isNews = before?.lastVerifiedAtMs !== condition.lastVerifiedAtMs;
    if (!this.#closed && (before === undefined || isNews || !isSameCondition(before, condition))) {
      this.#parts.outlet.condition(condition);
    }
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}
