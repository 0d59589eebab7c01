/**
 * One thing after the other: snapshots of the store, models to look at again, versions that requests wait for, and memory
 * that came free. Versions come first, since somebody waits for them, and spare memory last. What each of them means is the
 * business of whoever owns the line.
 *
 * Invariants: no two of them are carried out at a time; a snapshot that is passed by a newer one is not carried out, but the
 * models that it changed are looked at.
 */
import type { StoreSnapshot } from '../../registry-store/main.ts';
import type { Woken } from '../dispatch/cold-starts.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';

export interface DeploymentLineOptions {
  /** Models that are served, or should be. */
  readonly known: () => Iterable<string>;
  /** Whether a model comes before others of a snapshot. */
  readonly isFirst: (model: string) => boolean;
  /** These are no longer deployed. */
  readonly gone: (models: readonly string[]) => void;
  readonly bring: (model: string, snapshot: StoreSnapshot) => Promise<void>;
  readonly wake: (generation: ModelGeneration, snapshot: StoreSnapshot) => Promise<Woken>;
  /** Spends some of what memory came free, where nothing else wants it. False when there is nothing to spend it on. */
  readonly spend: () => Promise<boolean>;
}

interface Wake {
  readonly generation: ModelGeneration;
  readonly resolve: (woken: Woken) => void;
  readonly reject: (fault: unknown) => void;
}

/** A load that failed for a reason that may pass is tried again after this long, milliseconds. */
const retryDelayMs = 5000;

export class DeploymentLine {
  readonly #options: DeploymentLineOptions;
  #next: StoreSnapshot | undefined;
  #current: StoreSnapshot | undefined;
  /** Models to be looked at with the next snapshot; all others are as they should be. */
  #changed = new Set<string>();
  /** Models whose load failed for a reason that may pass. */
  readonly #retried = new Set<string>();
  readonly #wakes: Wake[] = [];
  #working: Promise<void> | undefined;
  #isFreed = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: DeploymentLineOptions) {
    this.#options = options;
  }

  /**
   * Resolves when this snapshot, or a newer one that came meanwhile, is in force as far as it loads. `changedModels` are
   * those that differ from the snapshot applied before; all of them when it is left out.
   */
  apply(snapshot: StoreSnapshot, changedModels?: ReadonlySet<string>): Promise<void> {
    this.#next = snapshot;
    const all = [...snapshot.deployments.keys(), ...this.#options.known()];
    for (const model of changedModels ?? all) this.#changed.add(model);
    return this.#start();
  }

  /** Looks at models again, with the newest snapshot there is. */
  lookAgain(models: ReadonlySet<string>): void {
    const snapshot = this.#next ?? this.#current;
    if (snapshot !== undefined) void this.apply(snapshot, models);
  }

  /** The same in a while. */
  retryLater(model: string): void {
    clearTimeout(this.#retryTimer);
    this.#retried.add(model);
    if (this.#closed) return;
    this.#retryTimer = setTimeout(() => {
      this.lookAgain(new Set(this.#retried));
    }, retryDelayMs);
  }

  /** Has a dormant version brought into memory, before anything else that is not under way. */
  wake(generation: ModelGeneration): Promise<Woken> {
    return new Promise((resolve, reject) => {
      this.#wakes.push({ generation, resolve, reject });
      void this.#start();
    });
  }

  /** Memory came free: it is spent once nothing else is to be done. */
  freed(): void {
    this.#isFreed = true;
    void this.#start();
  }

  /** Versions that are brought into memory before the next one that asks, in their order; the one under way is none of them. */
  get awaited(): readonly ModelGeneration[] {
    return this.#wakes.map(({ generation }) => generation);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
  }

  #start(): Promise<void> {
    this.#working ??= this.#work();
    return this.#working;
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#wakeAll();
      const snapshot = this.#next;
      if (snapshot === undefined && this.#isFreed && !this.#closed) {
        this.#isFreed = false;
        if (await this.#options.spend()) this.#isFreed = true;
        continue;
      }
      if (snapshot === undefined || this.#closed) {
        // In the same step as the look at `#next`, so that no snapshot can fall between the two.
        this.#working = undefined;
        return;
      }
      const changed = this.#changed;
      this.#next = undefined;
      this.#changed = new Set();
      this.#current = snapshot;
      await this.#bringInLine(snapshot, changed);
    }
  }

  async #bringInLine(snapshot: StoreSnapshot, changed: ReadonlySet<string>): Promise<void> {
    const { isFirst, gone, bring } = this.#options;
    const isGone = (model: string): boolean => !snapshot.deployments.has(model);
    gone([...changed].filter(isGone));
    const there = [...changed].filter((model) => !isGone(model));
    for (const model of [...there.filter(isFirst), ...there.filter((each) => !isFirst(each))]) {
      await this.#wakeAll();
      if (this.#closed) return;
      this.#retried.delete(model);
      await bring(model, snapshot);
    }
  }

  async #wakeAll(): Promise<void> {
    for (let wake = this.#wakes.shift(); wake !== undefined; wake = this.#wakes.shift()) {
      // The gateway lets go of whoever waits.
      if (this.#closed) return;
      const { generation, resolve, reject } = wake;
      const snapshot = this.#current;
      if (snapshot === undefined) resolve({ kind: 'look_again' });
      else await this.#options.wake(generation, snapshot).then(resolve, reject);
    }
  }
}
