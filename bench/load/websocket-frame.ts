/**
 * The part of WebSocket framing (RFC 6455 section 5) that a load generator needs: whole binary messages, no
 * compression. A general client does far more for each, and load must cost less than what it loads. Pure.
 */

/** The longest message whose length fits the two-byte form; longer ones are not sent here. */
const messageBytesMax = 0xffff;

/**
 * A client frame. The masking key is zero, which is a legal key and leaves the payload as it is; the server unmasks it
 * all the same.
 */
export function encodeClientFrame(payload: Uint8Array): Uint8Array {
  if (payload.length > messageBytesMax)
    throw new RangeError(`A frame of ${payload.length} bytes is too long here.`);
  const short = payload.length < 126;
  const length = short ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Uint8Array.from([0x82, ...length, 0, 0, 0, 0, ...payload]);
}

/** Cuts what a server sends into messages, wherever the chunks are cut. */
export class ServerFrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /**
   * Hands out the payload of each message that is complete; it points into the chunk and lives as long as that.
   * Throws for anything but whole binary messages, which a server has no reason to send here.
   */
  read(chunk: Uint8Array, onMessage: (payload: Uint8Array) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const header = readHeader(bytes, at);
      if (header === undefined || at + header.bytes + header.payloadBytes > bytes.length) break;
      const start = at + header.bytes;
      at = start + header.payloadBytes;
      onMessage(bytes.subarray(start, at));
    }
    this.#rest = bytes.subarray(at);
  }
}

interface FrameHeader {
  readonly bytes: number;
  readonly payloadBytes: number;
}

/** Undefined while the header is not all there. */
function readHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  const first = bytes[at];
  const second = bytes[at + 1];
  if (first === undefined || second === undefined) return undefined;
  if (first !== 0x82) throw new Error(`The server sent a frame that starts with 0x${first.toString(16)}.`);
  if (second < 126) return { bytes: 2, payloadBytes: second };
  if (second > 126) throw new Error(`The server sent a frame of more than ${messageBytesMax} bytes.`);
  const high = bytes[at + 2];
  const low = bytes[at + 3];
  return high === undefined || low === undefined ? undefined : { bytes: 4, payloadBytes: (high << 8) | low };
}
