/**
 * The arena against a map of pages, one entry a page, which is too plain to be wrong. First fit makes every answer
 * certain, so the two must agree exactly, refusals included.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arenaPageBytes, PageArena } from '../../../runtime/tensor/page-arena.ts';

/** Who holds each page; undefined is free. */
type PageMap = (number | undefined)[];

/** First page of the first gap of `pages` pages. */
function firstFit(map: PageMap, pages: number): number | undefined {
  const index = map.findIndex(
    (_, first) =>
      first + pages <= map.length && map.slice(first, first + pages).every((p) => p === undefined),
  );
  return index === -1 ? undefined : index;
}

type Move =
  { readonly kind: 'allocate'; readonly bytes: number } | { readonly kind: 'release'; readonly pick: number };

const arenaPages = fc.integer({ min: 1, max: 40 });
/** Sizes around page borders and inside pages, up to a few pages. */
const bytes = fc.oneof(
  fc.integer({ min: 0, max: 5 * arenaPageBytes }),
  fc
    .record({ pages: fc.nat({ max: 6 }), extra: fc.constantFrom(-1, 0, 1) })
    .map(({ pages, extra }) => Math.max(0, pages * arenaPageBytes + extra)),
);
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ kind: fc.constant('allocate' as const), bytes }),
  fc.record({ kind: fc.constant('release' as const), pick: fc.nat({ max: 1000 }) }),
);

describe('PageArena', () => {
  it('agrees with a map of pages on every range, every refusal and every sum', () => {
    fc.assert(
      fc.property(arenaPages, fc.array(move, { maxLength: 80, size: 'max' }), (pagesTotal, moves) => {
        const arena = new PageArena(pagesTotal * arenaPageBytes);
        const map: PageMap = Array<undefined>(pagesTotal).fill(undefined);
        const held: number[] = [];
        for (const [holder, next] of moves.entries()) {
          if (next.kind === 'allocate') {
            const pages = Math.max(1, Math.ceil(next.bytes / arenaPageBytes));
            const first = firstFit(map, pages);
            const offset = arena.allocate(next.bytes);
            expect(offset).toBe(first === undefined ? undefined : first * arenaPageBytes);
            if (first === undefined || offset === undefined) continue;
            map.fill(holder, first, first + pages);
            held.push(offset);
          } else {
            const [offset] = held.splice(next.pick % Math.max(1, held.length), 1);
            if (offset === undefined) continue;
            arena.release(offset);
            const owner = map[offset / arenaPageBytes];
            for (const [page, holderOfPage] of map.entries())
              if (holderOfPage === owner) map[page] = undefined;
          }
          expect(arena.bytesTaken).toBe(map.filter((page) => page !== undefined).length * arenaPageBytes);
          expect(arena.bytesTotal).toBe(pagesTotal * arenaPageBytes);
        }
      }),
    );
  });

  it('is one piece again after everything came back, in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(bytes, { minLength: 1, maxLength: 30 }).chain((sizes) =>
          fc.record({
            sizes: fc.constant(sizes),
            order: fc.shuffledSubarray(
              sizes.map((_, index) => index),
              { minLength: sizes.length },
            ),
          }),
        ),
        ({ sizes, order }) => {
          const arena = new PageArena(64 * arenaPageBytes);
          const offsets = sizes.map((size) => arena.allocate(size));
          for (const index of order) {
            const offset = offsets[index];
            if (offset !== undefined) arena.release(offset);
          }
          expect(arena.bytesTaken).toBe(0);
          expect(arena.allocate(arena.bytesTotal)).toBe(0);
        },
      ),
    );
  });

  it.each([
    { asked: 0, taken: 1, why: 'nothing still takes a page, so that it has an address of its own' },
    { asked: 1, taken: 1, why: 'a byte takes a page' },
    { asked: arenaPageBytes, taken: 1, why: 'a page takes a page' },
    { asked: arenaPageBytes + 1, taken: 2, why: 'a byte more takes another' },
  ])('$why', ({ asked, taken }) => {
    const arena = new PageArena(4 * arenaPageBytes);
    expect(arena.allocate(asked)).toBe(0);
    expect(arena.bytesTaken).toBe(taken * arenaPageBytes);
  });

  it.each([
    { arenaBytes: 0, pages: 0 },
    { arenaBytes: arenaPageBytes - 1, pages: 0 },
    { arenaBytes: 3 * arenaPageBytes + 17, pages: 3 },
  ])('of $arenaBytes bytes hands out $pages pages and no broken one', ({ arenaBytes, pages }) => {
    const arena = new PageArena(arenaBytes);
    const offsets = Array.from({ length: pages + 1 }, () => arena.allocate(1));
    expect(offsets).toEqual([
      ...Array.from({ length: pages }, (_, page) => page * arenaPageBytes),
      undefined,
    ]);
  });

  it('refuses what no gap holds although the gaps together would, and changes nothing', () => {
    const arena = new PageArena(3 * arenaPageBytes);
    const [first, , last] = [arena.allocate(1), arena.allocate(1), arena.allocate(1)];
    arena.release(first!);
    arena.release(last!);
    expect(arena.allocate(2 * arenaPageBytes)).toBeUndefined();
    expect(arena.bytesTaken).toBe(arenaPageBytes);
    expect(arena.allocate(arenaPageBytes)).toBe(0);
  });

  it.each([
    { what: 'a range that came back already', offset: 0 },
    { what: 'the inside of a range', offset: 2 * arenaPageBytes },
    { what: 'an address between pages', offset: arenaPageBytes + 64 },
    { what: 'a free page', offset: 3 * arenaPageBytes },
    { what: 'an address behind the end', offset: 100 * arenaPageBytes },
    { what: 'a negative address', offset: -arenaPageBytes },
  ])('throws when $what is released, and hands nothing out twice after it', ({ offset }) => {
    const arena = new PageArena(8 * arenaPageBytes);
    const returned = arena.allocate(1);
    const held = arena.allocate(2 * arenaPageBytes);
    arena.release(returned!);
    expect(() => {
      arena.release(offset);
    }).toThrow('not handed out');
    expect(held).toBe(arenaPageBytes);
    expect([arena.allocate(1), arena.allocate(5 * arenaPageBytes), arena.allocate(1)]).toEqual([
      0,
      3 * arenaPageBytes,
      undefined,
    ]);
  });
});
