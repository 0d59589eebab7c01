/** Loading and unloading by clients, on a real store: what is signed, which version comes back, and what is refused. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { devRepository } from '../../../cli/serving/dev-repository.ts';
import {
  deployModel,
  initStore,
  moveStage,
  openStore,
  publishModel,
  readHistory,
  type StoreSnapshot,
} from '../../../registry-store/main.ts';
import { temporaryFolder } from '../served.ts';

const artifact = readFileSync(new URL('../../../deploy/demo/models/iris-1.0.0.onnx', import.meta.url));

let keys: string;
let change: { folder: string; keysFolders: string[]; nowMs: number; actor: string };
let reader: { folder: string; pinnedRootPath: string; stateFolder: string; nowMs: number };
beforeEach(async () => {
  const base = await temporaryFolder();
  keys = join(base, 'keys');
  change = { folder: join(base, 'store'), keysFolders: [keys], nowMs: Date.now(), actor: 'test' };
  reader = {
    folder: change.folder,
    pinnedRootPath: join(keys, 'root.json'),
    stateFolder: join(base, 'state'),
    nowMs: Date.now(),
  };
  await initStore(change);
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
    const about = { framework: 'onnx', author: 'test', artifact };
    await publishModel({ ...change, ...about, model: 'iris', version });
  }
});

async function current(): Promise<StoreSnapshot> {
  const { folder, pinnedRootPath, stateFolder } = reader;
  const store = await openStore({ folder, pinnedRootPath, stateFolder });
  const snapshot = store.current;
  await store.close();
  return snapshot;
}

async function repository(): Promise<ReturnType<typeof devRepository>> {
  const snapshot = await current();
  const { folder: store, pinnedRootPath, stateFolder: state } = reader;
  return devRepository({ store, keys, pinnedRootPath, state, current: () => snapshot });
}

test('a model that was never live comes with the version published last', async () => {
  expect(await (await repository()).load('iris')).toEqual({ ok: true, value: '3.0.0' });
  expect((await current()).deployments.get('iris')?.version).toBe('3.0.0');
  expect(await (await repository()).load('iris')).toEqual({ ok: true, value: '3.0.0' });
  const events = await readHistory({ ...reader, model: 'iris' });
  expect(events.filter(({ action }) => action === 'deploy')).toHaveLength(1);
});

test('a model that was live comes back with the version it left with', async () => {
  for (const version of ['1.0.0', '2.0.0']) await deployModel({ ...change, model: 'iris', version });
  expect(await (await repository()).unload('iris')).toEqual({ ok: true, value: undefined });
  expect((await current()).deployments.has('iris')).toBe(false);
  expect(await (await repository()).unload('iris')).toEqual({ ok: true, value: undefined });
  expect(await (await repository()).load('iris')).toEqual({ ok: true, value: '2.0.0' });
  expect((await readHistory({ ...reader, model: 'iris' })).at(-1)?.why).toBe('loaded by a client');
});

test('unloading what somebody else has just unloaded is done already', async () => {
  await deployModel({ ...change, model: 'iris', version: '1.0.0' });
  const before = await repository();
  expect(await before.unload('iris')).toEqual({ ok: true, value: undefined });
  expect(await before.unload('iris')).toEqual({ ok: true, value: undefined });
  const events = await readHistory({ ...reader, model: 'iris' });
  expect(events.filter(({ action }) => action === 'undeploy')).toHaveLength(1);
});

test('what may not be deployed is not loaded', async () => {
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
    await moveStage({ ...change, model: 'iris', version, to: 'archived' });
  }
  expect(await (await repository()).load('iris')).toMatchObject({ ok: false, code: 'STORE_CHANGE_REFUSED' });
  expect(await (await repository()).load('nobody')).toMatchObject({ ok: false, code: 'UNKNOWN_MODEL' });
  expect(await (await repository()).unload('nobody')).toMatchObject({ ok: false, code: 'UNKNOWN_MODEL' });
});

test('a change that cannot be signed is refused by its code, and tells no path', async () => {
  const free = await repository();
  rmSync(join(keys, 'deployments.key'));
  const refused = await free.load('iris');
  expect(refused).toMatchObject({ ok: false, code: 'STORE_CHANGE_REFUSED' });
  expect(refused).not.toMatchObject({ message: expect.stringContaining('/') as unknown });
});
