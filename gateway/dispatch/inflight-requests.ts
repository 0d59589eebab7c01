/**
 * The requests in flight, in no order: an array in which each request knows its seat, so that adding, asking and
 * removing take constant time and no memory.
 *
 * Not a Set: that makes a new table every few hundred changes, and each table it leaves refers to the next. The garbage
 * collector, once it has taken one of them for long-lived, then keeps all later ones and every request in them until its
 * next full round; with a Set a fifth of all garbage stayed that long (docs/benchmarks.md, November 2026).
 *
 * Invariant: `seats[request.seat] === request` for every request in here; `request.seat` is -1 for any other.
 */

/** What a request keeps for this list; only the list writes it. */
export interface Seated {
  /** -1 while not in the list. */
  seat: number;
}

export class InflightRequests<Request extends Seated> {
  readonly #seats: Request[] = [];

  get size(): number {
    return this.#seats.length;
  }

  has(request: Request): boolean {
    return request.seat >= 0;
  }

  add(request: Request): void {
    if (request.seat >= 0) throw new Error('a request is added twice');
    request.seat = this.#seats.length;
    this.#seats.push(request);
  }

  /** The last one takes the seat that becomes free. */
  remove(request: Request): void {
    if (request.seat < 0) throw new Error('a request left twice');
    const last = this.#seats.pop();
    if (last !== undefined && last !== request) {
      this.#seats[request.seat] = last;
      last.seat = request.seat;
    }
    request.seat = -1;
  }

  /** A copy, so that requests may leave while one walks over it. */
  list(): readonly Request[] {
    return [...this.#seats];
  }
}
