/** A change that its caller gives up while it is being written: the store is as it was, and the next change finds it so. */
import { expect, test } from 'vitest';
import { moveStage, publishModel, readStatus, verifyStore } from '../../../registry-store/main.ts';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

/** Everything but the drafts that the next publisher may find. */
async function storeFiles(store: TemporaryStore): Promise<readonly string[]> {
  return (await store.files()).filter((file) => !file.startsWith('.publisher/'));
}

async function publication(store: TemporaryStore): Promise<Parameters<typeof publishModel>[0]> {
  return {
    ...store.publisher,
    nowMs: Date.now(),
    model: 'iris',
    version: '3.0.0',
    artifact: await demoModel('1.0.0'),
    framework: 'test',
    author: 'test',
    actor: 'test',
  };
}

test('progress counts every byte that is written and ends before the last file', async () => {
  const store = await TemporaryStore.makeWithIris();
  const reports: (readonly [number, number])[] = [];
  await publishModel({
    ...(await publication(store)),
    progress: (done, total) => reports.push([done, total]),
  });
  const [first, last] = [reports[0], reports.at(-1)];
  expect(first?.[0]).toBe(0);
  expect(reports.every(([done], index) => done >= (reports[index - 1]?.[0] ?? 0))).toBe(true);
  expect(last?.[0]).toBeLessThan(last?.[1] ?? 0);
});

test('given up before any of its files, nothing is different; tried again, it works', async () => {
  const steps = await (async () => {
    const store = await TemporaryStore.makeWithIris();
    let count = 0;
    await publishModel({ ...(await publication(store)), progress: () => (count += 1) });
    return count;
  })();
  expect(steps).toBeGreaterThanOrEqual(4);
  for (let stopAt = 1; stopAt <= steps; stopAt += 1) {
    const store = await TemporaryStore.makeWithIris();
    const before = await storeFiles(store);
    const controller = new AbortController();
    let step = 0;
    const given = publishModel({
      ...(await publication(store)),
      signal: controller.signal,
      progress: () => {
        step += 1;
        if (step === stopAt) controller.abort(new Error('enough'));
      },
    });
    if (stopAt < steps) {
      await expect(given, `stopped at ${stopAt}`).rejects.toThrow('enough');
      expect(await storeFiles(store)).toEqual(before);
      expect((await readStatus(store.reader)).snapshot.revision).toBe(5);
      await publishModel(await publication(store));
    } else {
      // The last file was begun: it is in force, and said so.
      expect((await given).revision).toBe(6);
    }
    expect(await verifyStore(store.reader)).toMatchObject({ revision: 6, versions: 3 });
  }
});

test('a signal that was aborted before takes no lock', async () => {
  const store = await TemporaryStore.makeWithIris();
  const signal = AbortSignal.abort(new Error('enough'));
  const move = {
    ...store.publisher,
    nowMs: Date.now(),
    actor: 'test',
    model: 'iris',
    version: '1.0.0',
    signal,
  };
  await expect(moveStage({ ...move, to: 'archived' })).rejects.toThrow('enough');
  expect((await readStatus(store.reader)).snapshot.revision).toBe(5);
});
