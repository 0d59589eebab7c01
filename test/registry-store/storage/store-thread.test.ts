/**
 * The keeper in a thread of its own gives the same as the keeper right here, and is there again when its thread ended; the
 * thread is the compiled one.
 */
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { forge } from '../forger.ts';
import { TemporaryStore, nextEvent } from '../temporary-store.ts';

/** Waits are bounds, not measurements: the machine may be busy. */
const patience = { timeout: 20_000, interval: 10 };
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

test.runIf(process.platform === 'linux')('a thread of its own can be told from all others', async () => {
  const store = await TemporaryStore.makeWithIris();
  const before = readdirSync('/proc/self/task').map(Number);
  expect((await store.open()).osThread).toBeUndefined();
  const { osThread } = await store.open({ threadFile, stateFolder: `${store.stateFolder}-2` });
  expect(before).not.toContain(osThread);
  expect(readdirSync('/proc/self/task').map(Number)).toContain(osThread);
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

/** The threads that this test starts from now on, in their order. */
function threadsOfTest(): readonly Worker[] {
  const threads: Worker[] = [];
  const watch = (thread: Worker): void => void threads.push(thread);
  process.on('worker', watch);
  onTestFinished(() => void process.off('worker', watch));
  return threads;
}

test('a thread that ends is started again: what is in force stays so, and what changed meanwhile is seen', async () => {
  const store = await TemporaryStore.makeWithIris();
  await store.publish('other', '1.0.0');
  const threads = threadsOfTest();
  const opened = await store.open({ threadFile });
  const { current } = opened;
  const iris = current.models.get('iris')!.get('1.0.0')!;
  const read = opened.readArtifact(iris);
  const interrupted = nextEvent(opened, 'interrupted');
  void threads[0]!.terminate();
  await expect(read).rejects.toMatchObject({ code: 'THREAD_ENDED' });
  expect(await interrupted).toMatchObject({ error: { code: 'THREAD_ENDED' }, restartMs: 100 });
  expect(opened.current).toBe(current);
  expect(opened.condition).toMatchObject({ fresh: false, lastError: { code: 'THREAD_ENDED' } });
  await expect(opened.readArtifact(iris)).rejects.toMatchObject({ code: 'THREAD_ENDED' });

  const changes: ReadonlySet<string>[] = [];
  opened.subscribe((event) => {
    if (event.kind === 'snapshot') changes.push(event.changedModels);
  });
  await store.deploy('iris', '1.0.0');
  await vi.waitUntil(() => opened.current.deployments.get('iris')?.version === '1.0.0', patience);
  await vi.waitUntil(() => opened.condition.fresh, patience);
  expect(threads).toHaveLength(2);
  expect(changes.flatMap((models) => [...models])).toEqual(['iris']);
  expect(opened.current.models.get('other')?.get('1.0.0')).toBe(current.models.get('other')?.get('1.0.0'));
  await vi.waitUntil(() => opened.readArtifact(iris).catch(() => undefined), patience);

  const again = nextEvent(opened, 'interrupted');
  void threads[1]!.terminate();
  expect(await again).toMatchObject({ restartMs: 200 });
  await opened.close();
  expect(threads).toHaveLength(2);
});

test('one that cannot open the store again goes on trying', async () => {
  const store = await TemporaryStore.makeWithIris();
  const threads = threadsOfTest();
  const opened = await store.open({ threadFile });
  const memories = ['memory.json', 'memory-copy.json'].map((name) => join(store.stateFolder, name));
  const sound = await Promise.all(memories.map((path) => readFile(path)));
  for (const path of memories) await writeFile(path, 'nothing');
  const errors: string[] = [];
  opened.subscribe((event) => {
    if (event.kind === 'interrupted') errors.push(event.error.check ?? event.error.code);
  });
  await threads[0]!.terminate();
  await vi.waitUntil(() => errors.length > 1, patience);
  expect(errors.slice(0, 2)).toEqual(['THREAD_ENDED', 'trusted-state']);
  expect(opened.condition).toMatchObject({ fresh: false, lastError: { check: 'trusted-state' } });
  for (const [at, path] of memories.entries()) await writeFile(path, sound[at]!);
  await vi.waitUntil(() => opened.condition.fresh, patience);
  expect(opened.current.deployments.get('iris')?.version).toBe('2.0.0');
});
