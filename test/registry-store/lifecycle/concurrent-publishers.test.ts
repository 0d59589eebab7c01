/**
 * Two publishers in processes of their own, each making one change after another: none is lost, none is made twice, and
 * neither keeps the other out. TIDEGATE_PUBLISHES=200 makes it the full run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { type StoreError, publishModel, readHistory, verifyStore } from '../../../registry-store/main.ts';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

const publishes = Number(process.env['TIDEGATE_PUBLISHES'] ?? 15);
const timeout = 60_000 + publishes * 2000;

const main = new URL('../../../dist/registry-store/main.js', import.meta.url).href;
const model = new URL('../../../deploy/demo/models/iris-1.0.0.onnx', import.meta.url).pathname;

/** Publishes versions of its own, and each time tries one that both try. Prints what came of it. */
const script = `
  import { readFileSync } from 'node:fs';
  import { deployModel, publishModel } from ${JSON.stringify(main)};
  const [who, publishes, folder, ...keysFolders] = process.argv.slice(1);
  const artifact = readFileSync(${JSON.stringify(model)});
  const about = { folder, keysFolders, model: 'iris', artifact, framework: 'test', author: who, actor: who };
  const outcomes = { own: 0, shared: 0, codes: {} };
  for (let round = 0; round < Number(publishes); round++) {
    await publishModel({ ...about, nowMs: Date.now(), version: who + '.' + round });
    outcomes.own += 1;
    if (round % 5 !== 0) continue;
    try {
      await publishModel({ ...about, nowMs: Date.now(), version: 'both.' + round });
      outcomes.shared += 1;
    } catch (error) {
      outcomes.codes[error.code] = (outcomes.codes[error.code] ?? 0) + 1;
    }
  }
  console.log(JSON.stringify(outcomes));`;

interface Outcomes {
  readonly own: number;
  readonly shared: number;
  readonly codes: Readonly<Record<string, number>>;
}

function start(store: TemporaryStore, who: string): ChildProcess & { readonly outcomes: Promise<Outcomes> } {
  const args = ['--input-type=module', '-e', script, who, String(publishes), store.folder, store.keysFolder];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const outcomes = Promise.all([text(child.stdout), once(child, 'close')]).then(
    ([output]) => JSON.parse(output) as Outcomes,
  );
  return Object.assign(child, { outcomes });
}

test(`two processes with ${publishes} publishes each lose nothing`, { timeout }, async () => {
  const store = await TemporaryStore.makeWithIris();
  const [ada, bob] = await Promise.all(['ada', 'bob'].map((who) => start(store, who).outcomes));
  if (ada === undefined || bob === undefined) throw new Error('a publisher is missing');
  const rounds = Math.ceil(publishes / 5);
  expect([ada.own, bob.own]).toEqual([publishes, publishes]);
  // Of each version that both tried, one of them published it and the other was told.
  expect(ada.shared + bob.shared).toBe(rounds);
  const codes = [...Object.entries(ada.codes), ...Object.entries(bob.codes)];
  expect(codes.every(([code]) => code === 'DUPLICATE_VERSION')).toBe(true);
  expect(codes.reduce((total, [, count]) => total + count, 0)).toBe(rounds);

  const report = await verifyStore(store.reader);
  expect(report).toMatchObject({
    revision: 5 + 2 * publishes + rounds,
    versions: 2 + 2 * publishes + rounds,
    events: 5 + 2 * publishes + rounds,
  });
  const events = await readHistory(store.reader);
  const mine = events.filter(({ by }) => by === 'ada').map(({ revision }) => revision);
  // Both were at work all the time: neither had to wait for the other to be through.
  expect(mine.at(-1)).toBeGreaterThan(5 + publishes);
});

test('a publisher who may not wait is told who is at work, and has changed nothing', async () => {
  const store = await TemporaryStore.makeWithIris();
  const version = { model: 'iris', artifact: await demoModel('1.0.0'), framework: 'test', author: 'test' };
  const publish = (name: string): Promise<unknown> =>
    publishModel({
      ...store.publisher,
      ...version,
      version: name,
      nowMs: Date.now(),
      actor: 'a',
      lockWaitMs: 0,
    });
  const outcomes = await Promise.allSettled(['3', '4', '5', '6'].map(publish));
  const codes = outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? 'published' : (outcome.reason as StoreError).code,
  );
  expect(codes).toContain('published');
  expect(codes).toContain('STORE_LOCKED');
  const { versions } = await verifyStore(store.reader);
  expect(versions).toBe(2 + codes.filter((code) => code === 'published').length);
});

test('a change made behind the back of a lock is noticed before anything is overwritten', async () => {
  const store = await TemporaryStore.makeWithIris();
  const version = { model: 'iris', artifact: await demoModel('1.0.0'), framework: 'test', author: 'test' };
  const options = { ...store.publisher, ...version, nowMs: Date.now(), actor: 'test' };
  // Somebody copies a newer state over the folder, as a synchronising tool would, while this publisher signs.
  const elsewhere = await store.copy();
  await elsewhere.deploy('iris', '1.0.0');
  const { KeyFolderSigners } = await import('../../../registry-store/lifecycle/key-folder.ts');
  const { cp } = await import('node:fs/promises');
  const files = new KeyFolderSigners(store.publisher);
  let copied = false;
  const signers = {
    signersFor: async (keys: Parameters<typeof files.signersFor>[0]) => {
      if (keys.role === 'timestamp' && !copied) {
        copied = true;
        await cp(elsewhere.path('metadata'), store.path('metadata'), { recursive: true });
        await cp(elsewhere.path('targets'), store.path('targets'), { recursive: true });
      }
      return files.signersFor(keys);
    },
  };
  await expect(publishModel({ ...options, version: '3.0.0', signers })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
  });
  const { current } = await store.open();
  expect(current.revision).toBe(6);
  expect(current.models.get('iris')?.has('3.0.0')).toBe(false);
  await publishModel({ ...options, version: '3.0.0' });
  await verifyStore(store.reader);
});
