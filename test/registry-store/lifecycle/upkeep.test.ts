/** What a machine does on a schedule: keep signatures fresh with two keys, and remove what nobody needs. */
import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyFile } from '../../../registry-store/lifecycle/key-file.ts';
import {
  type GcReport,
  collectGarbage,
  deployModel,
  initStore,
  publishModel,
  readStatus,
  refreshStore,
  verifyStore,
} from '../../../registry-store/main.ts';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

const dayMs = 24 * 3600_000;

describe('refreshing', () => {
  async function fleet(nowMs: number): Promise<TemporaryStore> {
    const store = await TemporaryStore.make();
    await initStore({ ...store.publisher, nowMs, actor: 'test', profile: 'fleet' });
    await store.publish('iris', '1.0.0', nowMs);
    return store;
  }

  test('signs the timestamp each time and the snapshot when half its time is spent', async () => {
    const startMs = Date.now();
    const store = await fleet(startMs);
    const refresh = (days: number): ReturnType<typeof refreshStore> =>
      refreshStore({ ...store.publisher, nowMs: startMs + days * dayMs });
    const renewed = async (days: number): Promise<readonly string[]> =>
      (await refresh(days)).renewed.map(({ role }) => role);
    expect(await renewed(0.5)).toEqual(['timestamp']);
    expect(await renewed(3)).toEqual(['timestamp']);
    expect(await renewed(4)).toEqual(['timestamp', 'snapshot']);
    const { revision, halfSpent } = await refresh(4);
    expect(revision).toBe(2);
    expect(halfSpent.map(({ role }) => role)).toEqual(['deployments']);
  });

  test('needs no key but those two', async () => {
    const startMs = Date.now();
    const store = await fleet(startMs);
    for (const role of ['root', 'targets', 'models', 'deployments'])
      await rm(keyFile(store.keysFolder, role));
    const { renewed } = await refreshStore({ ...store.publisher, nowMs: startMs + 5 * dayMs });
    expect(renewed.map(({ role }) => role)).toEqual(['timestamp', 'snapshot']);
    await rm(keyFile(store.keysFolder, 'timestamp'));
    await expect(refreshStore({ ...store.publisher, nowMs: startMs })).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
  });

  test('brings back a store whose timestamp has expired, but not one whose operators are away', async () => {
    const startMs = Date.now();
    const store = await fleet(startMs);
    const at = (days: number): { readonly nowMs: number } => ({ nowMs: startMs + days * dayMs });
    await expect(readStatus({ ...store.reader, ...at(3) })).rejects.toMatchObject({ check: 'expiry' });
    await refreshStore({ ...store.publisher, ...at(3) });
    await readStatus({ ...store.reader, ...at(3) });
    await expect(refreshStore({ ...store.publisher, ...at(8) })).rejects.toMatchObject({ check: 'expiry' });
    // Any change by somebody with all keys renews what is spent.
    await store.publish('iris', '2.0.0', at(8).nowMs);
    await readStatus({ ...store.reader, ...at(8) });
  });

  test('a publisher with the root key renews root before it expires', async () => {
    const startMs = Date.now();
    const store = await fleet(startMs);
    await store.publish('iris', '2.0.0', startMs + 200 * dayMs);
    const { roles } = await readStatus({ ...store.reader, nowMs: startMs + 200 * dayMs });
    expect(roles[0]).toMatchObject({ role: 'root', version: 2 });
    expect((await verifyStore({ ...store.reader, nowMs: startMs + 200 * dayMs })).revision).toBe(3);
  });

  test('a lifetime stays what it was made with', async () => {
    const startMs = Date.now();
    const store = await fleet(startMs);
    const laterMs = startMs + 4 * dayMs;
    await store.publish('tulip', '1.0.0', laterMs);
    const { roles } = await readStatus({ ...store.reader, nowMs: laterMs });
    const left = new Map(
      roles.map(({ role, expires }) => [role, Math.round((Date.parse(expires) - laterMs) / dayMs)]),
    );
    expect(Object.fromEntries(left)).toMatchObject({
      timestamp: 1,
      snapshot: 7,
      deployments: 7,
      'models-tulip': 180,
      models: 180,
      root: 361,
    });
  });
});

describe('collecting garbage', () => {
  const collect = (store: TemporaryStore, options: object = {}): Promise<GcReport> =>
    collectGarbage({ ...store.publisher, nowMs: Date.now(), ...options });
  const paths = ({ removed }: GcReport): readonly string[] => removed.map(({ path }) => path);

  test('removes an artifact that nobody lists, which a node would refuse', async () => {
    const store = await TemporaryStore.makeWithIris();
    const stray = `targets/models/iris/9.0.0/${'a'.repeat(64)}.model.onnx`;
    await store.write(stray, Buffer.from('what is this'));
    await expect(readStatus(store.reader)).rejects.toMatchObject({ check: 'file-known' });
    expect(await collect(store, { dryRun: true })).toMatchObject({
      dryRun: true,
      removed: [{ path: stray, bytes: 12 }],
      removedBytes: 12,
    });
    expect(await store.files()).toContain(stray);
    expect(paths(await collect(store))).toEqual([stray]);
    await readStatus(store.reader);
    expect(paths(await collect(store))).toEqual([]);
  });

  test('keeps everything that any kept metadata lists', async () => {
    const store = await TemporaryStore.makeWithIris();
    const before = await store.files();
    expect(await collect(store)).toMatchObject({ removed: [], keptFiles: before.length });
    expect(await store.files()).toEqual(before);
  });

  test('removes superseded metadata, with the files only that lists', async () => {
    const store = await TemporaryStore.makeWithIris();
    const report = await collect(store, { keepSuperseded: 0 });
    expect(paths(report)).toContain('metadata/4.snapshot.json');
    const files = (await store.files()).map((file) => file.replace(/[0-9a-f]{64}/, '<sha256>'));
    expect(files).toEqual([
      'metadata/1.root.json',
      'metadata/1.targets.json',
      'metadata/2.models-iris.json',
      'metadata/2.models.json',
      'metadata/3.deployments.json',
      'metadata/5.snapshot.json',
      'metadata/timestamp.json',
      'targets/deployments/<sha256>.default.json',
      'targets/deployments/history/<sha256>.000001.json',
      'targets/models/iris/1.0.0/<sha256>.model.onnx',
      'targets/models/iris/2.0.0/<sha256>.model.onnx',
    ]);
    expect((await verifyStore(store.reader)).revision).toBe(5);
  });

  test('removes old drafts, and leaves alone what is no part of a store', async () => {
    const store = await TemporaryStore.makeWithIris();
    const bench = store.path('.publisher');
    await mkdir(bench, { recursive: true });
    for (const name of ['draft-1', 'lock-draft-2', 'lock-draft-3'])
      await writeFile(join(bench, name), 'half');
    const longAgo = new Date(Date.now() - dayMs);
    await utimes(join(bench, 'lock-draft-3'), longAgo, longAgo);
    await store.write('metadata/notes.txt', Buffer.from('precious'));
    const report = await collect(store);
    // A young draft of a lock belongs to a publisher who is about to take it.
    expect(paths(report)).toEqual(['.publisher/draft-1', '.publisher/lock-draft-3']);
    expect(report.unknown).toEqual(['metadata/notes.txt']);
    expect(await readFile(store.path('metadata/notes.txt'), 'utf8')).toBe('precious');
  });

  test('needs no key, and refuses a number that is none', async () => {
    const store = await TemporaryStore.makeWithIris();
    for (const role of ['root', 'targets', 'models', 'deployments', 'snapshot', 'timestamp']) {
      await rm(keyFile(store.keysFolder, role));
    }
    await collect(store, { keepSuperseded: 2 });
    for (const keepSuperseded of [-1, 0.5, Infinity, 1001]) {
      await expect(collect(store, { keepSuperseded })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });
});

test('verifying reports how far it is and what it found', async () => {
  const store = await TemporaryStore.makeWithIris();
  const seen: string[] = [];
  const report = await verifyStore({
    ...store.reader,
    progress: ({ step, done, total }) => seen.push(`${step} ${done}/${total ?? '?'}`),
  });
  expect(seen[0]).toBe('metadata 0/?');
  expect(seen).toContain('files 1/8');
  expect(seen.at(-1)).toBe('history 5/5');
  expect(report).toMatchObject({ revision: 5, models: 1, versions: 2, deployments: 1, events: 5 });
  expect(report.files).toBe((await store.files()).length);
  expect(report.roles.find(({ role }) => role === 'models-iris')).toMatchObject({ version: 2, threshold: 1 });
  expect(report.proved.length).toBeGreaterThan(5);
});

test('a store of many models keeps a role for each, whatever it is called', async () => {
  const store = await TemporaryStore.make();
  await store.init();
  const names = ['iris', 'a.b', 'a_b', 'a-b', 'aB', 'x'.repeat(128), '0', 'models', 'constructor'];
  const artifact = await demoModel('1.0.0');
  for (const model of names) {
    const about = { model, version: '1', artifact, framework: 'test', author: 'test', actor: 'test' };
    await publishModel({ ...store.publisher, nowMs: Date.now(), ...about });
  }
  for (const model of names) {
    await deployModel({ ...store.publisher, nowMs: Date.now(), model, version: '1', actor: 'test' });
  }
  const { roles, deployments } = await verifyStore(store.reader);
  expect(deployments).toBe(names.length);
  const own = roles.map(({ role }) => role).filter((role) => role.startsWith('models-'));
  expect(new Set(own).size).toBe(names.length);
  expect(own.every((role) => role.length <= 64)).toBe(true);
});
