/** What the gateway says about its store while it serves: health, metrics and logs tell the truth, and it serves on. */
import { afterEach, expect, test } from 'vitest';
import { StoreError } from '../../registry-store/main.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, demoModel, startTestGateway } from './gateway-under-test.ts';
import { unloadableModel } from './odd-models.ts';

let under: GatewayUnderTest;

afterEach(() => under.close());

async function start(): Promise<GatewayUnderTest> {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') }],
  });
  return under;
}

async function health(): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${under.url}/v2/health/ready`);
  return { status: answer.status, body: await answer.json() };
}

function logged(text: string): number {
  return under.log.filter(({ msg }) => msg === text).length;
}

test('a store that is not fresh any more stays ready, and says so everywhere, once', async () => {
  await start();
  expect(await health()).toMatchObject({ status: 200, body: { ready: true, store: { fresh: true } } });
  expect((await under.metrics()).sum('tidegate_store_fresh')).toBe(1);
  const expires = new Map([['timestamp', '2026-01-01T00:00:00Z']]);
  const lastError = {
    code: 'STORE_REFUSED',
    check: 'expiry',
    message: 'secret/place: expired',
    atMs: 0,
  } as const;
  under.store.setCondition({ fresh: false, lastError, expires, expiresSoon: ['timestamp'] });
  const { status, body } = await health();
  expect(status).toBe(200);
  expect(body).toMatchObject({
    ready: true,
    store: { fresh: false, error: { code: 'STORE_REFUSED', check: 'expiry' }, expires_soon: ['timestamp'] },
  });
  expect(JSON.stringify(body)).not.toContain('secret/place');
  const page = await under.metrics();
  expect(page.sum('tidegate_store_fresh')).toBe(0);
  expect(page.sum('tidegate_store_metadata_expires_seconds', { role: 'timestamp' })).toBeLessThan(0);
  expect(logged('store is not fresh, serving the last good state')).toBe(1);
  under.store.setCondition({ fresh: true, lastError: undefined, expiresSoon: ['snapshot'] } as never);
  expect(logged('store metadata expires soon, sign it anew')).toBe(1);
});

test('refused states are counted by the check that failed', async () => {
  await start();
  const refusal = new StoreError('STORE_REFUSED', 'no', { check: 'rollback' });
  under.store.refuse(refusal);
  under.store.refuse(refusal);
  under.store.refuse(new StoreError('SOURCE_UNREACHABLE', 'no'));
  const page = await under.metrics();
  expect(page.sum('tidegate_store_refusals_total', { check: 'rollback' })).toBe(2);
  expect(page.sum('tidegate_store_refusals_total', { check: 'SOURCE_UNREACHABLE' })).toBe(1);
});

test('a store that is not followed for now is counted and logged', async () => {
  await start();
  const error = new StoreError('THREAD_ENDED', 'The thread that verifies the store ended.');
  under.store.interrupt(error, 100);
  expect((await under.metrics()).sum('tidegate_store_interruptions_total')).toBe(1);
  expect(logged('store is not followed, its thread is started again')).toBe(1);
});

test('a version that does not load shows in health and metrics, and the one before serves on', async () => {
  await start();
  under.store.publish('iris', '2.0.0', unloadableModel());
  under.store.deploy('iris', '2.0.0');
  await eventually(() => under.gateway.failures.has('iris'), 'the failure to be known');
  const problem = { model: 'iris', problem: 'NOT_CURRENT', reason: 'MODEL_INVALID' };
  expect(await health()).toMatchObject({ status: 200, body: { ready: true, problems: [problem] } });
  expect((await under.metrics()).sum('tidegate_deployment_problem', problem)).toBe(1);
  under.store.deploy('iris', '1.0.0');
  await eventually(
    async () => (await under.metrics()).sum('tidegate_deployment_problem') === 0,
    'it to be over',
  );
});

test('a strategy that is not carried out leaves the live version live and is reported', async () => {
  await start();
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  const candidate = { version: '2.0.0', sha256: '0'.repeat(64) };
  under.store.deploy('iris', '1.0.0', { strategy: 'rolling', candidate });
  const problem = { model: 'iris', problem: 'STRATEGY_UNSUPPORTED', reason: 'rolling' };
  await eventually(
    async () => (await under.metrics()).sum('tidegate_deployment_problem', problem) === 1,
    'the strategy to be reported',
  );
  expect(await health()).toMatchObject({ status: 200, body: { problems: [problem] } });
  const inputs = [{ name: 'features', datatype: 'FP32', shape: [1, 4], values: [5, 3, 1, 0] }] as const;
  const answer = await fetch(`${under.url}/predict/iris`, {
    method: 'POST',
    body: JSON.stringify({ features: [inputs[0].values] }),
  });
  expect(await answer.json()).toMatchObject({ model_version: '1.0.0' });
});

test('only the model that changed is looked at', async () => {
  await start();
  under.store.publish('digits', '1.0.0', demoModel('digits-1.0.0'));
  under.store.deploy('digits', '1.0.0');
  await eventually(() => logged('live version changed') === 2, 'digits to be live');
  under.store.publish('digits', '2.0.0', demoModel('digits-2.0.0'));
  under.store.deploy('digits', '2.0.0');
  await eventually(() => logged('live version changed') === 3, 'digits 2.0.0 to be live');
  const loads = under.log.filter(({ msg }) => msg === 'version loaded');
  expect(loads.filter((line) => line['model'] === 'iris')).toHaveLength(1);
});
