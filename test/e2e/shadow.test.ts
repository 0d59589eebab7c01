/** A shadow gets copies of requests: callers notice nothing of it, and what it answers is compared, never returned. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { eventually as eventuallyBy } from './deadline.ts';
import { threadsBehind } from '../runtime/pool/thread-state.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { lookupModel, slowModel, unloadableModel } from './odd-models.ts';

/** The thread of a shadow comes after all others: on a machine that is busy otherwise it gets next to no time. */
const turnMs = 60_000;
vi.setConfig({ testTimeout: 2 * turnMs });

function eventually<Value>(look: Parameters<typeof eventuallyBy<Value>>[0], what: string): Promise<Value> {
  return eventuallyBy(look, what, turnMs);
}

let under: GatewayUnderTest;

async function start(
  model: string,
  file: Uint8Array,
  limits: Readonly<Record<string, number>> = {},
): Promise<void> {
  under = await startTestGateway({ models: [{ name: model, version: '1.0.0', file }], limits });
}

// As many rows and bytes as a request has: copies that wait count for nobody, or the next one would be refused.
beforeEach(() => start('iris', demoModel('iris-1.0.0'), { callerRowsMax: 2, callerBytesMax: 32 }));
afterEach(() => under.close());

function shadow(model: string, version: string, percent: number): void {
  const sha256 = under.store.current.models.get(model)?.get(version)?.artifact.sha256;
  if (sha256 === undefined) throw new Error(`${model} ${version} was not published`);
  const trafficBps = percent * 100;
  under.store.deploy(model, '1.0.0', { strategy: 'shadow', candidate: { version, sha256 }, trafficBps });
}

async function begun(): Promise<void> {
  await eventually(
    () => under.log.some(({ msg }) => msg === 'requests copied to a shadow'),
    'the shadow to be ready',
  );
}

async function counted(name: string): Promise<number> {
  return (await under.metrics()).sum(`tidegate_shadow_${name}`);
}

async function ask(key: string, path = ''): Promise<{ readonly model_version?: string }> {
  const response = await fetch(`${under.url}/predict/iris${path}`, {
    method: 'POST',
    headers: { 'x-routing-key': key },
    body: '{"features": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.1, 5.6, 2.4]]}',
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { readonly model_version?: string };
}

const keys = Array.from({ length: 200 }, (_, index) => `user-${index}`);

test('every answer is that of the live version, and the same model agrees with itself', async () => {
  under.store.publish('iris', '1.0.1', demoModel('iris-1.0.0'));
  shadow('iris', '1.0.1', 100);
  await begun();
  for (const key of keys.slice(0, 20)) expect(await ask(key)).toMatchObject({ model_version: '1.0.0' });
  await eventually(async () => (await counted('pairs_total')) === 20, 'all pairs to be compared');
  // Two rows in each of two outputs.
  expect(await counted('rows_total')).toBe(80);
  expect(await counted('rows_agreeing_total')).toBe(80);
  expect(await counted('difference_max')).toBeLessThan(1e-5);
  expect(await counted('failed_total')).toBe(0);
  const told = { model: 'iris', candidate: '1.0.1', percent: 100, copies: 20, answered: 20 };
  expect(await (await fetch(`${under.url}/v2/health/ready`)).json()).toMatchObject({
    shadows: [{ ...told, rows: 80, rows_agreeing: 80 }],
  });
});

test.runIf(process.platform === 'linux')('its thread comes after all others, and ends with it', async () => {
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  // The gateway under test runs in this process.
  expect(threadsBehind()).toHaveLength(0);
  shadow('iris', '2.0.0', 100);
  await begun();
  expect(threadsBehind()).toHaveLength(1);
  under.store.deploy('iris', '1.0.0');
  await eventually(() => threadsBehind().length === 0, 'the thread to end');
});

test('the next candidate takes the place of the one before', async () => {
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  under.store.publish('iris', '2.0.1', demoModel('iris-1.0.0'));
  shadow('iris', '2.0.0', 100);
  await begun();
  shadow('iris', '2.0.1', 100);
  await eventually(() => under.log.some(({ msg }) => msg === 'shadow ended'), 'the first to end');
  await ask('ada');
  await eventually(
    async () =>
      (await under.metrics()).sum('tidegate_shadow_pairs_total', { model: 'iris', candidate: '2.0.1' }) === 1,
    'the second to be compared',
  );
});

test('another model is seen to differ', async () => {
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  shadow('iris', '2.0.0', 100);
  await begun();
  for (const key of keys.slice(0, 10)) await ask(key);
  await eventually(async () => (await counted('pairs_total')) === 10, 'all pairs to be compared');
  expect(await counted('difference_max')).toBeGreaterThan(1e-4);
});

test('the share is one of keys, and requests that name a version are not copied', async () => {
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  shadow('iris', '2.0.0', 25);
  await begun();
  // Those that were handed over, and those that found no room, which a busy machine decides.
  const copies = async (): Promise<number> =>
    (await counted('sent_total')) + (await counted('dropped_total'));
  for (const key of keys) await ask(key);
  const once = await copies();
  // 50 wanted, standard deviation 6.
  expect(once).toBeGreaterThan(25);
  expect(once).toBeLessThan(75);
  expect(await counted('sent_total')).toBeGreaterThan(0);
  for (const key of keys) await ask(key);
  expect(await copies()).toBe(2 * once);
  for (const key of keys) await ask(key, '/1.0.0');
  expect(await copies()).toBe(2 * once);
});

test('what the candidate cannot take counts against it and not against the caller', async () => {
  under.store.publish('iris', '2.0.0', lookupModel());
  shadow('iris', '2.0.0', 100);
  await begun();
  await ask('ada');
  await eventually(async () => (await counted('failed_total')) === 1, 'the failure to be counted');
  expect(await counted('pairs_total')).toBe(0);
});

test('a candidate that does not load is reported, and the next one is taken', async () => {
  under.store.publish('iris', '2.0.0', unloadableModel());
  shadow('iris', '2.0.0', 100);
  await eventually(
    async () => (await under.metrics()).sum('tidegate_deployment_problem', { problem: 'NOT_CURRENT' }) === 1,
    'the problem to be known',
  );
  await ask('ada');
  under.store.publish('iris', '2.0.1', demoModel('iris-2.0.0'));
  shadow('iris', '2.0.1', 100);
  await begun();
  await ask('ada');
  await eventually(async () => (await counted('pairs_total')) === 1, 'the pair to be compared');
});

test('while callers wait for a thread nothing is copied, which is counted', async () => {
  await under.close();
  // One thread, and a batch takes long.
  under = await startTestGateway({
    models: [{ name: 'slow', version: '1.0.0', file: slowModel(600) }],
    limits: { batchRowsMax: 4 },
    inlineRunUsMax: 0,
  });
  under.store.publish('slow', '2.0.0', slowModel(1));
  shadow('slow', '2.0.0', 100);
  await begun();
  const body = JSON.stringify({ features: [Array.from({ length: 256 }, () => 0.5)] });
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => fetch(`${under.url}/predict/slow`, { method: 'POST', body })),
  );
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  const [sent, dropped] = [await counted('sent_total'), await counted('dropped_total')];
  expect(sent + dropped).toBe(60);
  // The candidate is quick: only what waits for the live version keeps copies away.
  expect(dropped).toBeGreaterThan(20);
  expect(sent).toBeGreaterThan(0);
});

test('a shadow has its share of the time, and copies beyond are dropped', async () => {
  await under.close();
  const limits = { shadowBusyPercentMax: 1 };
  const file = slowModel(1);
  under = await startTestGateway({ models: [{ name: 'slow', version: '1.0.0', file }], limits });
  under.store.publish('slow', '2.0.0', slowModel(600));
  shadow('slow', '2.0.0', 100);
  await begun();
  const body = JSON.stringify({ features: [Array.from({ length: 256 }, () => 0.5)] });
  // One at a time, so that there is room for each.
  const asked = async (): Promise<number> => {
    const answer = await fetch(`${under.url}/predict/slow`, { method: 'POST', body });
    expect(answer.status).toBe(200);
    return counted('dropped_total');
  };
  await eventually(async () => (await asked()) > 5, 'copies to be dropped');
  expect(await counted('sent_total')).toBeGreaterThan(0);
});

test('copies that a slow candidate has no room for are dropped, and its end is clean', async () => {
  await under.close();
  await start('slow', slowModel(1));
  under.store.publish('slow', '2.0.0', slowModel(600));
  shadow('slow', '2.0.0', 100);
  await begun();
  const body = JSON.stringify({ features: [Array.from({ length: 256 }, () => 0.5)] });
  const answers = await Promise.all(
    Array.from({ length: 600 }, () => fetch(`${under.url}/predict/slow`, { method: 'POST', body })),
  );
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(await counted('dropped_total')).toBeGreaterThan(0);
  under.store.deploy('slow', '1.0.0');
  await eventually(() => under.log.some(({ msg }) => msg === 'shadow ended'), 'the shadow to end');
  expect(await counted('sent_total')).toBe(0);
});
