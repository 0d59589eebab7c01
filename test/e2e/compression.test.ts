/**
 * Compressed bodies and answers: what comes in compressed is the same request, what goes out compressed the same answer,
 * and a few bytes that want to become gigabytes become an error instead.
 */
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import {
  decodedBody,
  type HttpAnswer,
  HttpConnection,
  requestBytes,
  type RequestParts,
} from './http-connection.ts';
import { echoModel } from './odd-models.ts';

const inflatedBytesMax = 1024 * 1024;
const bombBytes = 128 * inflatedBytesMax;
const models = [
  { name: 'echo', version: '1.0.0', file: echoModel([{ datatype: 'FP32', shape: ['batch', 4] }]) },
];
// The best quality takes 20 seconds for the bomb and saves nothing.
const brotli = (text: string | Uint8Array): Buffer =>
  brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
const compressors = { gzip: gzipSync, deflate: deflateSync, br: brotli } as const;
type Encoding = keyof typeof compressors;
const encodings = Object.keys(compressors) as Encoding[];

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models,
    limits: { inflatedBytesMax, bodyBytesMax: 4 * inflatedBytesMax },
  });
});
afterAll(() => under.close());

/** Whatever a case did, nothing of it is left. */
afterEach(async () => {
  expect((await ask(request(1))).status).toBe(200);
  expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
});

async function ask(parts: RequestParts): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(under.port);
  try {
    return await within(connection.exchange(parts), 'an answer');
  } finally {
    connection.destroy();
  }
}

function bodyOf(rows: number): string {
  const data = Array.from({ length: rows * 4 }, (_, index) => index);
  return JSON.stringify({ id: 'r', inputs: [{ name: 'x0', shape: [rows, 4], datatype: 'FP32', data }] });
}

function request(rows: number, headers: Readonly<Record<string, string>> = {}): RequestParts {
  return { method: 'POST', path: '/v2/models/echo/infer', headers, body: bodyOf(rows) };
}

function compressed(text: string | Uint8Array, encoding: Encoding): RequestParts {
  const headers = { 'content-encoding': encoding };
  return { ...request(1, headers), body: compressors[encoding](text) };
}

function codeOf(answer: HttpAnswer): unknown {
  return (JSON.parse(answer.body.toString()) as Readonly<Record<string, unknown>>)['code'];
}

describe.each(encodings)('a body in %s', (encoding) => {
  test.each([1, 200])('of %s rows is answered as without it', async (rows) => {
    const plain = await ask(request(rows));
    const answer = await ask(compressed(bodyOf(rows), encoding));
    expect(answer.status).toBe(200);
    expect(answer.body.equals(plain.body)).toBe(true);
  });

  test('may come a byte at a time', async () => {
    const connection = await HttpConnection.open(under.port);
    const bytes = requestBytes(compressed(bodyOf(2), encoding));
    const answer = connection.next();
    // The server library wants the head in one piece.
    const headBytes = bytes.indexOf('\r\n\r\n') + 4;
    connection.write(bytes.subarray(0, headBytes));
    for (const byte of bytes.subarray(headBytes)) {
      connection.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await within(answer, 'an answer'))?.status).toBe(200);
    connection.destroy();
  });

  test('that inflates to the limit is read, and beyond it refused', async () => {
    const padded = bodyOf(1).padEnd(inflatedBytesMax, ' ');
    expect((await ask(compressed(padded, encoding))).status).toBe(200);
    const refused = await ask(compressed(`${padded} `, encoding));
    expect([refused.status, codeOf(refused)]).toEqual([413, 'INFLATED_TOO_LARGE']);
  });

  test('that is a bomb costs little and is refused', async () => {
    const bomb = compressed(Buffer.alloc(bombBytes), encoding);
    const before = process.memoryUsage.rss();
    const refused = await Promise.all(Array.from({ length: 8 }, () => ask(bomb)));
    const grown = process.memoryUsage.rss() - before;
    for (const answer of refused)
      expect([answer.status, codeOf(answer)]).toEqual([413, 'INFLATED_TOO_LARGE']);
    // Inflated they would be 1 GiB.
    expect(grown).toBeLessThan(bombBytes);
  });

  test.each([
    { what: 'cut off', damage: (bytes: Buffer) => bytes.subarray(0, bytes.length - 6) },
    { what: 'not compressed at all', damage: () => Buffer.from(bodyOf(1)) },
    { what: 'changed inside', damage: (bytes: Buffer) => bytes.fill(0xa5, 4, 20) },
  ])('that is $what is refused', async ({ damage }) => {
    const parts = compressed(bodyOf(50), encoding);
    const refused = await ask({ ...parts, body: damage(Buffer.from(parts.body ?? '')) });
    expect(refused.status).toBe(400);
    expect(['MALFORMED_COMPRESSION', 'MALFORMED_JSON']).toContain(codeOf(refused));
  });
});

test.each(['gzip, gzip', 'deflate, gzip', 'zstd', 'compress', 'GZ', 'gzip;q=1'])(
  'the content encoding %s is refused, saying what is read',
  async (encoding) => {
    const refused = await ask(request(1, { 'content-encoding': encoding }));
    expect([refused.status, codeOf(refused)]).toEqual([415, 'UNSUPPORTED_ENCODING']);
    expect(refused.headers.get('accept-encoding')).toBe('gzip, deflate, br');
  },
);

test.each(['identity', 'GZIP', 'x-gzip'])('the content encoding %s is read', async (encoding) => {
  const body = encoding === 'identity' ? bodyOf(1) : gzipSync(bodyOf(1));
  expect((await ask({ ...request(1, { 'content-encoding': encoding }), body })).status).toBe(200);
});

test('deflate without its wrapper is not deflate', async () => {
  const parts = { ...request(1, { 'content-encoding': 'deflate' }), body: deflateRawSync(bodyOf(1)) };
  expect(codeOf(await ask(parts))).toBe('MALFORMED_COMPRESSION');
});

test('a client that leaves in the middle of a compressed body costs nothing', async () => {
  const bytes = requestBytes(compressed(bodyOf(100), 'gzip'));
  for (const share of [0.5, 0.9]) {
    const connection = await HttpConnection.open(under.port);
    connection.write(bytes.subarray(0, Math.floor(bytes.length * share)));
    await new Promise((resolve) => setTimeout(resolve, 20));
    connection.destroy();
  }
});

describe('an answer', () => {
  const rows = 500;

  test.each(encodings)('is compressed with %s when asked for', async (encoding) => {
    const plain = await ask(request(rows));
    expect(plain.headers.has('content-encoding')).toBe(false);
    expect(plain.headers.get('vary')?.toLowerCase()).toBe('accept-encoding');
    const answer = await ask(request(rows, { 'accept-encoding': encoding }));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-encoding')).toBe(encoding);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('vary')?.toLowerCase()).toBe('accept-encoding');
    expect(answer.body.length).toBeLessThan(plain.body.length / 2);
    expect(decodedBody(answer).equals(plain.body)).toBe(true);
  });

  test.each([
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate', 'gzip'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['br;q=0, gzip;q=0.1', 'gzip'],
    ['*', 'br'],
    ['*;q=0', undefined],
    ['identity', undefined],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['zstd', undefined],
    ['gzip;q=nonsense', undefined],
  ])('asked for as "%s" comes in %s', async (accepted, encoding) => {
    const answer = await ask(request(rows, { 'accept-encoding': accepted }));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-encoding')).toBe(encoding);
  });

  test('is not compressed when it is small, an error or msgpack', async () => {
    const headers = { 'accept-encoding': 'gzip' };
    expect((await ask(request(1, headers))).headers.has('content-encoding')).toBe(false);
    const error = await ask({ ...request(1, headers), body: '{' });
    expect([error.status, error.headers.has('content-encoding')]).toEqual([400, false]);
  });

  test('that only tells is compressed too', async () => {
    const answer = await ask({ path: '/v2/openapi.json', headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(JSON.parse(decodedBody(answer).toString())).toMatchObject({ openapi: '3.1.0' });
  });

  test('is whole for clients that inflate by themselves', async () => {
    const answer = await fetch(`${under.url}/v2/models/echo/infer`, { method: 'POST', body: bodyOf(rows) });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    const { outputs } = (await answer.json()) as { outputs: { data: number[] }[] };
    expect(outputs[0]?.data).toHaveLength(rows * 4);
  });
});
