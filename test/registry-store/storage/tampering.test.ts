/** Nothing in a store can be changed unseen: every file in turn, on a fresh copy. */
import { appendFile, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { checks } from '../../../registry-store/trust/check.ts';
import { TemporaryStore, withIris } from '../temporary-store.ts';

/** Shared and never changed. */
let original: TemporaryStore;
let files: readonly string[];

beforeAll(async () => {
  original = await TemporaryStore.prepared(withIris);
  files = await original.files();
});

/** More places, each with both masks, in a full run, which takes minutes; with one after the other in a normal one. */
const isFull = process.env['TIDEGATE_FULL_FAULTS'] === '1';
const masks = [0x01, 0x20] as const;

/** Start, end, and places that fall into keys, signatures, numbers, texts and weights; of those in the middle half as many in a normal run. */
function positions(size: number): readonly number[] {
  const parts = isFull ? 10 : 4;
  const inside = Array.from({ length: parts - 1 }, (_, index) => Math.floor((size * (index + 1)) / parts));
  return [...new Set([0, 1, ...inside, size - 2, size - 1])];
}

async function expectRefused(store: TemporaryStore, what: string): Promise<void> {
  const error = await store.refusalOf();
  expect(error.code, what).toBe('STORE_REFUSED');
  expect(Object.keys(checks), what).toContain(error.check);
  expect(error.message, what).toContain(`check ${String(error.check)}`);
}

describe('a changed byte', () => {
  test('the store has files of every kind', () => {
    const kinds = [
      'timestamp.json',
      '1.root.json',
      '1.targets.json',
      '2.models.json',
      '2.models-iris.json',
      '3.deployments.json',
      '5.snapshot.json',
    ];
    for (const kind of kinds) expect(files).toContain(`metadata/${kind}`);
    expect(files.filter((file) => file.endsWith('.model.onnx'))).toHaveLength(2);
    expect(files.filter((file) => file.endsWith('.default.json'))).toHaveLength(3);
  });

  test('is refused in every file, at every place tried', { timeout: 120_000 }, async () => {
    for (const file of files) {
      const store = await original.copy();
      const bytes = await readFile(store.path(file));
      for (const [index, position] of positions(bytes.length).entries()) {
        for (const mask of isFull ? masks : [masks[index % 2] ?? 1]) {
          const changed = Uint8Array.from(bytes);
          changed[position] = (changed[position] ?? 0) ^ mask;
          await writeFile(store.path(file), changed);
          await expectRefused(store, `${file} at ${position} xor ${mask}`);
        }
      }
      await store.remove();
    }
  });

  test('is refused wherever and whatever it is', { timeout: 120_000 }, async () => {
    const store = await original.copy();
    const place = fc.record({
      file: fc.constantFrom(...files),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      mask: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(place, async ({ file, at, mask }) => {
        const bytes = await readFile(store.path(file));
        const changed = Uint8Array.from(bytes);
        const position = Math.floor(at * bytes.length);
        changed[position] = (changed[position] ?? 0) ^ mask;
        await writeFile(store.path(file), changed);
        await expectRefused(store, `${file} at ${position} xor ${mask}`);
        await writeFile(store.path(file), bytes);
      }),
      { numRuns: 60 },
    );
  });
});

describe('in every file', () => {
  test('a missing end, an added end and no content are refused', async () => {
    for (const file of files) {
      const store = await original.copy();
      const bytes = await readFile(store.path(file));
      await truncate(store.path(file), bytes.length - 1);
      await expectRefused(store, `${file} truncated`);
      await truncate(store.path(file), 0);
      await expectRefused(store, `${file} emptied`);
      for (const added of ['\n', ' ', '\0', '{}']) {
        await writeFile(store.path(file), bytes);
        await appendFile(store.path(file), added);
        await expectRefused(store, `${file} with ${JSON.stringify(added)} added`);
      }
      await store.remove();
    }
  });

  test('a link in place of the file is refused', async () => {
    for (const file of files) {
      const store = await original.copy();
      const elsewhere = join(store.base, 'elsewhere');
      await rename(store.path(file), elsewhere);
      await symlink(elsewhere, store.path(file));
      const error = await store.refusalOf();
      expect(error.check, file).toBe('file-kind');
      await store.remove();
    }
  });
});

describe('files as a whole', () => {
  test('every file in force is missed when it is gone; those of the past are not', async () => {
    for (const file of files) {
      const store = await original.copy();
      await rm(store.path(file));
      const isSuperseded =
        /^metadata\/(?:1\.models|1\.models-iris|[1-4]\.snapshot)\.json$/.test(file) ||
        (/\.(?:default|000001)\.json$/.test(file) && !(await isInForce(file)));
      // Without the metadata that listed it, an old manifest is a file that nobody signed.
      const isOrphaning = /^metadata\/[12]\.deployments\.json$/.test(file);
      if (isSuperseded) await (await store.open()).close();
      else expect((await store.refusalOf()).check, file).toBe(isOrphaning ? 'file-known' : 'file-present');
      await store.remove();
    }
  });

  test('two files that changed places are refused', async () => {
    const pairs = [
      ['metadata/2.models-iris.json', 'metadata/1.models-iris.json'],
      ['metadata/1.models.json', 'metadata/1.deployments.json'],
      ['metadata/5.snapshot.json', 'metadata/4.snapshot.json'],
      ['metadata/timestamp.json', 'metadata/5.snapshot.json'],
      files.filter((file) => file.endsWith('.model.onnx')),
      files.filter((file) => file.endsWith('.default.json')).slice(0, 2),
    ];
    for (const [one = '', other = ''] of pairs) {
      const store = await original.copy();
      await rename(store.path(one), store.path('swap'));
      await rename(store.path(other), store.path(one));
      await rename(store.path('swap'), store.path(other));
      await expectRefused(store, `${one} and ${other} swapped`);
    }
  });

  test.each([
    'notes.txt',
    'metadata/timestamp.json.bak',
    'metadata/9.strangers.json',
    'metadata/.hidden',
    'targets/models/iris/1.0.0/model.onnx',
    `targets/models/iris/1.0.0/${'0'.repeat(64)}.model.onnx`,
    'root.json',
  ])('a file that nobody signed is refused by name: %s', async (file) => {
    const store = await original.copy();
    await mkdir(dirname(store.path(file)), { recursive: true });
    await writeFile(store.path(file), 'hello');
    const error = await store.refusalOf();
    expect(error.check).toBe('file-known');
    expect(error.message).toContain(file);
  });

  test('a folder reached through a link is refused', async () => {
    const store = await original.copy();
    await rename(store.path('metadata'), join(store.base, 'elsewhere'));
    await symlink(join(store.base, 'elsewhere'), store.path('metadata'));
    expect((await store.refusalOf()).check).toBe('file-kind');
  });
});

async function isInForce(file: string): Promise<boolean> {
  const role = await readFile(original.path('metadata/3.deployments.json'), 'utf8');
  return role.includes(/([0-9a-f]{64})\.(?:default|000001)/.exec(file)?.[1] ?? '?');
}
