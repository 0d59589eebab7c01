/**
 * Rows in shared memory: random lives of requests, of several batch keys in one arena, with every byte that a request
 * holds on record. Whatever is placed and released when, no byte has two holders and the arena gets everything back.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arenaPageBytes, PageArena } from '../../../runtime/tensor/page-arena.ts';
import { type RowPlace, RowSlabs } from '../../../runtime/tensor/row-slabs.ts';

interface Claim {
  readonly slabs: RowSlabs;
  readonly place: RowPlace;
  readonly rows: number;
}

interface Interval {
  readonly start: number;
  readonly end: number;
}

/** The bytes of each input of a claim; inputs without bytes have none. */
function intervalsOf({ slabs, place, rows }: Claim): Interval[] {
  return slabs.rowBytes
    .map((rowBytes, input) => {
      const start = slabs.byteOffset(place, input);
      return { start, end: start + rows * rowBytes };
    })
    .filter(({ start, end }) => end > start);
}

/** The first two of them that share a byte, for a message that says where. */
function overlap(intervals: readonly Interval[]): readonly [Interval, Interval] | undefined {
  const sorted = intervals.toSorted((a, b) => a.start - b.start);
  for (const [index, later] of sorted.entries()) {
    const earlier = sorted[index - 1];
    if (earlier !== undefined && later.start < earlier.end) return [earlier, later];
  }
  return undefined;
}

const rowBytesOfKey = fc.array(fc.constantFrom(0, 1, 2, 4, 12, 16, 48, 100, 784, 3136), {
  minLength: 1,
  maxLength: 4,
});
const key = fc.record({ rowBytes: rowBytesOfKey, slabRows: fc.integer({ min: 1, max: 64 }) });
const move = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('place' as const),
      key: fc.nat({ max: 2 }),
      rows: fc.integer({ min: 1, max: 100 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat({ max: 1000 }) }),
  },
);

const lives = fc.record({
  arenaPages: fc.integer({ min: 1, max: 300 }),
  keys: fc.array(key, { minLength: 1, maxLength: 3 }),
  moves: fc.array(move, { maxLength: 100, size: 'max' }),
});

/** Plays random lives and shows `watch` all live claims after each move. */
function live(
  { arenaPages, keys, moves }: typeof lives extends fc.Arbitrary<infer Value> ? Value : never,
  watch: (claims: readonly Claim[], arena: PageArena) => void,
): { readonly arena: PageArena; readonly all: readonly RowSlabs[]; readonly claims: Claim[] } {
  const arena = new PageArena(arenaPages * arenaPageBytes);
  const all = keys.map((options) => new RowSlabs({ arena, ...options }));
  const claims: Claim[] = [];
  for (const next of moves) {
    if (next.kind === 'place') {
      const slabs = all[next.key % all.length]!;
      const place = slabs.place(next.rows);
      if (place !== undefined) claims.push({ slabs, place, rows: next.rows });
    } else {
      const [claim] = claims.splice(next.pick % Math.max(1, claims.length), 1);
      claim?.slabs.release(claim.place);
    }
    watch(claims, arena);
  }
  return { arena, all, claims };
}

describe('RowSlabs', () => {
  it('never gives a byte to two live requests, of whatever batch key', () => {
    fc.assert(
      fc.property(lives, (life) => {
        live(life, (claims) => {
          expect(overlap(claims.flatMap(intervalsOf))).toBeUndefined();
        });
      }),
    );
  });

  it('keeps rows inside of the memory of their slab, and their slab inside of the arena', () => {
    fc.assert(
      fc.property(lives, (life) => {
        live(life, (claims, arena) => {
          const outside = claims.filter((claim) => {
            const { arenaOffset, bytes } = claim.place.slab;
            const slabEnd = arenaOffset + bytes;
            if (slabEnd > arena.bytesTotal) return true;
            return intervalsOf(claim).some(({ start, end }) => start < arenaOffset || end > slabEnd);
          });
          expect(outside).toEqual([]);
        });
      }),
    );
  });

  it('starts every column at a multiple of 64 bytes, so that every element type is aligned', () => {
    fc.assert(
      fc.property(lives, (life) => {
        live(life, (claims) => {
          const offsets = claims.flatMap(({ place }) => place.slab.columnOffsets);
          expect(offsets.filter((offset) => offset % 64 !== 0)).toEqual([]);
        });
      }),
    );
  });

  it('gives the arena everything back once all is released and closed', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const { arena, all, claims } = live(life, () => undefined);
        for (const { slabs, place } of claims) slabs.release(place);
        for (const slabs of all) slabs.close();
        expect(arena.bytesTaken).toBe(0);
        expect(arena.allocate(arena.bytesTotal)).toBe(0);
      }),
    );
  });

  it('puts requests that arrive in a row side by side, in every column', () => {
    fc.assert(
      fc.property(key, fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1 }), (options, sizes) => {
        const slabs = new RowSlabs({ arena: new PageArena(1024 * arenaPageBytes), ...options });
        let expected = options.rowBytes.map(() => 0);
        let rowsSoFar = 0;
        for (const rows of sizes) {
          if (rowsSoFar > 0 && rowsSoFar + rows > options.slabRows) break;
          const place = slabs.place(rows)!;
          const offsets = options.rowBytes.map((_, input) => slabs.byteOffset(place, input));
          if (rowsSoFar > 0) expect(offsets).toEqual(expected);
          expected = offsets.map((offset, input) => offset + rows * options.rowBytes[input]!);
          rowsSoFar += rows;
        }
      }),
    );
  });

  it('starts again at the first row of the same slab when nobody is left in it', () => {
    const arena = new PageArena(64 * arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [16], slabRows: 8 });
    const [first, second] = [slabs.place(3)!, slabs.place(2)!];
    slabs.release(second);
    expect(slabs.place(1)).toEqual({ slab: first.slab, row: 5 });
    slabs.release(first);
    slabs.release({ slab: first.slab, row: 5 });
    expect(slabs.place(4)).toEqual({ slab: first.slab, row: 0 });
  });

  it('opens another slab when the rows do not fit, and lets the full one go with its last request', () => {
    const arena = new PageArena(64 * arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [arenaPageBytes], slabRows: 4 });
    const [first, second] = [slabs.place(3)!, slabs.place(2)!];
    expect(second.slab).not.toBe(first.slab);
    expect(arena.bytesTaken).toBe(8 * arenaPageBytes);
    slabs.release(first);
    expect(arena.bytesTaken).toBe(4 * arenaPageBytes);
  });

  it.each([
    { rows: 16, kept: 16, why: 'keeps an idle slab of 64 KiB for the next arrival' },
    { rows: 17, kept: 0, why: 'gives a larger idle slab back at once' },
  ])('$why', ({ rows, kept }) => {
    const arena = new PageArena(64 * arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [arenaPageBytes], slabRows: rows });
    slabs.release(slabs.place(1)!);
    expect(arena.bytesTaken).toBe(kept * arenaPageBytes);
  });

  it('holds a request that is larger than a slab in one of its own size', () => {
    const arena = new PageArena(64 * arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [arenaPageBytes], slabRows: 4 });
    const place = slabs.place(40)!;
    expect([place.slab.rowsCapacity, place.row, arena.bytesTaken]).toEqual([40, 0, 40 * arenaPageBytes]);
  });

  it('makes do with a slab of just the request when a full one does not fit any more', () => {
    const arena = new PageArena(4 * arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [arenaPageBytes], slabRows: 8 });
    expect(slabs.place(3)?.slab.rowsCapacity).toBe(3);
    expect(slabs.place(1)?.slab.rowsCapacity).toBe(1);
    expect(slabs.place(1)).toBeUndefined();
  });

  it('refuses without touching what is held, and places again once room came back', () => {
    const arena = new PageArena(4 * arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [arenaPageBytes], slabRows: 4 });
    const first = slabs.place(3)!;
    expect(slabs.place(2)).toBeUndefined();
    expect(slabs.place(1)).toEqual({ slab: first.slab, row: 3 });
    expect(slabs.place(1)).toBeUndefined();
    slabs.release(first);
    slabs.release({ slab: first.slab, row: 3 });
    expect(slabs.place(4)?.row).toBe(0);
  });

  it('refuses only what really does not fit: its own idle slab is no obstacle', () => {
    const arena = new PageArena(8 * arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [arenaPageBytes], slabRows: 4 });
    slabs.release(slabs.place(1)!);
    expect(slabs.place(8)?.slab.rowsCapacity).toBe(8);
  });

  it('gives inputs without bytes, such as strings, rows that take no room', () => {
    const arena = new PageArena(arenaPageBytes);
    const slabs = new RowSlabs({ arena, rowBytes: [0, 4, 0], slabRows: 4 });
    const [a, b] = [slabs.place(1)!, slabs.place(2)!];
    expect([a, b].map((place) => slabs.byteOffset(place, 1) - slabs.byteOffset(a, 1))).toEqual([0, 4]);
    expect(slabs.byteOffset(b, 0)).toBe(slabs.byteOffset(a, 0));
  });
});
