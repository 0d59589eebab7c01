/**
 * The sequences that are open on this node: how many, how much they hold, and which were silent for too long. A state
 * machine without a clock: whoever calls says what time it is.
 *
 * Invariants: never more than `sequencesMax` entries, `callerSequencesMax` of one caller or `sequenceBytesMax` bytes; a
 * sequence with a call under way is not silent; the map is in the order of last use, so that what is silent longest comes
 * first.
 */
import { type CallerShare, CallerShares } from '../../admission/caller-shares.ts';
import type { Limits } from '../../admission/limits.ts';

export interface Entry {
  readonly key: string;
  /** Who opened it, where callers are bound. */
  readonly caller: string | undefined;
  /** Whether a call of it runs or waits. */
  readonly busy: boolean;
  usedMs: number;
}

export type SequenceLimits = Pick<
  Limits,
  'sequencesMax' | 'callerSequencesMax' | 'sequenceBytesMax' | 'sequenceIdleMsMax'
>;

export class SequenceTable<Sequence extends Entry> {
  readonly #limits: SequenceLimits;
  readonly #onGone: (sequence: Sequence) => void;
  readonly #open = new Map<string, Sequence>();
  /** One row for each sequence; their bytes are those of `sequenceBytesMax`. */
  readonly #callers: CallerShares;
  #bytes = 0;

  /** `onGone` is told of each sequence that leaves, whatever the reason, to give back the bytes it holds. */
  constructor(limits: SequenceLimits, onGone: (sequence: Sequence) => void) {
    this.#limits = limits;
    this.#onGone = onGone;
    this.#callers = new CallerShares({ rowsMax: limits.callerSequencesMax, bytesMax: 0 });
  }

  get size(): number {
    return this.#open.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find(key: string, nowMs: number): Sequence | undefined {
    this.expire(nowMs);
    return this.#open.get(key);
  }

  has(sequence: Sequence): boolean {
    return this.#open.get(sequence.key) === sequence;
  }

  /** Whether a caller may open one more, as far as its own are concerned. */
  mayOpen(caller: string | undefined): boolean {
    return this.#callers.lackOf(shareOf(caller)) === undefined;
  }

  /** False when there are as many as there may be. The key is not in here yet. */
  add(sequence: Sequence, nowMs: number): boolean {
    this.expire(nowMs);
    if (this.#open.size >= this.#limits.sequencesMax) return false;
    sequence.usedMs = nowMs;
    this.#open.set(sequence.key, sequence);
    this.#callers.take(shareOf(sequence.caller));
    return true;
  }

  used(sequence: Sequence, nowMs: number): void {
    sequence.usedMs = nowMs;
    this.#open.delete(sequence.key);
    this.#open.set(sequence.key, sequence);
  }

  remove(sequence: Sequence): void {
    if (this.has(sequence)) {
      this.#open.delete(sequence.key);
      this.#callers.release(shareOf(sequence.caller));
    }
    this.#onGone(sequence);
  }

  /** False, and nothing is taken, when there is no room for so many bytes. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#limits.sequenceBytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Lets go of what was silent for too long. */
  expire(nowMs: number): void {
    for (const sequence of this.#open.values()) {
      if (nowMs - sequence.usedMs <= this.#limits.sequenceIdleMsMax) return;
      // Its call takes longer than a silence may; it is put behind the others and looked at again.
      if (sequence.busy) this.used(sequence, nowMs);
      else this.remove(sequence);
    }
  }

  all(): readonly Sequence[] {
    return [...this.#open.values()];
  }
}

function shareOf(caller: string | undefined): CallerShare {
  return { caller, rows: 1, bytes: 0 };
}
