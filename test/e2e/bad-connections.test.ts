/**
 * Bytes on a socket that are not, or not quite, HTTP/1.1; and clients that stop in the middle. What cannot be told from
 * noise is refused by the server library itself, with a status of its own and the end of the connection; everything else
 * gets the answer of the protocol. Nothing stays behind.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { smallLimits } from './bad-bodies.ts';
import { eventually, within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';
import { slowModel } from './odd-models.ts';

const body = '{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}]}';
const post = 'POST /v2/models/iris/infer HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n';
const live = 'GET /v2/health/live HTTP/1.1\r\nhost: gateway\r\n';
const goodRequest = `${post}content-length: ${body.length}\r\n\r\n${body}`;

/** A slow model's request: 64 rows of 256 numbers, so that it is still in flight when the test acts. */
const slowBody = JSON.stringify({
  inputs: [{ name: 'x', shape: [32, 256], datatype: 'FP32', data: Array(32 * 256).fill(1) }],
});

/** What the library cannot read to an end, and waits for more of. */
const silent = [
  'GET /v2 HTTP/1.1\r\n\r\n',
  live,
  `${live}x : space before the colon\r\n\r\n`,
  `${live}x: folded\r\n over two lines\r\n\r\n`,
  `${live}x: a\0b\r\n\r\n`,
  `${live}${Array.from({ length: 200 }, (_, index) => `x${index}: 1\r\n`).join('')}\r\n`,
  `${post}content-length: 500\r\n\r\n${body}`,
  `${post}transfer-encoding: chunked\r\n\r\n5\r\n{"inp`,
  '',
];

let under: GatewayUnderTest;
let ends: readonly Promise<string>[];
beforeAll(async () => {
  under = await startTestGateway({
    models: [
      { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') },
      { name: 'slow', version: '1.0.0', file: slowModel(60) },
    ],
    limits: { ...smallLimits, requestBytesMax: 64 * 1024 },
    inlineRunUsMax: 0,
  });
  // Begun before all tests, which run during the silence of the last one.
  ends = silent.map(async (bytes) => {
    const connection = await HttpConnection.open(under.port);
    connection.write(bytes);
    await connection.closed;
    return connection.unread.toString();
  });
});
afterAll(() => under.close());

afterEach(async () => {
  const answer = await fetch(`${under.url}/v2/models/iris/infer`, { method: 'POST', body });
  expect(answer.status).toBe(200);
  await eventually(
    async () => (await under.metrics()).sum('tidegate_inflight_requests') === 0,
    'nothing to be in flight',
  );
});

function chunked(...parts: readonly string[]): string {
  const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
  return `${post}transfer-encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
}

describe('a connection is refused and closed after', () => {
  const cases: readonly { what: string; bytes: string | Uint8Array; status: number }[] = [
    { what: 'words', bytes: 'hello gateway\r\n\r\n', status: 505 },
    { what: 'noise', bytes: Buffer.from([0, 1, 2, 3, 254, 255, 13, 10, 13, 10]), status: 505 },
    { what: 'the start of TLS', bytes: Buffer.from('16030100c8010000c40303', 'hex'), status: 505 },
    { what: 'the preface of HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 505 },
    { what: 'HTTP/1.0', bytes: 'GET /v2 HTTP/1.0\r\nhost: gateway\r\n\r\n', status: 505 },
    { what: 'HTTP/0.9', bytes: 'GET /v2\r\n\r\n', status: 505 },
    { what: 'lines without a carriage return', bytes: 'GET /v2 HTTP/1.1\nhost: a\n\n', status: 505 },
    { what: 'a path with a space', bytes: 'GET /v2/models/a b HTTP/1.1\r\nhost: a\r\n\r\n', status: 505 },
    { what: 'CONNECT', bytes: 'CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n', status: 505 },
    { what: 'a length in words', bytes: `${post}content-length: ten\r\n\r\n`, status: 400 },
    { what: 'a negative length', bytes: `${post}content-length: -1\r\n\r\n`, status: 400 },
    { what: 'an absurd length', bytes: `${post}content-length: ${'9'.repeat(30)}\r\n\r\n`, status: 400 },
    {
      what: 'a length and chunks',
      bytes: `${post}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    { what: 'a chunk of no size', bytes: `${post}transfer-encoding: chunked\r\n\r\nzz\r\n`, status: 400 },
    {
      what: 'a chunk of absurd size',
      bytes: `${post}transfer-encoding: chunked\r\n\r\n${'f'.repeat(16)}\r\nx`,
      status: 400,
    },
    { what: 'a header of 600 KiB', bytes: `${live}x: ${'y'.repeat(600 * 1024)}\r\n\r\n`, status: 431 },
    { what: 'a declared body beyond the limit', bytes: `${post}content-length: 300000\r\n\r\n`, status: 413 },
    {
      what: 'chunks beyond the limit',
      bytes: chunked(...Array<string>(8).fill('x'.repeat(40_000))),
      status: 413,
    },
  ];
  test.each(cases)('$what ($status)', async ({ bytes, status }) => {
    const connection = await HttpConnection.open(under.port);
    connection.write(bytes);
    const answer = await within(connection.next(), 'a refusal');
    expect(answer?.status).toBe(status);
    expect(answer?.body.toString()).not.toMatch(/\/(work|home|usr|tmp)\/|\.[tj]s\b/);
    // The library gives up on what it cannot read; what the gateway refuses carries the code.
    if (status === 413) expect(answer?.body.toString()).toContain('"code":"BODY_TOO_LARGE"');
    await within(connection.closed, 'the end of the connection');
  });
});

describe('a connection goes on after', () => {
  const answers: readonly { what: string; bytes: string; status: number; code?: string }[] = [
    { what: 'a body in chunks', bytes: chunked(body.slice(0, 7), body.slice(7)), status: 200 },
    { what: 'an empty body in chunks', bytes: chunked(), status: 400, code: 'EMPTY_BODY' },
    { what: 'no length at all', bytes: `${post}\r\n`, status: 400, code: 'EMPTY_BODY' },
    { what: 'a GET with a body', bytes: `${live}content-length: 3\r\n\r\nabc`, status: 200 },
    {
      what: 'a body for a path that takes none',
      bytes: 'PUT /v2/models/iris HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc',
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
    },
    { what: 'an unknown method', bytes: live.replace('GET', 'BREW') + '\r\n', status: 405 },
    { what: 'a method in small letters', bytes: live.replace('GET', 'get') + '\r\n', status: 405 },
    {
      what: 'a header of 5 000 bytes in one piece',
      bytes: `${live}x: ${'y'.repeat(5000)}\r\n\r\n`,
      status: 200,
    },
    { what: 'a query', bytes: live.replace('live', 'live?a=b&c') + '\r\n', status: 200 },
  ];
  test.each(answers)('$what ($status)', async ({ bytes, status, code }) => {
    const connection = await HttpConnection.open(under.port);
    connection.write(bytes);
    const answer = await within(connection.next(), 'an answer');
    expect(answer?.status).toBe(status);
    if (code !== undefined) expect(JSON.parse(String(answer?.body))).toMatchObject({ code });
    connection.write(goodRequest);
    expect((await within(connection.next(), 'the next answer'))?.status).toBe(200);
    connection.destroy();
  });

  test.each([
    ['/v2/health/live', 200],
    ['/v2/models/iris/infer', 405],
    ['/nowhere', 404],
  ])('HEAD %s, which has no body', async (path, status) => {
    const connection = await HttpConnection.open(under.port);
    const head = await within(connection.exchange({ method: 'HEAD', path }), 'an answer to HEAD');
    expect(head.status).toBe(status);
    const next = await within(connection.exchange({ path: '/v2/health/live' }), 'the next answer');
    expect(next.body.toString()).toBe('{"live":true}');
    connection.destroy();
  });

  test('an expectation, which is met', async () => {
    const connection = await HttpConnection.open(under.port);
    connection.write(`${post}expect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n`);
    expect((await within(connection.next({ bodiless: true }), 'leave to go on'))?.status).toBe(100);
    connection.write(body);
    expect((await within(connection.next(), 'an answer'))?.status).toBe(200);
    connection.destroy();
  });

  test('a request that comes byte by byte behind its first line, which the library wants whole', async () => {
    const connection = await HttpConnection.open(under.port);
    const firstLineEnd = goodRequest.indexOf('\n') + 1;
    connection.write(goodRequest.slice(0, firstLineEnd));
    for (const byte of Buffer.from(goodRequest.slice(firstLineEnd))) {
      connection.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await within(connection.next(), 'an answer'))?.status).toBe(200);
    connection.destroy();
  });
});

test('requests behind one that is in flight end the connection, and its work is dropped', async () => {
  const connection = await HttpConnection.open(under.port);
  const slow = requestBytes({ method: 'POST', path: '/v2/models/slow/infer', body: slowBody });
  connection.write(Buffer.concat([slow, slow, slow]));
  await within(connection.closed, 'the end of the connection');
  expect(connection.unread.length).toBe(0);
});

test.each([
  ['in the request line', 'POST /v2/models/ir'],
  ['in the headers', `${post}content-le`],
  ['before the body', `${post}content-length: ${body.length}\r\n\r\n`],
  ['in the body', `${post}content-length: ${body.length}\r\n\r\n${body.slice(0, 20)}`],
  ['in a chunk', `${post}transfer-encoding: chunked\r\n\r\n40\r\n${body.slice(0, 20)}`],
])('a client that is gone %s leaves nothing behind', async (_, bytes) => {
  for (const leave of ['finish', 'destroy'] as const) {
    const connection = await HttpConnection.open(under.port);
    connection.write(bytes);
    await new Promise((resolve) => setImmediate(resolve));
    connection[leave]();
    await within(connection.closed, 'the end of the connection');
  }
});

test('what the library cannot read to an end is cut off after its ten seconds of silence', async () => {
  const told = await within(Promise.all(ends), 'the end of all silent connections', 60_000);
  expect(told).toEqual(silent.map(() => ''));
}, 90_000);
