/** The keeper in a thread of its own gives the same as the keeper right here; the thread is the compiled one. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { forge } from '../forger.ts';
import { TemporaryStore, nextEvent } from '../temporary-store.ts';

const threadFile = new URL('../../../dist/registry-store/storage/store-thread.js', import.meta.url);

test('the compiled thread is there', () => {
  expect(existsSync(threadFile)).toBe(true);
});

test('what a thread finds is what is there', async () => {
  const store = await TemporaryStore.makeWithIris();
  const [here, there] = [
    await store.open(),
    await store.open({ threadFile, stateFolder: `${store.stateFolder}-2` }),
  ];
  expect(there.current).toEqual(here.current);
  expect(there.condition).toMatchObject({ fresh: true, expires: here.condition.expires });
});

test('a refusal keeps its code and check on the way out of the thread', async () => {
  const store = await TemporaryStore.makeWithIris();
  await store.write('notes.txt', Buffer.from('hello'));
  expect(await store.refusalOf({ threadFile })).toMatchObject({ code: 'STORE_REFUSED', check: 'file-known' });
});

test('changes are seen through a thread, good and bad, and only what changed is new', async () => {
  const store = await TemporaryStore.makeWithIris();
  await store.publish('other', '1.0.0');
  const opened = await store.open({ threadFile });
  const other = opened.current.models.get('other');
  const seen = nextEvent(opened, 'snapshot');
  await store.deploy('iris', '1.0.0');
  const { snapshot, changedModels } = await seen;
  expect(snapshot.deployments.get('iris')?.version).toBe('1.0.0');
  expect([...changedModels]).toEqual(['iris']);
  expect(snapshot.models.get('other')).toBe(other);
  const refused = nextEvent(opened, 'refused');
  await forge(store, { role: 'deployments', signedAs: 'models' });
  expect((await refused).error).toMatchObject({ code: 'STORE_REFUSED', check: 'signature' });
  const version = opened.current.models.get('iris')!.get('1.0.0')!;
  expect(await opened.readArtifact(version)).toHaveLength(version.artifact.lengthBytes);
});

test('a thread that cannot run is an error with a code, not a crash', async () => {
  const store = await TemporaryStore.makeWithIris();
  const missing = new URL('no-such-thread.js', threadFile);
  await expect(store.open({ threadFile: missing })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
});
