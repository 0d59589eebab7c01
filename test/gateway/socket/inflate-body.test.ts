/** Bodies of every size and cut into any pieces come out as they went in; what is damaged or too large ends once. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { BodyInflater } from '../../../gateway/socket/inflate-body.ts';
import type { Result } from '../../../gateway/wire/error-code.ts';

const compressors = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync };
const bytesMax = 4096;

async function inflated(
  encoding: keyof typeof compressors,
  pieces: readonly Uint8Array[],
): Promise<{ readonly result: Result<Uint8Array>; readonly calls: number }> {
  let calls = 0;
  const result = await new Promise<Result<Uint8Array>>((resolve) => {
    const inflater = new BodyInflater({
      encoding,
      bytesMax,
      done: (body) => {
        calls += 1;
        resolve(body);
      },
    });
    for (const [index, piece] of pieces.entries()) {
      const bytes = Uint8Array.from(piece);
      inflater.write(bytes, index === pieces.length - 1);
      bytes.fill(0);
    }
    if (pieces.length === 0) inflater.write(new Uint8Array(), true);
  });
  await new Promise((resolve) => setTimeout(resolve, 5));
  return { result, calls };
}

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

describe.each(['gzip', 'deflate', 'br'] as const)('%s', (encoding) => {
  test('comes out as it went in', async () => {
    const body = fc.uint8Array({ minLength: 1, maxLength: bytesMax });
    await fc.assert(
      fc.asyncProperty(body, fc.integer({ min: 1, max: 500 }), async (bytes, size) => {
        const { result, calls } = await inflated(encoding, cut(compressors[encoding](bytes), size));
        expect(result.ok && Buffer.from(result.value).equals(bytes)).toBe(true);
        expect(calls).toBe(1);
      }),
      { numRuns: 30 },
    );
  });

  test('ends once when it grows beyond the limit, is cut off or is damaged', async () => {
    const large = await inflated(encoding, cut(compressors[encoding](Buffer.alloc(1e7)), 100));
    expect(large).toMatchObject({ calls: 1, result: { ok: false, code: 'INFLATED_TOO_LARGE' } });
    const bytes = compressors[encoding](Buffer.from('some text that is not very long'));
    const short = await inflated(encoding, [bytes.subarray(0, bytes.length - 5)]);
    expect(short).toMatchObject({ calls: 1, result: { ok: false, code: 'MALFORMED_COMPRESSION' } });
    const wrong = await inflated(encoding, [Buffer.alloc(50, 0xff)]);
    expect(wrong).toMatchObject({ calls: 1, result: { ok: false, code: 'MALFORMED_COMPRESSION' } });
  });

  test('is refused when something follows it, in whatever pieces it comes', async () => {
    const bytes = compressors[encoding](Buffer.from('some text that is not very long'));
    const followed = Buffer.concat([bytes, Buffer.from('and more')]);
    for (const pieces of [[followed], cut(followed, 1), [bytes, followed.subarray(bytes.length)]]) {
      const { result, calls } = await inflated(encoding, pieces);
      expect([calls, result]).toMatchObject([1, { ok: false, code: 'MALFORMED_COMPRESSION' }]);
    }
  });

  test('waits for the rest of the body behind its own end, and is refused when that is not empty', async () => {
    const bytes = compressors[encoding](Buffer.from('some text'));
    for (const [rest, expected] of [
      ['', { ok: true }],
      ['x', { ok: false, code: 'MALFORMED_COMPRESSION' }],
    ] as const) {
      const results: Result<Uint8Array>[] = [];
      const inflater = new BodyInflater({ encoding, bytesMax, done: (body) => results.push(body) });
      inflater.write(bytes, false);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(results).toEqual([]);
      inflater.write(Buffer.from(rest), true);
      expect(results).toEqual([]);
      await vi.waitFor(() => {
        expect(results).toMatchObject([expected]);
      }, 20_000);
    }
  });

  test('says nothing more once it was cancelled', async () => {
    let calls = 0;
    const inflater = new BodyInflater({ encoding, bytesMax, done: () => (calls += 1) });
    inflater.write(compressors[encoding](Buffer.alloc(1e6)), true);
    inflater.cancel();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(calls).toBe(0);
  });
});
