/** The cheap load generator: frames that a server reads as they were meant, answers counted wherever chunks are cut. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerCounter, frameBlock, maskedFrame } from '../../../bench/load/flood.ts';

/** RFC 6455 section 5.3, done once more. */
function unmasked(frame: Uint8Array): { readonly payload: Buffer; readonly bytes: number } {
  const long = (frame[1] ?? 0) === (0x80 | 126);
  const start = long ? 4 : 2;
  const length = long ? ((frame[2] ?? 0) << 8) | (frame[3] ?? 0) : (frame[1] ?? 0) & 0x7f;
  const mask = frame.subarray(start, start + 4);
  const masked = frame.subarray(start + 4, start + 4 + length);
  return {
    payload: Buffer.from(masked.map((byte, index) => byte ^ (mask[index & 3] ?? 0))),
    bytes: start + 4 + length,
  };
}

function serverFrame(payload: Uint8Array, first = 0x82): Buffer {
  const head =
    payload.length < 126 ? [first, payload.length] : [first, 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from(head), payload]);
}

describe('maskedFrame', () => {
  it('is read as what it was made of', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (payload) => {
        const frame = maskedFrame(payload, [1, 2, 3, 250]);
        expect(frame[0]).toBe(0x82);
        expect(unmasked(frame)).toEqual({ payload: Buffer.from(payload), bytes: frame.length });
      }),
    );
  });
});

describe('frameBlock', () => {
  it('has frames that count their ids up, and leaves the payload alone', () => {
    const payload = Uint8Array.of(9, 0, 0, 0, 0, 7);
    let block = frameBlock({ payload, idAt: 1, firstId: 0xffff, frames: 3 });
    for (const id of [0xffff, 0x1_0000, 0x1_0001]) {
      const { payload: read, bytes } = unmasked(block);
      expect([read[0], read.readUInt32BE(1), read[5]]).toEqual([9, id, 7]);
      block = block.subarray(bytes);
    }
    expect(block.length).toBe(0);
    expect(payload).toEqual(Uint8Array.of(9, 0, 0, 0, 0, 7));
  });
});

describe('AnswerCounter', () => {
  it('counts answers and wrong ones, wherever the chunks are cut', () => {
    const anyFrame = fc.constantFrom<readonly [Buffer, boolean]>(
      [serverFrame(Buffer.alloc(200)), true],
      [serverFrame(Buffer.alloc(199)), false],
      [serverFrame(Buffer.alloc(5)), false],
      [serverFrame(Buffer.alloc(200), 0x81), false],
    );
    fc.assert(
      fc.property(fc.array(anyFrame), fc.array(fc.integer({ min: 1, max: 300 })), (frames, cuts) => {
        const counter = new AnswerCounter(200);
        let bytes: Uint8Array = Buffer.concat(frames.map(([frame]) => frame));
        for (const cut of cuts) {
          counter.read(bytes.subarray(0, cut));
          bytes = bytes.subarray(cut);
        }
        counter.read(bytes);
        expect(counter.answers).toBe(frames.length);
        expect(counter.wrong).toBe(frames.filter(([, isGood]) => !isGood).length);
      }),
    );
  });
});
