/**
 * What a judge knows, as it outlives a restart: its counts, and the tables of fixed size that say who was counted. Without
 * the tables a caller would count anew after each restart, and one whose requests always fail would condemn, restart by
 * restart, whichever version it meets.
 */

export type SeatTable = Uint8Array | Uint32Array;

export interface Kept {
  /** Plain data, for JSON; looked at before anybody goes on from it. */
  readonly counts: unknown;
  /** The tables as bytes, in the order of their owner. They are those in use, not copies. */
  readonly tables: readonly Uint8Array[];
}

/** The tables as bytes, without a copy. */
export function bytesOf(tables: readonly SeatTable[]): readonly Uint8Array[] {
  return tables.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
}

/** Whether the bytes are tables of these sizes. */
export function isAlike(tables: readonly SeatTable[], kept: readonly Uint8Array[]): boolean {
  return (
    tables.length === kept.length &&
    tables.every(({ byteLength }, index) => byteLength === kept[index]?.byteLength)
  );
}

/** Fills the tables with what was kept of them, which `isAlike`. */
export function fillTables(tables: readonly SeatTable[], kept: readonly Uint8Array[]): void {
  for (const [index, bytes] of bytesOf(tables).entries()) bytes.set(kept[index] ?? []);
}
