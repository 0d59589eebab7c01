/**
 * A first-in first-out queue whose operations take constant time: an array, the index of its head, and a clean-up once
 * more than half of it is spent.
 *
 *     [ spent spent spent | head ... tail ]
 */

/** Below this many spent slots cleaning up costs more than it frees. */
const spentSlotsMin = 64;

export class FifoQueue<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  peekLast(): Item | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  at(index: number): Item | undefined {
    return this.#items[this.#head + index];
  }

  /** Puts an item behind the first `count`. Moves those behind it. */
  insert(count: number, item: Item): void {
    this.#items.splice(this.#head + count, 0, item);
  }

  /** How many from the head on are `wanted`, where nobody is behind one who is not: looks at a few of them. */
  countWhile(wanted: (item: Item) => boolean): number {
    let [low, high] = [this.#head, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const item = this.#items[middle];
      if (item !== undefined && wanted(item)) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** Whether any item is `wanted`. */
  some(wanted: (item: Item) => boolean): boolean {
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item !== undefined && wanted(item)) return true;
    }
    return false;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item !== undefined) yield item;
    }
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (this.#head === this.#items.length) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= spentSlotsMin && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes out the first item that is `wanted`; the others stay in order. Looks at no more than those before it. */
  take(wanted: (item: Item) => boolean): Item | undefined {
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item === undefined || !wanted(item)) continue;
      if (index === this.#head) return this.shift();
      this.#items.splice(index, 1);
      return item;
    }
    return undefined;
  }

  /** Drops every item that `keep` refuses; the others stay in order. Takes time in proportion to the length. */
  retain(keep: (item: Item) => boolean): void {
    this.#items = this.#items.filter((item) => item !== undefined && keep(item));
    this.#head = 0;
  }
}
