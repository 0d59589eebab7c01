/**
 * WebSocket load that costs the client next to nothing: frames are encoded and masked once and sent again and again in
 * blocks, and answers are only walked over and counted. A client that does more for each frame costs more than the
 * server that it measures. Pure.
 *
 * A socket has two blocks of different ids. A block is sent again once as many answers came as it has frames: the
 * servers measured here answer the frames of one socket in their order, and where one does not, an id would be in flight
 * twice, which the gateway answers with an error of another size, and that is counted as a failure.
 */

const headBytesMax = 8;

/** One client frame (RFC 6455 section 5.2) of a binary message of up to 64 KiB, masked as browsers do it. */
export function maskedFrame(
  payload: Uint8Array,
  mask: readonly [number, number, number, number],
): Uint8Array {
  if (payload.length > 0xffff) throw new RangeError('A frame of more than 65535 bytes is not sent here.');
  const frame = new Uint8Array(headBytesMax + payload.length);
  frame[0] = 0x82;
  let at = 2;
  if (payload.length < 126) {
    frame[1] = 0x80 | payload.length;
  } else {
    frame.set([0x80 | 126, payload.length >> 8, payload.length & 0xff], 1);
    at = 4;
  }
  frame.set(mask, at);
  at += 4;
  for (const [index, byte] of payload.entries()) frame[at + index] = byte ^ (mask[index & 3] ?? 0);
  return frame.subarray(0, at + payload.length);
}

/** Frames with the ids `firstId`, `firstId + 1`, ... at `idAt` of the payload, as big-endian 32 bits, side by side. */
export function frameBlock(options: {
  readonly payload: Uint8Array;
  readonly idAt: number;
  readonly firstId: number;
  readonly frames: number;
}): Uint8Array {
  const { idAt, firstId, frames } = options;
  const payload = options.payload.slice();
  const view = new DataView(payload.buffer, payload.byteOffset);
  return Buffer.concat(
    Array.from({ length: frames }, (_, index) => {
      view.setUint32(idAt, firstId + index);
      return maskedFrame(payload, [0x37, 0xfa, 0x21, 0x3d]);
    }),
  );
}

/** Counts the frames of a server, wherever the chunks are cut, and how many of them are not as expected. */
export class AnswerCounter {
  readonly #answerBytes: number;
  /** Bytes of the current frame that are still to come. */
  #skip = 0;
  /** A frame head that was cut. */
  #cut: Uint8Array = new Uint8Array(0);
  answers = 0;
  /** Frames that are no binary message of the expected size. */
  wrong = 0;

  /** `answerBytes`: of the payload of a good answer. */
  constructor(answerBytes: number) {
    this.#answerBytes = answerBytes;
  }

  read(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#cut.length > 0) {
      bytes = Buffer.concat([this.#cut, chunk]);
      this.#cut = new Uint8Array(0);
    }
    const end = bytes.length;
    let at = this.#skip;
    while (at < end) {
      const length = bytes[at + 1];
      const headBytes = length === 126 ? 4 : 2;
      if (length === undefined || at + headBytes > end) {
        this.#cut = bytes.slice(at);
        this.#skip = 0;
        return;
      }
      const payload = length === 126 ? ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0) : length;
      if (bytes[at] !== 0x82 || length === 127 || payload !== this.#answerBytes) this.wrong += 1;
      this.answers += 1;
      at += headBytes + payload;
    }
    this.#skip = at - end;
  }
}
