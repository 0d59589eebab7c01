/**
 * Versions and threads that fail, seen from outside: which answers come, what health, metrics and log say, and that a
 * deployment is on as many threads as it asks for. The faults are those of test/runtime/pool/faulty-worker.mjs.
 */
import { afterEach, expect, test } from 'vitest';
import { rowModel } from '../runtime/pool/row-models.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { tensorOf } from './tensor.ts';
import type { Outcome } from './wire-forms.ts';

const workerFile = new URL('../runtime/pool/faulty-worker.mjs', import.meta.url);
const crash = 1002;
const patienceMs = 30_000;

let under: GatewayUnderTest;
afterEach(() => under.close());

const file = rowModel();
const bad = { name: 'bad', version: '1.0.0', file };
const good = { name: 'good', version: '1.0.0', file: rowModel(3) };

function ask(model: string, value: number): Promise<Outcome> {
  const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 1] }, [value])];
  return under.caller('oip-msgpack').call({ model, inputs });
}

async function health(): Promise<unknown> {
  return (await fetch(`${under.url}/v2/health/ready`)).json();
}

function logged(message: string): object | undefined {
  return under.log.find(({ msg }) => msg === message);
}

test('a version that costs too many threads is not run, all say so, and other models answer', async () => {
  const limits = { threadLossesMax: 2 };
  under = await startTestGateway({ models: [bad, good], threads: 1, inlineRunUsMax: 0, limits, workerFile });
  const neighbours = Array.from({ length: 20 }, () => ask('good', 2));
  // Alone, it is tried twice, and costs a thread each time.
  expect(await ask('bad', crash)).toMatchObject({ kind: 'error', status: 503, code: 'WORKER_LOST' });
  expect(await ask('bad', 2)).toMatchObject({ kind: 'error', status: 503, code: 'MODEL_QUARANTINED' });
  for (const outcome of await Promise.all(neighbours)) expect(outcome).toMatchObject({ kind: 'answer' });
  expect(await ask('good', 2)).toMatchObject({ kind: 'answer' });
  const facts = { model: 'bad', version: '1.0.0', threadsLost: 2, seconds: 30 };
  expect(logged('version quarantined, it cost too many threads')).toMatchObject(facts);
  expect(await health()).toMatchObject({
    ready: false,
    problems: [{ model: 'bad', problem: 'NOT_SERVED', reason: 'QUARANTINED' }],
  });
  expect((await fetch(`${under.url}/v2/models/bad/ready`)).status).toBe(503);
  expect((await fetch(`${under.url}/v2/models/good/ready`)).status).toBe(200);
  const metrics = await under.metrics();
  expect(metrics.sum('tidegate_quarantined', { model: 'bad' })).toBe(1);
  expect(metrics.sum('tidegate_threads_replaced_total', { cause: 'ended' })).toBe(2);
  expect(metrics.sum('tidegate_thread_memory_bytes')).toBeGreaterThan(0);
  // Another version of it is another matter.
  under.store.publish('bad', '2.0.0', rowModel(5));
  under.store.deploy('bad', '2.0.0');
  await eventually(async () => (await ask('bad', 2)).kind === 'answer', 'the next version', patienceMs);
  await eventually(async () => ((await health()) as { ready: boolean }).ready, 'readiness', patienceMs);
}, 120_000);

test('a run that hangs, by the node or by what is signed, finds no memory or answers nonsense costs its request only', async () => {
  // A version that costs threads would soon be in quarantine.
  const limits = { threadLossesMax: 0, runMsMax: 1000 };
  under = await startTestGateway({ models: [bad, good], threads: 2, inlineRunUsMax: 0, limits, workerFile });
  const faults = [
    { value: 1001, code: 'WORKER_LOST', cause: 'hung' },
    { value: 1004, code: 'MODEL_FAILED', cause: 'out_of_memory' },
    { value: 1005, code: 'WORKER_LOST', cause: 'nonsense' },
  ] as const;
  for (const { value, code, cause } of faults) {
    const faulty = ask('bad', value);
    const beside = ['bad', 'good'].flatMap((model) =>
      Array.from({ length: 10 }, async (_, row) => {
        const outcome = await ask(model, row);
        return outcome.kind === 'answer' ? outcome.outputs[0]?.data[0] : outcome;
      }),
    );
    expect(await faulty).toMatchObject({ kind: 'error', code });
    const rows = Array.from({ length: 10 }, (_, row) => row);
    expect(await Promise.all(beside)).toEqual([...rows, ...rows]);
    const metrics = await under.metrics();
    expect(metrics.sum('tidegate_threads_replaced_total', { cause })).toBeGreaterThanOrEqual(1);
  }
  // The node's limit, until one is signed for the model: that holds at once and for no other.
  const endedBy = (model: string): unknown =>
    under.log.findLast(({ msg, model: of }) => msg === 'request failed' && of === model)?.['detail'];
  under.store.deploy('bad', '1.0.0', { batching: { runMsMax: 300 } });
  const both = await Promise.all([ask('bad', 1001), ask('good', 1001)]);
  for (const outcome of both) expect(outcome).toMatchObject({ kind: 'error', code: 'WORKER_LOST' });
  expect(endedBy('bad')).toContain('did not answer within 300 ms');
  expect(endedBy('good')).toContain('did not answer within 1000 ms');
  expect(under.log.filter(({ msg }) => msg === 'version loaded')).toHaveLength(2);
  const idle = async (): Promise<boolean> =>
    (await under.metrics()).sum('tidegate_threads', { state: 'idle' }) === 2;
  await eventually(idle, 'both threads to be back', patienceMs);
  expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
}, 120_000);

test('a candidate that costs too many threads ends its rollout', async () => {
  const limits = { threadLossesMax: 1 };
  under = await startTestGateway({ models: [good], threads: 1, inlineRunUsMax: 0, limits, workerFile });
  under.store.publish('good', '2.0.0', file);
  const sha256 = under.store.current.models.get('good')?.get('2.0.0')?.artifact.sha256 ?? '';
  const candidate = { version: '2.0.0', sha256 };
  under.store.deploy('good', '1.0.0', { strategy: 'canary', candidate, trafficBps: 1000 });
  await eventually(() => logged('traffic divided') !== undefined, 'the rollout to begin', patienceMs);
  const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 1] }, [crash])];
  await under.caller('oip-msgpack').call({ model: 'good', version: '2.0.0', inputs });
  expect(logged('candidate taken out of the traffic')).toMatchObject({
    reason: 'the candidate was quarantined, threads it cost: 1',
  });
  for (let request = 0; request < 20; request++)
    expect(await ask('good', 2)).toMatchObject({ kind: 'answer' });
}, 120_000);

test('a deployment is on as many threads as it asks for, and fewer are told', async () => {
  under = await startTestGateway({ models: [good], threads: 2, inlineRunUsMax: 0 });
  const replicas = async (state: string): Promise<number> =>
    (await under.metrics()).sum('tidegate_replicas', { model: 'good', state });
  expect(await replicas('placed')).toBe(2);
  under.store.deploy('good', '1.0.0', { resources: { replicas: 1 } });
  await eventually(async () => (await replicas('placed')) === 1, 'one thread', patienceMs);
  expect(await ask('good', 2)).toMatchObject({ kind: 'answer' });
  expect(await health()).not.toHaveProperty('problems');
  under.store.deploy('good', '1.0.0', { resources: { replicas: 3 } });
  await eventually(async () => (await replicas('placed')) === 2, 'both threads', patienceMs);
  const detail = '3 asked, 2 placed: this node has 2 threads';
  await eventually(() => logged('fewer replicas than asked') !== undefined, 'it to be told', patienceMs);
  expect(logged('fewer replicas than asked')).toMatchObject({ model: 'good', asked: 3, placed: 2, detail });
  expect(await health()).toMatchObject({
    ready: true,
    problems: [{ model: 'good', problem: 'FEWER_REPLICAS', reason: 'THREADS', detail }],
  });
}, 120_000);

test('a deployment whose memory_limit is too small is not served, with the reason', async () => {
  under = await startTestGateway({ models: [], threads: 1 });
  under.store.publish('large', '1.0.0', rowModel(4096));
  under.store.deploy('large', '1.0.0', { resources: { memoryLimitBytes: 8192 } });
  await eventually(() => logged('deployment not served') !== undefined, 'it to be told', patienceMs);
  expect(logged('deployment not served')).toMatchObject({
    reason: expect.stringMatching(
      /^MEMORY_LIMIT: its file alone takes \d+ bytes here, its memory_limit is 8192/,
    ) as string,
  });
  expect(await health()).toMatchObject({
    problems: [
      {
        model: 'large',
        problem: 'NOT_SERVED',
        reason: 'MEMORY_LIMIT',
        detail: expect.stringMatching(/^its file alone takes \d+ bytes here/) as string,
      },
    ],
  });
}, 60_000);
