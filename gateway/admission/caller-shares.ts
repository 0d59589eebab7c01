/**
 * What each caller has in the gateway: rows and bytes of requests that are not answered yet, and bytes of bodies that still
 * arrive; or, in a table of its own, the sequences it has open. It bounds them, so that one caller who sends without end
 * leaves room for all. Who a caller is was decided where the request came in.
 *
 * Invariant: each share is released once for each time that it was taken, unchanged; who has nothing here is not kept.
 */

/** What one request has here, wherever it is at the moment. */
export interface CallerShare {
  /** Undefined where callers are not bound; then it counts for nobody. */
  readonly caller: string | undefined;
  readonly rows: number;
  /** Of the packed inputs; before they are read, of the body. */
  readonly bytes: number;
}

/** What there is no more room for. */
export type CallerLack = 'rows' | 'bytes';

export interface CallerBounds {
  /** 0 does not bound them. */
  readonly rowsMax: number;
  /** 0 does not bound them. */
  readonly bytesMax: number;
}

interface Held {
  rows: number;
  bytes: number;
}

export class CallerShares {
  readonly #rowsMax: number;
  readonly #bytesMax: number;
  readonly #held = new Map<string, Held>();

  constructor({ rowsMax, bytesMax }: CallerBounds) {
    this.#rowsMax = rowsMax === 0 ? Infinity : rowsMax;
    this.#bytesMax = bytesMax === 0 ? Infinity : bytesMax;
  }

  /** Callers that have something here. */
  get size(): number {
    return this.#held.size;
  }

  /** Why a share may not be taken; undefined when it may. A caller that has nothing here may always have one request. */
  lackOf({ caller, rows, bytes }: CallerShare): CallerLack | undefined {
    const held = caller === undefined ? undefined : this.#held.get(caller);
    if (held === undefined) return undefined;
    if (!fits(rows, held.rows, this.#rowsMax)) return 'rows';
    return fits(bytes, held.bytes, this.#bytesMax) ? undefined : 'bytes';
  }

  take({ caller, rows, bytes }: CallerShare): void {
    if (caller === undefined || (rows === 0 && bytes === 0)) return;
    const held = this.#held.get(caller);
    if (held === undefined) {
      this.#held.set(caller, { rows, bytes });
      return;
    }
    held.rows += rows;
    held.bytes += bytes;
  }

  /** Exactly once for each `take`. */
  release({ caller, rows, bytes }: CallerShare): void {
    if (caller === undefined || (rows === 0 && bytes === 0)) return;
    const held = this.#held.get(caller);
    if (held === undefined || held.rows < rows || held.bytes < bytes) {
      throw new Error('a caller gives back more than was taken');
    }
    held.rows -= rows;
    held.bytes -= bytes;
    if (held.rows === 0 && held.bytes === 0) this.#held.delete(caller);
  }
}

/** What takes nothing needs no room, and the first may be larger than all may be together. */
function fits(more: number, held: number, most: number): boolean {
  return more === 0 || held === 0 || held + more <= most;
}
