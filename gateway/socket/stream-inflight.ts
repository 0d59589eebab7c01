/**
 * The requests of one socket that are not answered yet, found by their id.
 *
 * Ids are mostly numbers that count up, so a number has its seat at its lowest bits, and requests whose seat is taken,
 * or whose id is a string, stand in a map beside. A map alone costs several times as much for each request.
 * Invariant: a request is in one of the two places, and no id twice.
 */
import type { FrameId } from '../wire/stream-frame.ts';

const seatsMin = 16;

export class StreamInflight<Call extends { readonly id: FrameId }> {
  #seats: (Call | undefined)[] = [];
  readonly #others = new Map<FrameId, Call>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: FrameId): Call | undefined {
    if (typeof id === 'number') {
      const call = this.#seats[id & (this.#seats.length - 1)];
      if (call?.id === id) return call;
    }
    return this.#others.size === 0 ? undefined : this.#others.get(id);
  }

  /** The id is not in here yet. */
  add(call: Call): void {
    if (this.#size >= this.#seats.length) this.#grow();
    this.#size += 1;
    this.#place(call);
  }

  remove(call: Call): void {
    const { id } = call;
    const seat = typeof id === 'number' ? id & (this.#seats.length - 1) : -1;
    if (seat >= 0 && this.#seats[seat] === call) this.#seats[seat] = undefined;
    else if (!this.#others.delete(id)) return;
    this.#size -= 1;
  }

  /** All of them, in no order; nobody is in here afterwards. */
  takeAll(): readonly Call[] {
    const calls = [...this.#seats.filter((call) => call !== undefined), ...this.#others.values()];
    this.#seats = [];
    this.#others.clear();
    this.#size = 0;
    return calls;
  }

  #place(call: Call): void {
    const seat = typeof call.id === 'number' ? call.id & (this.#seats.length - 1) : -1;
    if (seat >= 0 && this.#seats[seat] === undefined) this.#seats[seat] = call;
    else this.#others.set(call.id, call);
  }

  #grow(): void {
    const seats = this.#seats;
    this.#seats = new Array<Call | undefined>(Math.max(seatsMin, seats.length * 2)).fill(undefined);
    for (const call of seats) if (call !== undefined) this.#place(call);
  }
}
