/**
 * A model file that was there and is gone: nothing that needs it is signed, a node says so and goes on with what it has,
 * and all is well again once the file is back.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import {
  type StoreCondition,
  type StoreError,
  deployModel,
  moveStage,
  rollbackModel,
  rollbackTo,
  undeployModel,
} from '../../../registry-store/main.ts';
import { StoreKeeper } from '../../../registry-store/storage/store-keeper.ts';
import { TemporaryStore } from '../temporary-store.ts';

async function fileOf(store: TemporaryStore, version: string): Promise<string> {
  const { current } = await store.open();
  const path = current.models.get('iris')?.get(version)?.artifact.path ?? '';
  const name = (await store.files()).find((file) => file.includes(path.split('/').at(-1) ?? '?'));
  return store.path(name ?? '');
}

const refusal = {
  code: 'STORE_REFUSED',
  check: 'file-present',
  message: expect.stringMatching(
    /targets\/models\/iris\/\S+ is missing.*Put the file back from a copy/,
  ) as string,
};

describe('signing without a file that is needed', () => {
  test('is refused for a rollback, a deploy and a return to a revision, and the revision stays', async () => {
    const store = await TemporaryStore.makeWithIris();
    const file = await fileOf(store, '1.0.0');
    const bytes = await readFile(file);
    await rm(file);
    const change = { ...store.publisher, nowMs: Date.now(), actor: 'test', model: 'iris' };
    await expect(rollbackModel(change)).rejects.toMatchObject(refusal);
    await expect(deployModel({ ...change, version: '1.0.0' })).rejects.toMatchObject(refusal);
    await expect(
      deployModel({ ...change, version: '1.0.0', strategy: 'canary', trafficBps: 100 }),
    ).rejects.toMatchObject(refusal);
    await expect(rollbackTo({ ...change, revision: 3 })).rejects.toMatchObject(refusal);
    await writeFile(file, bytes.subarray(1));
    await expect(rollbackModel(change)).rejects.toMatchObject({ check: 'file-size' });
    await writeFile(file, bytes);
    expect(await rollbackModel(change)).toMatchObject({ revision: 6, deployment: { version: '1.0.0' } });
  });

  test('is possible for what does not put anything live', async () => {
    const store = await TemporaryStore.makeWithIris();
    await rm(await fileOf(store, '1.0.0'));
    const change = { ...store.publisher, nowMs: Date.now(), actor: 'test', model: 'iris' };
    await moveStage({ ...change, version: '2.0.0', to: 'production' });
    const { deployment } = await undeployModel({ ...change, version: '1.0.0' });
    expect(deployment).toMatchObject({ version: '2.0.0' });
    expect(deployment).not.toHaveProperty('previousVersion');
  });
});

describe('a node whose file is gone', () => {
  test('says so when it verifies again, once, serves on, and is well when the file is back', async () => {
    const store = await TemporaryStore.makeWithIris();
    const file = await fileOf(store, '1.0.0');
    const bytes = await readFile(file);
    const seen: { refused: StoreError[]; condition: StoreCondition | undefined; snapshots: number } = {
      refused: [],
      condition: undefined,
      snapshots: 0,
    };
    const keeper = await StoreKeeper.open(
      {
        source: store.folder,
        stateFolder: store.stateFolder,
        pinnedRootPath: store.pinnedRootPath,
        pollMs: 20,
        reverifyMs: 0,
        progress: () => undefined,
      },
      {
        snapshot: (_next, condition) => {
          seen.snapshots++;
          seen.condition = condition;
          return Promise.resolve();
        },
        refused: (error) => seen.refused.push(error),
        condition: (condition) => (seen.condition = condition),
      },
    );
    try {
      await keeper.look();
      expect(seen.condition?.fresh).toBe(true);
      await rm(file);
      await keeper.look();
      expect(seen.refused).toMatchObject([refusal]);
      for (let look = 0; look < 5; look++) await keeper.look();
      expect(seen.condition).toMatchObject({ fresh: false, lastError: { check: 'file-present' } });
      // Said once, however often it is looked at.
      expect(seen.refused.length).toBe(1);
      await writeFile(file, bytes);
      await expect
        .poll(() => keeper.look().then(() => seen.condition?.fresh), { timeout: 20_000 })
        .toBe(true);
      expect(seen.snapshots).toBe(1);
    } finally {
      await keeper.close();
    }
  });

  test('does not go over to a state that needs it, though an older publisher signed it', async () => {
    const store = await TemporaryStore.makeWithIris();
    const file = await fileOf(store, '1.0.0');
    const node = await store.open({ pollMs: 20 });
    const bytes = await readFile(file);
    // Signed while the file was there, and gone before the node looks: the publisher's check cannot help here.
    const other = await store.copy();
    await rollbackModel({ ...other.publisher, nowMs: Date.now(), actor: 'test', model: 'iris' });
    await rm(file);
    const fresh = (await other.files()).filter((name) => !name.includes('models/iris/'));
    const last = 'metadata/timestamp.json';
    for (const name of [...fresh.filter((one) => one !== last), last]) {
      await store.write(name, await readFile(other.path(name)));
    }
    await expect.poll(() => node.condition.lastError?.check, { timeout: 20_000 }).toBe('file-present');
    expect(node.current.deployments.get('iris')?.version).toBe('2.0.0');
    await writeFile(file, bytes);
    await expect.poll(() => node.current.deployments.get('iris')?.version, { timeout: 20_000 }).toBe('1.0.0');
  });
});
