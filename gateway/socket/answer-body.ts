/**
 * Hands the body of an answer to the server library. What fits into the socket is taken at once; of the rest the library
 * takes as much as the client reads, and the answer is over only when it has taken the last byte. Call it inside `cork`,
 * behind status and headers.
 */
import type { HttpResponse } from 'uWebSockets.js';

/**
 * Up to this many bytes an answer always fits: an answer is the only one on its connection, and the send buffer of the
 * system is never smaller. Bytes.
 */
const wholeBytesMax = 16 * 1024;

/** Who waits for the last byte to be taken. Called at most once, also within `sendBody`, never after an abort. */
export interface BodyTaken {
  bodyTaken(): void;
}

/**
 * Whether the answer is the last one on its connection, and says so. An answer that does not fit into the socket is only
 * written in one piece where it must be the last.
 */
export type ConnectionEnd = 'no' | 'if small' | 'yes';

/** `body` may be reused when this returns. */
export function sendBody(
  res: HttpResponse,
  body: Uint8Array,
  { end, owner }: { readonly end: ConnectionEnd; readonly owner: BodyTaken },
): void {
  if (body.length <= wholeBytesMax || end === 'yes') {
    res.end(body, end !== 'no');
    owner.bodyTaken();
    return;
  }
  const [, isTaken] = res.tryEnd(body, body.length);
  if (isTaken) owner.bodyTaken();
  else sendRest(res, body, owner);
}

function sendRest(res: HttpResponse, body: Uint8Array, owner: BodyTaken): void {
  const start = res.getWriteOffset();
  const rest = body.slice(start);
  res.onWritable((offset) => {
    const [isBuffered, isTaken] = res.tryEnd(rest.subarray(offset - start), body.length);
    if (isTaken) owner.bodyTaken();
    return isBuffered;
  });
}
