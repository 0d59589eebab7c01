/**
 * The part of WebSocket framing (RFC 6455 section 5) that a load generator needs: whole binary messages, no
 * compression. A general client does far more for each, and load must cost less than what it loads. Pure.
 */

/** The longest message whose length fits the two-byte form. */
const mediumBytesMax = 0xffff;
/** Longer messages than any limit of a gateway are a sign of something that is no WebSocket. */
const messageBytesMax = 2 ** 31;

/**
 * A client frame. The masking key is zero, which is a legal key and leaves the payload as it is; the server unmasks it
 * all the same.
 */
export function encodeClientFrame(payload: Uint8Array): Uint8Array {
  const size = payload.length;
  const headBytes = size < 126 ? 2 : size <= mediumBytesMax ? 4 : 10;
  const frame = new Uint8Array(headBytes + 4 + size);
  const view = new DataView(frame.buffer);
  frame[0] = 0x82;
  frame[1] = 0x80 | (headBytes === 2 ? size : headBytes === 4 ? 126 : 127);
  if (headBytes === 4) view.setUint16(2, size);
  if (headBytes === 10) view.setBigUint64(2, BigInt(size));
  frame.set(payload, headBytes + 4);
  return frame;
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
  if (second > 127) throw new Error('The server sent a masked frame.');
  const headBytes = second === 126 ? 4 : 10;
  if (bytes.length < at + headBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, headBytes);
  const payloadBytes = second === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
  if (payloadBytes > messageBytesMax)
    throw new Error(`The server sent a frame of more than ${messageBytesMax} bytes.`);
  return { bytes: headBytes, payloadBytes };
}
