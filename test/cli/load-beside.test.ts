/** `serve --no-load-beside`: a model that comes is loaded between two batches, and never on a second thread. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { deployModel, publishModel } from '../../registry-store/main.ts';
import { demoModel } from '../e2e/gateway-under-test.ts';
import { makeIrisStore } from './iris-store.ts';
import { Served, temporaryFolder } from './served.ts';

const patience = { timeout: 60_000, interval: 50 };

/** Too large a model for the event loop, so that its requests keep the only thread in use. */
const digits = JSON.parse(
  readFileSync(new URL('../../deploy/demo/models/digits.sample.json', import.meta.url), 'utf8'),
) as { readonly shape: readonly number[]; readonly values: readonly number[] };

test('is what it says, and without it the thread in use goes on', async () => {
  const base = await temporaryFolder();
  const { folder, keysFolder, root } = await makeIrisStore(base);
  const publisher = { folder, keysFolders: [keysFolder], actor: 'test' };
  const publish = async (model: string, version: string): Promise<void> => {
    const about = { framework: 'onnx', author: 'test', artifact: demoModel(`${model}-${version}`) };
    await publishModel({ ...publisher, model, version, ...about, nowMs: Date.now() });
    await deployModel({ ...publisher, model, version, nowMs: Date.now() });
  };
  await publish('digits', '1.0.0');
  // No processor is free while these callers ask: nothing is to wait for one.
  const atOnce = ['--limit', 'loadBehindMsMax=0'];
  const place = [
    '--store',
    folder,
    '--root',
    root,
    '--port',
    '0',
    '--threads',
    '1',
    '--poll',
    '0.2',
    ...atOnce,
  ];
  const nodes = await Promise.all(
    [['--no-load-beside'], []].map((more, index) =>
      Served.start([...place, '--state', join(base, `state-${index}`), ...more]),
    ),
  );
  const urls = await Promise.all(nodes.map((node) => node.url()));
  const data = digits.values;
  const input = { name: 'image', datatype: 'FP32', shape: [1, ...digits.shape], data };
  const ask = async (url: string): Promise<void> => {
    const answer = await fetch(`${url}/v2/models/digits/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs: [input] }),
    });
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
  };

  let isOver = false;
  const asking = urls.map(async (url) => {
    while (!isOver) await ask(url);
  });
  await publish('iris', '2.0.0');
  for (const url of urls) {
    await vi.waitFor(async () => {
      const { status } = await fetch(`${url}/v2/models/iris/versions/2.0.0/ready`);
      expect(status).toBe(200);
    }, patience);
  }
  isOver = true;
  await Promise.all(asking);
  const [without, usual] = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  const beside = /tidegate_threads_replaced_total\{.*cause="loaded_beside".*\} [1-9]/;
  expect(without).not.toMatch(beside);
  expect(usual).toMatch(beside);
}, 120_000);
