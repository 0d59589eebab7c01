/** Models on the node's disk: downloads that are cut and gone on with, damage, and what has to go when it is full. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ArtifactCache } from '../../../registry-store/storage/artifact-cache.ts';
import { download } from '../../../registry-store/storage/artifact-download.ts';
import { HttpSource } from '../../../registry-store/storage/http-source.ts';
import { targetFile } from '../../../registry-store/trust/store-file.ts';
import { PuppetServer, answerWith, cutAfter, onPath, sendForEver } from './puppet-server.ts';

const content = randomBytes(300_000);
const file = {
  path: 'models/iris/1/model.onnx',
  sizeBytes: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
};

interface Bench {
  readonly server: PuppetServer;
  readonly cache: ArtifactCache;
  readonly base: string;
  readonly get: () => Promise<void>;
}

async function bench(): Promise<Bench> {
  const base = await mkdtemp(join(tmpdir(), 'tidegate-cache-'));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const path = join(base, 'store', targetFile(file));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  const server = await PuppetServer.start(join(base, 'store'));
  const source = new HttpSource({ address: server.url });
  onTestFinished(() => {
    source.close();
  });
  const cache = await ArtifactCache.open(join(base, 'cache'), 1_000_000);
  const get = (): Promise<void> => download({ source, cache, file, progress: () => undefined });
  return { server, cache, base, get };
}

describe('a download', () => {
  test('ends as a checked file of its digest, and nothing beside it', async () => {
    const { cache, get } = await bench();
    await get();
    expect(await readdir(cache.folder)).toEqual([file.sha256]);
    expect(Buffer.from((await cache.read(file))!).equals(content)).toBe(true);
  });

  test('that is cut goes on where it stopped', async () => {
    const { server, get, cache } = await bench();
    server.misbehave = onPath('model.onnx', cutAfter(100_000), 1);
    await get();
    expect(server.log).toHaveLength(2);
    expect(server.log[1]?.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(server.log[1]?.status).toBe(206);
    expect(Buffer.from((await cache.read(file))!).equals(content)).toBe(true);
  });

  test('goes on in another process too', async () => {
    const { server, get, cache, base } = await bench();
    server.misbehave = onPath('model.onnx', (asked) => {
      // The first part, and then nothing but trouble.
      if (server.log.length === 0) cutAfter(100_000)(asked);
      else answerWith(503)(asked);
    });
    await expect(get()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    server.misbehave = () => false;
    const source = new HttpSource({ address: server.url });
    const again = await ArtifactCache.open(cache.folder, 1_000_000);
    await download({ source, cache: again, file, progress: () => undefined });
    expect(server.log.at(-1)?.status).toBe(206);
    source.close();
    expect((await readFile(join(base, 'cache', file.sha256))).equals(content)).toBe(true);
  });

  test('whose first part is not what it was starts anew', async () => {
    const { server, get, cache } = await bench();
    server.misbehave = onPath('model.onnx', cutAfter(100_000), 1);
    const before = await bench();
    await before.get();
    // A part that was garbled on the disk, with a validator that still fits.
    await writeFile(join(cache.folder, `${file.sha256}.part`), Buffer.alloc(100_000, 1));
    const { validator } = (await new HttpSource({ address: before.server.url }).readRest(targetFile(file), {
      offset: 0,
      validator: undefined,
    }))!;
    await writeFile(join(cache.folder, `${file.sha256}.from`), validator!);
    server.misbehave = () => false;
    await get();
    expect(server.log.map(({ status }) => status)).toEqual([206, 200]);
    expect(Buffer.from((await cache.read(file))!).equals(content)).toBe(true);
  });

  test.each([
    ['other bytes', 'artifact-digest', answerWith(200, {}, Buffer.alloc(content.length, 7))],
    ['too few bytes', 'artifact-digest', answerWith(200, {}, content.subarray(1))],
    ['too few bytes, and says so', 'file-size', answerWith(200, { 'content-length': '10' }, 'x'.repeat(10))],
    ['more bytes than were signed', 'file-size', answerWith(200, {}, Buffer.concat([content, content]))],
    ['no end', 'file-size', sendForEver(Buffer.alloc(65_536))],
    ['nothing', 'file-present', answerWith(404)],
    ['a redirect', 'source-answer', answerWith(301, { location: '/other' })],
  ] as const)('of %s is refused by %s and leaves nothing', async (_what, check, act) => {
    const { server, get, cache } = await bench();
    server.misbehave = onPath('model.onnx', act);
    await expect(get()).rejects.toMatchObject({ code: 'STORE_REFUSED', check });
    expect(await readdir(cache.folder)).toEqual([]);
    expect(cache.has(file)).toBe(false);
  });
});

describe('a damaged file', () => {
  test.each([
    ['garbled', (path: string) => writeFile(path, Buffer.alloc(content.length, 1))],
    ['truncated', (path: string) => truncate(path, 10)],
    ['emptied', (path: string) => truncate(path, 0)],
    ['gone', (path: string) => rm(path)],
  ] as const)('that is %s is not given out, and removed', async (_what, damage) => {
    const { get, cache } = await bench();
    await get();
    await damage(join(cache.folder, file.sha256));
    expect(await cache.read(file)).toBeUndefined();
    expect(cache.has(file)).toBe(false);
    expect(await readdir(cache.folder)).toEqual([]);
    await get();
    expect(await cache.read(file)).toHaveLength(content.length);
  });
});

describe('a full cache', () => {
  async function filled(): Promise<ArtifactCache> {
    const { base } = await bench();
    const folder = join(base, 'full');
    await mkdir(folder);
    for (const name of ['a', 'b', 'c', 'd']) {
      await writeFile(join(folder, name.repeat(64)), Buffer.alloc(400_000));
      // The file system's clock tells the order of use, and it is not fine everywhere.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return ArtifactCache.open(folder, 1_000_000);
  }

  test('gives up what was not used for longest, never what is needed', async () => {
    const cache = await filled();
    await cache.evict(new Set(['a'.repeat(64)]));
    expect((await readdir(cache.folder)).sort()).toEqual(['a'.repeat(64), 'd'.repeat(64)]);
    expect(cache.sizeBytes).toBe(800_000);
  });

  test('says so when what is needed does not fit at all', async () => {
    const cache = await filled();
    expect(() => {
      cache.requireRoom([{ ...file, sizeBytes: 1_000_001 }]);
    }).toThrow(expect.objectContaining({ code: 'CACHE_FULL' }));
  });

  test('forgets parts that nobody will go on with', async () => {
    const cache = await filled();
    for (const name of [
      `${'e'.repeat(64)}.part`,
      `${'e'.repeat(64)}.from`,
      'draft-1',
      `${'f'.repeat(64)}.part`,
    ]) {
      await writeFile(join(cache.folder, name), 'x');
    }
    await cache.forgetParts(new Set(['f'.repeat(64)]));
    const names = (await readdir(cache.folder)).filter((name) => name.length !== 64);
    expect(names).toEqual([`${'f'.repeat(64)}.part`]);
  });
});
