/**
 * The power goes, and the disk of a node comes back with any one of its files damaged in any of several ways: the node
 * starts safely, from the source or from the last good state, never from bytes that do not verify and never below what
 * it had accepted. Only when both copies of its memory are gone bad does it refuse, and says what to do.
 */
import { cp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { StoreOptions, VerifiedStore } from '../../../registry-store/main.ts';
import { TemporaryStore, withIris } from '../temporary-store.ts';
import { expectLastGood, nodeOver, openingError } from './node-under-test.ts';

/** Every start of a node after every damage; in a normal run the memory has all, other files one each, another for each damage. */
const isFull = process.env['TIDEGATE_FULL_FAULTS'] === '1';

type Damage = (path: string) => Promise<void>;

const damages: readonly (readonly [string, Damage])[] = [
  ['emptied', (path) => truncate(path, 0)],
  ['cut in half', async (path) => truncate(path, Math.floor((await stat(path)).size / 2))],
  ['without its last byte', async (path) => truncate(path, (await stat(path)).size - 1)],
  ['full of zeros', async (path) => writeFile(path, Buffer.alloc((await stat(path)).size))],
  ['with a bit turned', turnBit],
  ['with a digit turned', turnDigit],
  ['gone', (path) => rm(path)],
];

/** A node over HTTP saw revision N; the server then shows an older state of the same store. */
let node: TemporaryStore;
let files: readonly string[];
let oldStore: string;

beforeAll(async () => {
  const template = await TemporaryStore.prepared(withIris);
  node = new TemporaryStore(`${template.base}-power`);
  await node.become(template);
  oldStore = join(node.base, 'old');
  await cp(node.folder, oldStore, { recursive: true });
  await node.deploy('iris', '1.0.0');
  await node.deploy('iris', '2.0.0');
  return () => node.remove();
});

async function seenBy(store: TemporaryStore): Promise<void> {
  const { open } = await nodeOver('http', store);
  await (await open()).close();
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const found = entries.filter((entry) => entry.isFile());
  return found.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

describe('a state folder', () => {
  test('has two copies of the memory, the files of the state, and the models', async () => {
    const store = await node.copy();
    await seenBy(store);
    files = await filesBelow(store.stateFolder);
    expect(files).toContain('memory.json');
    expect(files).toContain('memory-copy.json');
    expect(files.filter((file) => file.startsWith('cache/'))).toHaveLength(2);
    expect(files.filter((file) => file.startsWith('kept/')).length).toBeGreaterThan(5);
  });

  test.each(damages.map(([what, damage], nth) => ({ what, damage, nth })))(
    'with any one file $what starts, and is not rolled back',
    { timeout: 120_000 },
    async ({ damage, nth }) => {
      const store = await node.copy();
      await seenBy(store);
      const sound = join(store.base, 'sound');
      await cp(store.stateFolder, sound, { recursive: true });
      const revision = (await store.open({ stateFolder: join(store.base, 'witness') })).current.revision;
      const { open } = await nodeOver('http', store);
      const behind = await store.copy();
      await rm(behind.folder, { recursive: true });
      await cp(join(behind.base, 'old'), behind.folder, { recursive: true });
      const rolledBack = await nodeOver('http', behind);

      const openOr = (source: Partial<StoreOptions>): Promise<VerifiedStore | Error> =>
        open({ ...source, stateFolder: store.stateFolder }).catch((error: unknown) => error as Error);
      const ways = [
        // The source is well: the node starts from it.
        async (file: string): Promise<void> => {
          const opened = await open();
          expect([file, opened.current.revision]).toEqual([file, revision]);
          await expectLastGood(opened);
          expect(opened.condition.fresh).toBe(true);
          await opened.close();
        },
        // The source shows an older state: last good or nothing.
        async (file: string): Promise<void> => {
          const held = await openOr({ source: rolledBack.server?.url ?? '' });
          if (held instanceof Error) {
            expect([file, held]).toEqual([file, expect.objectContaining({ check: 'rollback' })]);
            return;
          }
          expect([file, held.current.revision]).toEqual([file, revision]);
          expect(held.condition.lastError?.check).toBe('rollback');
          await held.close();
        },
        // No source: last good or nothing.
        async (file: string): Promise<void> => {
          const held = await openOr({ source: 'http://127.0.0.1:9' });
          if (held instanceof Error) {
            expect([file, held]).toEqual([file, expect.objectContaining({ code: 'SOURCE_UNREACHABLE' })]);
            return;
          }
          expect([file, held.current.revision]).toEqual([file, revision]);
          await expectLastGood(held);
          await held.close();
        },
      ];
      for (const [at, file] of (await filesBelow(sound)).entries()) {
        const isTried = (way: number): boolean =>
          isFull || file.startsWith('memory') || (at + nth) % ways.length === way;
        for (const start of ways.filter((_, way) => isTried(way))) {
          await rm(store.stateFolder, { recursive: true });
          await cp(sound, store.stateFolder, { recursive: true });
          await damage(join(store.stateFolder, file));
          await start(file);
        }
      }
    },
  );

  test('whose copies of the memory are both damaged refuses, and says what to do', async () => {
    const store = await node.copy();
    await seenBy(store);
    const { open } = await nodeOver('http', store);
    for (const name of ['memory.json', 'memory-copy.json']) await turnDigit(join(store.stateFolder, name));
    const error = await openingError(open());
    expect(error).toMatchObject({ code: 'STORE_REFUSED', check: 'trusted-state' });
    expect(String(error)).toContain(`then remove ${store.stateFolder}`);
  });

  test('heals: after a start with one damaged copy both are whole again', async () => {
    const store = await node.copy();
    await seenBy(store);
    const { open } = await nodeOver('http', store);
    await turnBit(join(store.stateFolder, 'memory.json'));
    await (await open()).close();
    const copies = await Promise.all(
      ['memory.json', 'memory-copy.json'].map((name) => readFile(join(store.stateFolder, name), 'utf8')),
    );
    expect(copies[0]).toBe(copies[1]);
  });
});

async function turnBit(path: string): Promise<void> {
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

/** Still well formed, and wrong. */
async function turnDigit(path: string): Promise<void> {
  const text = await readFile(path, 'latin1');
  await writeFile(path, text.replace(/"version":\d/, '"version":0').replace(/[1-8](?=[,}])/, '9'), 'latin1');
}
