/** Status verifies before it says anything. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type StoreStatus, readStatus } from '../../../registry-store/main.ts';
import { TemporaryStore } from '../temporary-store.ts';

function statusOf(store: TemporaryStore): Promise<StoreStatus> {
  const { folder, pinnedRootPath, stateFolder } = store;
  return readStatus({ folder, pinnedRootPath, stateFolder, nowMs: Date.now() });
}

test('says what is there, what is live and until when it is signed', async () => {
  const { snapshot, roles } = await statusOf(await TemporaryStore.makeWithIris());
  expect(snapshot.deployments.get('iris')?.version).toBe('2.0.0');
  expect(roles.map(({ role, version }) => `${role} ${version}`)).toEqual([
    'root 1',
    'timestamp 5',
    'snapshot 5',
    'targets 1',
    'models 2',
    'models-iris 2',
    'deployments 3',
  ]);
  for (const { expires } of roles) expect(expires).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test('refuses a store with a damaged model', async () => {
  const store = await TemporaryStore.makeWithIris();
  const file = (await store.files()).find((path) => path.endsWith('.onnx'))!;
  await store.write(file, (await readFile(store.path(file))).fill(7, 20, 21));
  await expect(statusOf(store)).rejects.toMatchObject({ code: 'STORE_REFUSED', check: 'artifact-digest' });
});
