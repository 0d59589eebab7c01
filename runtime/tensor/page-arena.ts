/**
 * Hands out page-aligned ranges of one shared memory block that every thread sees. It knows addresses, not contents.
 *
 * Invariants: free ranges are sorted, never touch each other and never overlap a range that is handed out; the sum of
 * free and handed-out pages is constant. Untouched pages cost address space only, so the block may be generous.
 */

/** Ranges start at multiples of this, which also aligns every element type and keeps ranges off shared cache lines. */
export const arenaPageBytes = 4096;

interface FreeRange {
  readonly firstPage: number;
  readonly pages: number;
}

export class PageArena {
  readonly #pagesTotal: number;
  #free: FreeRange[];
  readonly #taken = new Map<number, number>();
  #pagesTaken = 0;

  constructor(arenaBytes: number) {
    this.#pagesTotal = Math.floor(arenaBytes / arenaPageBytes);
    this.#free = [{ firstPage: 0, pages: this.#pagesTotal }];
  }

  get bytesTaken(): number {
    return this.#pagesTaken * arenaPageBytes;
  }

  get bytesTotal(): number {
    return this.#pagesTotal * arenaPageBytes;
  }

  /** Byte offset of a range of at least `bytes`, or undefined when no free range is large enough. First fit. */
  allocate(bytes: number): number | undefined {
    const pages = Math.max(1, Math.ceil(bytes / arenaPageBytes));
    const index = this.#free.findIndex((range) => range.pages >= pages);
    const range = this.#free[index];
    if (range === undefined) return undefined;
    const rest = { firstPage: range.firstPage + pages, pages: range.pages - pages };
    this.#free.splice(index, 1, ...(rest.pages > 0 ? [rest] : []));
    this.#taken.set(range.firstPage, pages);
    this.#pagesTaken += pages;
    return range.firstPage * arenaPageBytes;
  }

  /** Takes back what `allocate` returned. Throws when it was not handed out: a double release corrupts answers. */
  release(byteOffset: number): void {
    const firstPage = byteOffset / arenaPageBytes;
    const pages = this.#taken.get(firstPage);
    if (pages === undefined) throw new Error(`arena range ${byteOffset} is not handed out`);
    this.#taken.delete(firstPage);
    this.#pagesTaken -= pages;
    this.#free = merged([...this.#free, { firstPage, pages }]);
  }
}

function merged(ranges: readonly FreeRange[]): FreeRange[] {
  const sorted = ranges.toSorted((a, b) => a.firstPage - b.firstPage);
  const result: FreeRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last !== undefined && last.firstPage + last.pages === range.firstPage) {
      result[result.length - 1] = { firstPage: last.firstPage, pages: last.pages + range.pages };
    } else {
      result.push(range);
    }
  }
  return result;
}
