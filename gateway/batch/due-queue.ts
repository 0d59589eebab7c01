/**
 * The requests of one level, who is due first first. Those with a deadline are due then; those without one are due
 * `patienceMs` after they came, so that a stream of deadlines cannot keep them waiting for longer than that, and they
 * leave in the order they came. They are the most, and cost what they would cost in a plain queue.
 *
 *     patient: [ by arrival ... ]   timed: [ by deadline ... ]   first: whichever head is due first
 */
import { FifoQueue } from './fifo-queue.ts';

/** How long after its arrival a request without a deadline takes its place before those with one, milliseconds. */
export const patienceMs = 1000;

export interface Timed {
  readonly arrivedMs: number;
  /** When the answer is due, on the clock of `arrivedMs`; undefined lets it wait. */
  readonly deadlineMs: number | undefined;
}

/** By when an item wants to go. */
export function dueMsOf({ arrivedMs, deadlineMs }: Timed): number {
  return deadlineMs ?? arrivedMs + patienceMs;
}

export class DueQueue<Item extends Timed> {
  readonly #patient: FifoQueue<Item> = new FifoQueue<Item>();
  /** Only made once an item has a deadline. */
  #timed: FifoQueue<Item> | undefined;

  get length(): number {
    return this.#patient.length + (this.#timed?.length ?? 0);
  }

  /** The earliest deadline; Infinity when there is none. */
  get deadlineMs(): number {
    return this.#timed?.peek()?.deadlineMs ?? Infinity;
  }

  /** How many items have a deadline. */
  get timedLength(): number {
    return this.#timed?.length ?? 0;
  }

  /** How many of them are due by then. */
  timedBefore(dueMs: number): number {
    return this.#timed?.countWhile(isDueBy(dueMs)) ?? 0;
  }

  /** The one of them at `index`, by deadline. */
  timedAt(index: number): Item | undefined {
    return this.#timed?.at(index);
  }

  push(item: Item): void {
    const { deadlineMs } = item;
    if (deadlineMs === undefined) {
      this.#patient.push(item);
      return;
    }
    this.#timed ??= new FifoQueue<Item>();
    // Where all have the same time to live this is the end of the queue.
    const last = this.#timed.peekLast();
    if (last === undefined || dueMsOf(last) <= deadlineMs) this.#timed.push(item);
    else this.#timed.insert(this.#timed.countWhile(isDueBy(deadlineMs)), item);
  }

  peek(): Item | undefined {
    return this.#first().peek();
  }

  shift(): Item | undefined {
    return this.#first().shift();
  }

  /** How many items would go before one that came now and is due then. */
  countBefore(dueMs: number): number {
    const isDue = isDueBy(dueMs);
    return this.#patient.countWhile(isDue) + (this.#timed?.countWhile(isDue) ?? 0);
  }

  /** Drops every item that `keep` refuses; the others stay in order. Takes time in proportion to the length. */
  retain(keep: (item: Item) => boolean): void {
    this.#patient.retain(keep);
    this.#timed?.retain(keep);
  }

  #first(): FifoQueue<Item> {
    const timed = this.#timed;
    const next = timed?.peek();
    if (timed === undefined || next === undefined) return this.#patient;
    const patient = this.#patient.peek();
    return patient === undefined || dueMsOf(next) <= dueMsOf(patient) ? timed : this.#patient;
  }
}

function isDueBy(dueMs: number): (item: Timed) => boolean {
  return (item) => dueMsOf(item) <= dueMs;
}
