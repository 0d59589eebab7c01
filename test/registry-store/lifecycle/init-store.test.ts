/** What a new store and its keys look like, and what init never does to an old one. */
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TemporaryStore } from '../temporary-store.ts';

test('makes one key per role, for the eyes of the owner only, and none of them in the store', async () => {
  const store = await TemporaryStore.make();
  await store.init();
  const keys = (await readdir(store.keysFolder)).filter((name) => name.endsWith('.key'));
  expect(keys.sort()).toEqual(
    ['deployments', 'models', 'root', 'snapshot', 'targets', 'timestamp'].map((role) => `${role}.key`),
  );
  const files = await Promise.all(keys.map((key) => readFile(join(store.keysFolder, key), 'utf8')));
  expect(new Set(files).size).toBe(6);
  for (const key of keys) expect((await stat(join(store.keysFolder, key))).mode & 0o777).toBe(0o600);
  expect((await stat(store.keysFolder)).mode & 0o077).toBe(0);
  for (const file of await store.files()) {
    expect(await readFile(store.path(file), 'utf8')).not.toContain('pkcs8');
  }
});

test('leaves the first root beside the keys, to be carried to nodes', async () => {
  const store = await TemporaryStore.make();
  await store.init();
  expect(await readFile(store.pinnedRootPath)).toEqual(await readFile(store.path('metadata/1.root.json')));
});

test('makes a store of exactly these files', async () => {
  const store = await TemporaryStore.make();
  await store.init();
  const files = (await store.files()).map((file) => file.replace(/[0-9a-f]{64}/, '<sha256>'));
  expect(files).toEqual([
    'metadata/1.deployments.json',
    'metadata/1.models.json',
    'metadata/1.root.json',
    'metadata/1.snapshot.json',
    'metadata/1.targets.json',
    'metadata/timestamp.json',
    'targets/deployments/<sha256>.default.json',
    'targets/deployments/history/<sha256>.000001.json',
  ]);
  expect(await readdir(store.base)).toEqual(['keys', 'store']);
});

test('never touches a store or keys that are there', async () => {
  const store = await TemporaryStore.make();
  await store.init();
  const before = await readFile(store.path('metadata/timestamp.json'));
  await expect(store.init()).rejects.toMatchObject({ code: 'STORE_EXISTS' });
  expect(await readFile(store.path('metadata/timestamp.json'))).toEqual(before);

  const keysOnly = await TemporaryStore.make();
  await mkdir(keysOnly.keysFolder);
  await writeFile(join(keysOnly.keysFolder, 'models.key'), 'precious');
  await expect(keysOnly.init()).rejects.toMatchObject({ code: 'STORE_EXISTS' });
  expect(await readdir(keysOnly.base)).toEqual(['keys']);
});

test('fills folders that are there and empty', async () => {
  const store = await TemporaryStore.make();
  await mkdir(store.folder);
  await mkdir(store.keysFolder);
  await store.init();
  expect((await store.open()).current.revision).toBe(1);
});
