/**
 * What each caller has in the gateway: rows that were taken and are not answered yet, or sequences that are open. It bounds
 * them, so that one caller who sends without end leaves room for all. Who a caller is was decided where the request came in.
 */

export class CallerRows {
  readonly #rowsMax: number;
  readonly #rows = new Map<string, number>();

  /** `rowsMax` of each caller; 0 does not bound them. */
  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  /** Callers that have something here. */
  get size(): number {
    return this.#rows.size;
  }

  /** Whether `rows` more may be taken. A caller that has nothing here may always have one request. */
  hasRoomFor(caller: string | undefined, rows: number): boolean {
    if (caller === undefined || this.#rowsMax === 0) return true;
    const held = this.#rows.get(caller);
    return held === undefined || held + rows <= this.#rowsMax;
  }

  take(caller: string | undefined, rows: number): void {
    if (caller === undefined || this.#rowsMax === 0) return;
    this.#rows.set(caller, (this.#rows.get(caller) ?? 0) + rows);
  }

  /** Exactly once for each `take`. */
  release(caller: string | undefined, rows: number): void {
    if (caller === undefined || this.#rowsMax === 0) return;
    const left = (this.#rows.get(caller) ?? 0) - rows;
    if (left < 0) throw new Error('a caller gives back more than was taken');
    if (left === 0) this.#rows.delete(caller);
    else this.#rows.set(caller, left);
  }
}
