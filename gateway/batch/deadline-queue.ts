/**
 * Items by the time they are due, earliest first: a binary heap in which each item knows its seat, so that one that is
 * no longer of interest can be taken out from the middle. It has no clock: who asks says what time it is.
 *
 * Invariants: no item is due before the one above it; `heap[item.dueSeat] === item` for every item in here, and
 * `item.dueSeat` is -1 for any other.
 */

export interface Due {
  /** Undefined for what is never due; such an item is not in here. */
  readonly deadlineMs: number | undefined;
  /** -1 while not in a queue; only the queue writes it. */
  dueSeat: number;
}

export class DeadlineQueue<Item extends Due> {
  readonly #heap: Item[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** When the next item is due; Infinity when there is none. */
  get nextMs(): number {
    return timeOf(this.#heap[0]);
  }

  add(item: Item): void {
    if (item.deadlineMs === undefined || item.dueSeat >= 0)
      throw new Error('an item is added that is not due');
    item.dueSeat = this.#heap.length;
    this.#heap.push(item);
    this.#rise(item);
  }

  /** Takes an item out, if it is in here. */
  remove(item: Item): void {
    const seat = item.dueSeat;
    if (seat < 0) return;
    item.dueSeat = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#heap[seat] = last;
    last.dueSeat = seat;
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes out the item that was due first, if any was by `nowMs`. */
  takeDue(nowMs: number): Item | undefined {
    const [first] = this.#heap;
    if (first === undefined || timeOf(first) > nowMs) return undefined;
    this.remove(first);
    return first;
  }

  #rise(item: Item): void {
    while (item.dueSeat > 0) {
      const parent = this.#heap[(item.dueSeat - 1) >> 1];
      if (parent === undefined || timeOf(parent) <= timeOf(item)) return;
      this.#swap(parent, item);
    }
  }

  #sink(item: Item): void {
    for (;;) {
      const left = this.#heap[item.dueSeat * 2 + 1];
      const right = this.#heap[item.dueSeat * 2 + 2];
      const child = timeOf(right) < timeOf(left) ? right : left;
      if (child === undefined || timeOf(item) <= timeOf(child)) return;
      this.#swap(item, child);
    }
  }

  /** `upper` and `lower` change places. */
  #swap(upper: Item, lower: Item): void {
    const seat = upper.dueSeat;
    upper.dueSeat = lower.dueSeat;
    lower.dueSeat = seat;
    this.#heap[upper.dueSeat] = upper;
    this.#heap[lower.dueSeat] = lower;
  }
}

function timeOf(item: Due | undefined): number {
  return item?.deadlineMs ?? Infinity;
}
