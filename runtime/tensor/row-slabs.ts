/**
 * Gives each request of one batch key its rows in shared memory, one after the other, so that a batch of requests that
 * arrived in a row is one contiguous piece per input and runs without being gathered.
 *
 *     slab:  | input 0: row row row row ..... | input 1: row row row row ..... |
 *                        ^ nextRow                        ^ the same row index
 *
 * Invariants: a row belongs to at most one request; a slab is given back to the arena when its last request is
 * released, except a small one that takes arrivals: it is kept and starts again at row 0.
 */
import type { PageArena } from './page-arena.ts';

/** Columns start at multiples of this, so that every element type is aligned. */
const columnAlignBytes = 64;

/** An idle slab up to this size is kept for the next arrival; larger ones would starve the other models. Bytes. */
const idleSlabBytesMax = 64 * 1024;

export interface Slab {
  /** Byte offset in the arena of each input's first row. */
  readonly columnOffsets: readonly number[];
  readonly arenaOffset: number;
  readonly bytes: number;
  readonly rowsCapacity: number;
  nextRow: number;
  liveRequests: number;
}

/** Where one request's rows are: rows `[row, row + rows)` of every column of the slab. */
export interface RowPlace {
  readonly slab: Slab;
  readonly row: number;
}

export interface RowSlabsOptions {
  readonly arena: PageArena;
  /** Bytes of one row of each input, in the model's order. */
  readonly rowBytes: readonly number[];
  /** Rows a slab should hold if it can; at least the largest batch, so that batches seldom span two slabs. */
  readonly slabRows: number;
}

export class RowSlabs {
  readonly rowBytes: readonly number[];
  readonly #arena: PageArena;
  readonly #slabRows: number;
  #current: Slab | undefined;

  constructor(options: RowSlabsOptions) {
    this.#arena = options.arena;
    this.rowBytes = options.rowBytes;
    this.#slabRows = options.slabRows;
  }

  /** Rows for one request, or undefined when the arena is full: the caller refuses the request. */
  place(rows: number): RowPlace | undefined {
    let slab = this.#current;
    if (slab === undefined || slab.nextRow + rows > slab.rowsCapacity) {
      // A slab with requests goes back with its last one; an idle one goes first, as it may lie in the way.
      if (slab?.liveRequests === 0) this.close();
      slab = this.#open(Math.max(rows, this.#slabRows)) ?? this.#open(rows);
      if (slab === undefined) return undefined;
      this.#current = slab;
    }
    const row = slab.nextRow;
    slab.nextRow += rows;
    slab.liveRequests += 1;
    return { slab, row };
  }

  /** Ends a request's claim. Its rows may be overwritten from now on. */
  release(place: RowPlace): void {
    const { slab } = place;
    slab.liveRequests -= 1;
    if (slab.liveRequests > 0) return;
    if (slab === this.#current && slab.bytes <= idleSlabBytesMax) {
      slab.nextRow = 0;
      return;
    }
    if (slab === this.#current) this.#current = undefined;
    this.#arena.release(slab.arenaOffset);
  }

  /** Byte offset in the arena where `input`'s rows of the request begin. */
  byteOffset(place: RowPlace, input: number): number {
    return (place.slab.columnOffsets[input] ?? 0) + place.row * (this.rowBytes[input] ?? 0);
  }

  /** Gives everything back. Only legal once every request is released. */
  close(): void {
    const slab = this.#current;
    this.#current = undefined;
    if (slab?.liveRequests === 0) this.#arena.release(slab.arenaOffset);
  }

  #open(rowsCapacity: number): Slab | undefined {
    const columnOffsets: number[] = [];
    let bytes = 0;
    for (const rowBytes of this.rowBytes) {
      columnOffsets.push(bytes);
      bytes += Math.ceil((rowBytes * rowsCapacity) / columnAlignBytes) * columnAlignBytes;
    }
    const arenaOffset = this.#arena.allocate(bytes);
    if (arenaOffset === undefined) return undefined;
    return {
      columnOffsets: columnOffsets.map((offset) => arenaOffset + offset),
      arenaOffset,
      bytes,
      rowsCapacity,
      nextRow: 0,
      liveRequests: 0,
    };
  }
}
