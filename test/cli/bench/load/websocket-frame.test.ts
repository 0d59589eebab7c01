/** Framing against the RFC's own examples, and messages that arrive in any pieces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeClientFrame, ServerFrameReader } from '../../../../cli/bench/load/websocket-frame.ts';

/** A binary message as RFC 6455 section 5.2 lays it out for a server: no mask. */
function serverFrame(payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const long = [0x82, 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff];
  const medium = [0x82, 126, length >> 8, length & 0xff];
  return Uint8Array.from([...(length < 126 ? [0x82, length] : length <= 0xffff ? medium : long), ...payload]);
}

function readAll(chunks: readonly Uint8Array[]): number[][] {
  const reader = new ServerFrameReader();
  const messages: number[][] = [];
  for (const chunk of chunks) reader.read(chunk, (payload) => messages.push([...payload]));
  return messages;
}

describe('client frames', () => {
  it('are final, binary and masked with a key of zeros', () => {
    expect([...encodeClientFrame(Uint8Array.of(1, 2, 3))]).toEqual([0x82, 0x83, 0, 0, 0, 0, 1, 2, 3]);
  });

  it.each([125, 126, 0xffff, 0x10000, 600_000])(
    'carry a payload of %i bytes with the shortest length that fits',
    (length) => {
      const frame = encodeClientFrame(new Uint8Array(length).fill(9));
      expect(frame.length).toBe(length + (length < 126 ? 6 : length <= 0xffff ? 8 : 14));
      const long = [
        0xff,
        0,
        0,
        0,
        0,
        (length >>> 24) & 0xff,
        (length >> 16) & 0xff,
        (length >> 8) & 0xff,
        length & 0xff,
      ];
      const head =
        length < 126 ? [0x80 | length] : length <= 0xffff ? [0xfe, length >> 8, length & 0xff] : long;
      expect([...frame.subarray(1, 1 + head.length)]).toEqual(head);
      expect(frame.at(-1)).toBe(9);
    },
  );
});

describe('server frames', () => {
  it('come out whole wherever the stream is cut', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0xfffe, max: 0x10002 }).map((length) => new Uint8Array(length).fill(7)),
    );
    fc.assert(
      fc.property(
        fc.array(payload, { maxLength: 8 }),
        fc.array(fc.nat(2000), { maxLength: 12 }),
        (payloads, cuts) => {
          const bytes = new Uint8Array(Buffer.concat(payloads.map(serverFrame)));
          const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
          const chunks = at.slice(1).map((end, index) => bytes.slice(at[index], end));
          const read = readAll(chunks);
          expect(read.map(({ length }) => length)).toEqual(payloads.map(({ length }) => length));
          const isSame = read.every((one, index) =>
            Buffer.from(one).equals(payloads[index] ?? new Uint8Array(0)),
          );
          expect(isSame).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each([
    ['a text message', [0x81, 1, 65]],
    ['a part of a message', [0x02, 1, 65]],
    ['a close', [0x88, 2, 3, 0xe8]],
    ['a masked message', [0x82, 0x81, 0, 0, 0, 0, 65]],
    ['far too long', [0x82, 127, 0, 0, 1, 0, 0, 1, 0, 0]],
  ])('that are %s end the run', (_what, bytes) => {
    expect(() => readAll([Uint8Array.from(bytes)])).toThrow(/The server sent/);
  });
});
