/** The HTTP source against a real server that misbehaves: what comes back is the plain file, nothing, or a named error. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  HttpSource,
  type HttpSourceOptions,
  parseAddress,
} from '../../../registry-store/storage/http-source.ts';
import { SourceUnreachable } from '../../../registry-store/storage/store-source.ts';
import { PuppetServer, answerWith, cutAfter, drip, onPath, sendForEver } from './puppet-server.ts';

const file = 'metadata/1.root.json';
const timestamp = 'metadata/timestamp.json';
const bytes = Buffer.from('{"a":"root"}'.repeat(100));

async function serving(
  options: Partial<HttpSourceOptions> = {},
): Promise<{ readonly server: PuppetServer; readonly source: HttpSource }> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-http-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'metadata'));
  await mkdir(join(folder, 'targets/models/a+b'), { recursive: true });
  await writeFile(join(folder, file), bytes);
  await writeFile(join(folder, timestamp), 'first');
  await writeFile(join(folder, 'targets/models/a+b/model.onnx'), 'plus');
  const server = await PuppetServer.start(folder);
  const source = new HttpSource({ address: server.url, ...options });
  onTestFinished(() => {
    source.close();
  });
  return { server, source };
}

describe('a file', () => {
  test('comes as it is, asked for without any encoding, over one connection', async () => {
    const { server, source } = await serving();
    for (let round = 0; round < 3; round++)
      expect(Buffer.from((await source.read(file, 5000))!)).toEqual(bytes);
    expect(server.log[0]?.headers).toMatchObject({ 'accept-encoding': 'identity' });
  });

  test('with a plus sign in its name is asked for as a whole name', async () => {
    const { source } = await serving();
    expect(Buffer.from((await source.read('targets/models/a+b/model.onnx', 100))!).toString()).toBe('plus');
  });

  test.each([403, 404, 410])('that is answered with %i is not there', async (status) => {
    const { server, source } = await serving();
    server.misbehave = onPath('root', answerWith(status, {}, 'x'.repeat(100_000)));
    expect(await source.read(file, 5000)).toBeUndefined();
    server.misbehave = () => false;
    expect(await source.read(file, 5000)).toHaveLength(bytes.length);
  });

  test.each([
    ['a redirect', 'source-answer', answerWith(302, { location: 'http://elsewhere.example/' })],
    ['another encoding', 'source-answer', answerWith(200, { 'content-encoding': 'gzip' }, 'x')],
    ['not modified, unasked', 'source-answer', answerWith(304)],
    ['a part, unasked', 'source-answer', answerWith(206, { 'content-range': 'bytes 0-1/2' }, 'xx')],
    ['another success', 'source-answer', answerWith(202, {}, 'x')],
    ['a wrong request', 'source-answer', answerWith(400)],
    [
      'a length beyond the bound',
      'file-size',
      answerWith(200, { 'content-length': '5001' }, 'x'.repeat(5001)),
    ],
    ['no length and no end', 'file-size', sendForEver(Buffer.alloc(1000, 'x'))],
  ] as const)('answered with %s is refused by %s', async (_what, check, act) => {
    const { server, source } = await serving();
    server.misbehave = onPath('root', act);
    await expect(source.read(file, 5000)).rejects.toMatchObject({ code: 'STORE_REFUSED', check });
    server.misbehave = () => false;
    expect(await source.read(file, 5000)).toHaveLength(bytes.length);
  });
});

describe('a server in trouble', () => {
  test.each([500, 502, 503, 429])('that answers %i is unreachable, not wrong', async (status) => {
    const { server, source } = await serving();
    server.misbehave = onPath('root', answerWith(status));
    await expect(source.read(file, 5000)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  test.each([
    ['17', 17_000],
    [new Date(Date.now() + 3600_000).toUTCString(), 3_500_000],
    ['999999999', 3_600_000],
  ])('says when to come again: %s', async (text, atLeastMs) => {
    const { server, source } = await serving();
    server.misbehave = onPath('root', answerWith(503, { 'retry-after': text }));
    const error: unknown = await source.read(file, 5000).catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(SourceUnreachable);
    expect((error as SourceUnreachable).retryAfterMs).toBeGreaterThanOrEqual(atLeastMs);
    expect((error as SourceUnreachable).retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });

  test('that is not there is unreachable', async () => {
    const { server, source } = await serving();
    await server.stop();
    await expect(source.read(file, 5000)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  test.each([
    ['cuts the connection', cutAfter(10), {}, /in the middle of/],
    [
      'closes without an answer',
      ({ res }: { res: { destroy(): void } }) => {
        res.destroy();
      },
      {},
      /cannot be reached/,
    ],
    ['never answers', () => undefined, { stallMs: 50 }, /nothing came for 50 ms/],
    [
      'sends a byte now and then',
      drip(20),
      { stallMs: 10_000, rateWindowMs: 100, rateBytesMin: 1000 },
      /less than 1000 bytes/,
    ],
  ] as const)('that %s is unreachable', async (_what, act, limits, message) => {
    const { server, source } = await serving({ limits });
    server.misbehave = onPath('root', act);
    const error: unknown = await source.read(file, 5000).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(String(error)).toMatch(message);
  });
});

describe('the timestamp', () => {
  test('is asked for conditionally, and not modified means what came last', async () => {
    const { server, source } = await serving();
    for (let round = 0; round < 3; round++) {
      expect(Buffer.from((await source.read(timestamp, 100))!).toString()).toBe('first');
    }
    await writeFile(join(server.folder, timestamp), 'second');
    expect(Buffer.from((await source.read(timestamp, 100))!).toString()).toBe('second');
    expect(server.log.map(({ status }) => status)).toEqual([200, 304, 304, 200]);
  });

  test('is asked for by its date where there are no entity tags', async () => {
    const { server, source } = await serving();
    const date = 'Mon, 23 Nov 2026 10:00:00 GMT';
    server.misbehave = onPath('timestamp', ({ headers, res }) => {
      if (headers['if-modified-since'] === date) res.writeHead(304).end();
      else res.writeHead(200, { 'last-modified': date }).end('dated');
    });
    for (let round = 0; round < 2; round++) {
      expect(Buffer.from((await source.read(timestamp, 100))!).toString()).toBe('dated');
    }
    expect(server.log.map(({ status }) => status)).toEqual([200, 304]);
  });
});

describe('the rest of a file', () => {
  test('comes when the validator still fits, the whole file when it does not', async () => {
    const { server, source } = await serving();
    const first = (await source.readRest(file, { offset: 0, validator: undefined }))!;
    first.discard();
    const rest = (await source.readRest(file, { offset: 200, validator: first.validator }))!;
    expect(rest.offset).toBe(200);
    expect(rest.sizeBytes).toBe(bytes.length - 200);
    rest.discard();
    await writeFile(join(server.folder, file), 'another');
    const whole = (await source.readRest(file, { offset: 200, validator: first.validator }))!;
    expect(whole.offset).toBe(0);
    whole.discard();
  });

  test('from another place than was asked for is refused', async () => {
    const { server, source } = await serving();
    server.misbehave = onPath(
      'root',
      answerWith(206, { 'content-range': 'bytes 100-199/1200' }, 'x'.repeat(100)),
    );
    await expect(source.readRest(file, { offset: 200, validator: '"v"' })).rejects.toMatchObject({
      check: 'source-answer',
    });
  });
});

describe('TLS', () => {
  test('is verified: with the authority named the store is read, without it is unreachable and says what to do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidegate-tls-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, 'metadata'));
    await writeFile(join(folder, timestamp), 'first');
    // Made once for 127.0.0.1, for a hundred years, and worth nothing: anybody has its key.
    const own = (name: string): Promise<string> => readFile(new URL(`tls/${name}`, import.meta.url), 'utf8');
    const tls = { key: await own('key.pem'), cert: await own('cert.pem') };
    const server = await PuppetServer.start(folder, { tls });
    const address = server.url.replace('http:', 'https:');
    // What people set when a certificate gets in their way must not open the door.
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    onTestFinished(() => {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    });
    const trusting = new HttpSource({ address, ca: tls.cert });
    expect(await trusting.read(timestamp, 100)).toHaveLength(5);
    trusting.close();
    const strict = new HttpSource({ address });
    const error: unknown = await strict.read(timestamp, 100).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(String(error)).toContain('--ca-file');
    strict.close();
  });
});

describe('an address', () => {
  test.each([
    'ftp://host/',
    'https://user:pass@host/',
    'https://host/?list',
    'https://host/#top',
    'host/store',
    'file:///etc',
  ])('%s is refused', (address) => {
    expect(() => parseAddress(address)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('is a folder with or without the slash at its end', () => {
    expect(parseAddress('https://host/store').href).toBe('https://host/store/');
  });
});
