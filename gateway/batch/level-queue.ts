/**
 * A queue in which urgent items go before others, and those of one level leave by when they are due. Most items are of
 * the default level, and cost what they would cost in a plain queue.
 *
 * Levels are the priorities of the schedule policy extension of the Open Inference Protocol: 1 is the most urgent, and
 * 0, which says nothing, is the middle one. A level is served before those behind it as long as it has items.
 */
import { DueQueue, type Timed } from './due-queue.ts';

/** The most patient level; a priority beyond it counts as this one. */
export const levelMax = 9;
/** Where a request belongs that says nothing. */
export const defaultLevel = 5;

/** The level for a priority as sent: a whole number from 0 up. */
export function levelOf(priority: number): number {
  return priority === 0 ? defaultLevel : Math.min(priority, levelMax);
}

export interface Levelled extends Timed {
  /** From 1 to `levelMax`. */
  readonly level: number;
}

export class LevelQueue<Item extends Levelled> {
  readonly #usual: DueQueue<Item> = new DueQueue<Item>();
  /** By level; only made once an item of another level comes. */
  #others: DueQueue<Item>[] | undefined;
  #othersLength = 0;

  get length(): number {
    return this.#usual.length + this.#othersLength;
  }

  push(item: Item): void {
    if (item.level === defaultLevel) {
      this.#usual.push(item);
      return;
    }
    this.#others ??= Array.from({ length: levelMax + 1 }, () => new DueQueue<Item>());
    this.#others[item.level]?.push(item);
    this.#othersLength += 1;
  }

  /** The earliest deadline of all levels; Infinity when there is none. */
  get deadlineMs(): number {
    let deadlineMs = this.#usual.deadlineMs;
    if (this.#othersLength === 0) return deadlineMs;
    for (const queue of this.#others ?? []) deadlineMs = Math.min(deadlineMs, queue.deadlineMs);
    return deadlineMs;
  }

  /** How many items have a deadline. */
  get timedLength(): number {
    let length = this.#usual.timedLength;
    if (this.#othersLength === 0) return length;
    for (const queue of this.#others ?? []) length += queue.timedLength;
    return length;
  }

  /** Those of one level; undefined when there never was one. */
  ofLevel(level: number): DueQueue<Item> | undefined {
    return this.#levelled(level);
  }

  /** How many items would go before one of `level` that came now and is due then. */
  countBefore(level: number, dueMs: number): number {
    if (this.#othersLength === 0) {
      if (level === defaultLevel) return this.#usual.countBefore(dueMs);
      return level < defaultLevel ? 0 : this.#usual.length;
    }
    let count = 0;
    for (let ahead = 1; ahead < level; ahead++) count += this.#levelled(ahead)?.length ?? 0;
    return count + (this.#levelled(level)?.countBefore(dueMs) ?? 0);
  }

  peek(): Item | undefined {
    return this.#othersLength === 0 ? this.#usual.peek() : this.#first().peek();
  }

  shift(): Item | undefined {
    if (this.#othersLength === 0) return this.#usual.shift();
    const first = this.#first();
    if (first !== this.#usual) this.#othersLength -= 1;
    return first.shift();
  }

  /** Drops every item that `keep` refuses; the others stay in order. Takes time in proportion to the length. */
  retain(keep: (item: Item) => boolean): void {
    this.#usual.retain(keep);
    this.#othersLength = 0;
    for (const queue of this.#others ?? []) {
      queue.retain(keep);
      this.#othersLength += queue.length;
    }
  }

  /** The most urgent level that has items. */
  #first(): DueQueue<Item> {
    for (let level = 1; level <= levelMax; level++) {
      const queue = this.#levelled(level);
      if (queue !== undefined && queue.length > 0) return queue;
    }
    return this.#usual;
  }

  #levelled(level: number): DueQueue<Item> | undefined {
    return level === defaultLevel ? this.#usual : this.#others?.[level];
  }
}
