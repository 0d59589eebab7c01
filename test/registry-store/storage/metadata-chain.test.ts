/** What was verified stays what it is: a change of one model leaves every other one the same object. */
import { expect, test } from 'vitest';
import { nothingAccepted } from '../../../registry-store/storage/accepted-state.ts';
import { FolderSource } from '../../../registry-store/storage/folder-source.ts';
import { type LoadedStore, loadStore } from '../../../registry-store/storage/load-store.ts';
import type { StoreSource } from '../../../registry-store/storage/store-source.ts';
import { TemporaryStore } from '../temporary-store.ts';

/** Passes everything on and remembers what was asked for. */
class WatchedSource extends FolderSource {
  readonly asked: string[] = [];

  override read(...[path, bytesMax]: Parameters<StoreSource['read']>): ReturnType<FolderSource['read']> {
    this.asked.push(path);
    return super.read(path, bytesMax);
  }
}

async function look(
  store: TemporaryStore,
  known?: LoadedStore,
): Promise<{ readonly loaded: LoadedStore; readonly asked: readonly string[] }> {
  const source = new WatchedSource(store.folder);
  const pinnedRoot =
    (await new FolderSource(store.folder).read('metadata/1.root.json', 100_000)) ?? new Uint8Array();
  const loaded = await loadStore({
    source,
    pinnedRoot,
    accepted: nothingAccepted,
    nowMs: Date.now(),
    known,
  });
  return { loaded, asked: source.asked };
}

test('nothing changed: only the way to the timestamp is read again, and everything stays the same object', async () => {
  const store = await TemporaryStore.makeWithIris();
  const first = await look(store);
  const second = await look(store, first.loaded);
  expect(second.loaded.snapshot.models.get('iris')).toBe(first.loaded.snapshot.models.get('iris'));
  const metadata = second.asked.filter((path) => path.startsWith('metadata/'));
  expect(new Set(metadata)).toEqual(new Set(['metadata/2.root.json', 'metadata/timestamp.json']));
});

test('one model changed: only it is another object, and only its role and those above it are read', async () => {
  const store = await TemporaryStore.makeWithIris();
  await store.publish('digits', '1.0.0');
  const first = await look(store);
  await store.publish('digits', '2.0.0');
  const second = await look(store, first.loaded);
  const [before, after] = [first.loaded.snapshot.models, second.loaded.snapshot.models];
  expect(after.get('iris')).toBe(before.get('iris'));
  expect(after.get('digits')).not.toBe(before.get('digits'));
  expect([...(after.get('digits')?.keys() ?? [])]).toEqual(['1.0.0', '2.0.0']);
  expect(second.asked.some((path) => path.endsWith('.deployments.json'))).toBe(false);
});

test('what is known does not stand in for what the store shows now', async () => {
  const store = await TemporaryStore.makeWithIris();
  const first = await look(store);
  await store.deploy('iris', '1.0.0');
  const second = await look(store, first.loaded);
  expect(first.loaded.snapshot.deployments.get('iris')?.version).toBe('2.0.0');
  expect(second.loaded.snapshot.deployments.get('iris')?.version).toBe('1.0.0');
});
