/**
 * A queue in which urgent items go before others, and items of one level leave in the order they came. Most items are of
 * the default level, and cost what they would cost in a plain queue.
 *
 * Levels are the priorities of the schedule policy extension of the Open Inference Protocol: 1 is the most urgent, and
 * 0, which says nothing, is the middle one. A level is served before those behind it as long as it has items.
 */
import { FifoQueue } from './fifo-queue.ts';

/** The most patient level; a priority beyond it counts as this one. */
export const levelMax = 9;
/** Where a request belongs that says nothing. */
export const defaultLevel = 5;

/** The level for a priority as sent: a whole number from 0 up. */
export function levelOf(priority: number): number {
  return priority === 0 ? defaultLevel : Math.min(priority, levelMax);
}

export interface Levelled {
  /** From 1 to `levelMax`. */
  readonly level: number;
}

export class LevelQueue<Item extends Levelled> {
  readonly #usual: FifoQueue<Item> = new FifoQueue<Item>();
  /** By level; only made once an item of another level comes. */
  #others: FifoQueue<Item>[] | undefined;
  #othersLength = 0;

  get length(): number {
    return this.#usual.length + this.#othersLength;
  }

  push(item: Item): void {
    if (item.level === defaultLevel) {
      this.#usual.push(item);
      return;
    }
    this.#others ??= Array.from({ length: levelMax + 1 }, () => new FifoQueue<Item>());
    this.#others[item.level]?.push(item);
    this.#othersLength += 1;
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
  #first(): FifoQueue<Item> {
    for (let level = 1; level <= levelMax; level++) {
      const queue = level === defaultLevel ? this.#usual : this.#others?.[level];
      if (queue !== undefined && queue.length > 0) return queue;
    }
    return this.#usual;
  }
}
