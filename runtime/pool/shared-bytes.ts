/**
 * Files in memory that all threads can read. What is read here stays in the accounts of the garbage collector until then:
 * shared memory is in nobody's, and would be let go whenever one happens to be collected.
 */

/** Copied in one turn of the event loop, bytes: about a millisecond, since the memory is touched for the first time. */
const sliceBytes = 512 * 1024;

/** The same bytes where they are shared already, a copy of them otherwise. Others get their turn meanwhile. */
export async function inSharedMemory(bytes: Uint8Array): Promise<Uint8Array<SharedArrayBuffer>> {
  if (isShared(bytes)) return bytes;
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  for (let at = 0; at < bytes.byteLength; at += sliceBytes) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve));
    shared.set(bytes.subarray(at, at + sliceBytes), at);
  }
  return shared;
}

function isShared(bytes: Uint8Array): bytes is Uint8Array<SharedArrayBuffer> {
  return bytes.buffer instanceof SharedArrayBuffer;
}
