/** What of a file is moved when it crosses to another thread. Pure. */

/** The memory of these bytes where it is theirs alone; nothing where they are a part of it, which is copied then. */
export function movedBytes({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}
