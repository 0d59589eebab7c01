/** The file of a load goes from thread to thread: it is read once, nothing of it stays here, and a thread that is lost costs another read. */
import { expect, it, onTestFinished } from 'vitest';
import { ModelFile } from '../../../runtime/pool/model-file.ts';
import { demoModel, runRows, startTestPool } from './pool-under-test.ts';

it('is read when it is opened, and again when whoever took it did not give it back', async () => {
  const reads: Uint8Array[] = [];
  const file = await ModelFile.open(() => {
    reads.push(new Uint8Array(reads.length + 1));
    return Promise.resolve(reads.at(-1)!);
  });
  expect([reads.length, file.lengthBytes]).toEqual([1, 1]);
  const first = await file.take();
  expect(first).toBe(reads[0]);
  file.giveBack(first);
  expect(await file.take()).toBe(first);
  expect(await file.take()).toBe(reads[1]);
  expect([reads.length, file.lengthBytes]).toEqual([2, 2]);
});

it('cannot be opened when it cannot be read', async () => {
  await expect(ModelFile.open(() => Promise.reject(new Error('disk gone')))).rejects.toThrow('disk gone');
});

it('is moved to every lane in turn and let go by the last one', async () => {
  const test = await startTestPool({ threads: 3, inlineModelBytesMax: 0 });
  onTestFinished(() => test.close());
  const iris = demoModel('iris-1.0.0');
  const reads: Uint8Array[] = [];
  const readModel = (): Promise<Uint8Array> => {
    reads.push(new Uint8Array(iris));
    return Promise.resolve(reads.at(-1)!);
  };
  const { session, replicas } = await test.load(iris, { readModel });
  expect([replicas, reads.length]).toEqual([3, 1]);
  // What was moved away has no bytes any more: a copy would have left them.
  expect(reads[0]?.byteLength).toBe(0);
  for (const lane of [0, 1, 2]) {
    expect(await runRows(test, { session, width: 4, values: [5.1, 3.8, 1.6, 0.2], lane })).toMatchObject({
      kind: 'ran',
    });
  }
});
