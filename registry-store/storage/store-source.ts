/**
 * Where the bytes of a store come from. A source is never trusted: it may answer anything, and everything it answers
 * is checked above it. Nothing above this interface knows whether it is a folder or a network.
 * Paths are relative to the store, with `/`, as in trust/store-file.ts.
 */
export interface StoreSource {
  /** A whole file, at most `bytesMax` long; undefined when there is none. */
  read(path: string, bytesMax: number): Promise<Uint8Array | undefined>;
  /** A file in pieces, for what is too large to hold. Throws STORE_REFUSED when there is none. */
  stream(path: string): AsyncIterable<Uint8Array>;
}
