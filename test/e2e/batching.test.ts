/**
 * How a deployment says that its model is batched, and what becomes of callers who ask for too much, on a running gateway:
 * changed live, without loading anything.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentBatching } from '../../registry-store/main.ts';
import { within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import { slowModel } from './odd-models.ts';
import { StreamClient } from './stream-client.ts';
import { tensorOf } from './tensor.ts';
import { fieldsOf, msgpackMessage, oipJsonBody, packed, unpacked } from './wire-forms.ts';

const models = [{ name: 'slow', version: '1.0.0', file: slowModel(1500) }];
const path = '/v2/models/slow/infer';
const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 256] }, Array<number>(256).fill(1))];
const message = JSON.parse(oipJsonBody({ model: 'slow', inputs })) as object;

let under: GatewayUnderTest;

async function ask(headers: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(under.port);
  try {
    const body = JSON.stringify(message);
    return await within(connection.exchange({ method: 'POST', path, headers, body }), 'an answer');
  } finally {
    connection.destroy();
  }
}

/** As an operator would; when this resolves the gateway has obeyed. */
async function tune(batching: DeploymentBatching): Promise<void> {
  under.store.deploy('slow', '1.0.0', { batching });
  // The snapshot is applied in the turns that follow; nothing is loaded, so there are few.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function codeOf({ status, body }: HttpAnswer): unknown {
  return status === 200 ? 'OK' : fieldsOf(JSON.parse(String(body)))['code'];
}

describe('the batches of a deployment', () => {
  beforeAll(async () => {
    under = await startTestGateway({
      models,
      limits: { batchRowsMax: 4 },
      inlineRunUsMax: 0,
      logLevel: 'debug',
    });
  });
  afterAll(() => under.close());

  test('are of the sizes that it allows, and each is told of in the log for those who look', async () => {
    await tune({ rowsMax: 4, allowedRows: [1, 3] });
    const before = under.log.length;
    await Promise.all(Array.from({ length: 24 }, () => ask()));
    await tune({ rowsMax: 4, allowedRows: [] });
    const batches = under.log.slice(before).filter(({ msg }) => msg === 'batch answered');
    const rows = batches.map((batch) => Number(batch['rows']));
    expect(rows.reduce((sum, count) => sum + count, 0)).toBe(24);
    expect(rows).toContain(3);
    for (const batch of batches) {
      expect([1, 3]).toContain(batch['rows']);
      expect(batch).toMatchObject({ model: 'slow', version: '1.0.0', trigger: expect.any(String) as string });
      for (const name of ['queueMs', 'predictedMs', 'laneMs', 'runMs'])
        expect(batch[name]).toBeGreaterThanOrEqual(0);
    }
  });

  test('are tuned while it serves, and nothing is loaded for it', async () => {
    const burst = async (): Promise<number> => {
      const before = (await under.metrics()).sum('tidegate_batches_total');
      await Promise.all(Array.from({ length: 24 }, () => ask()));
      return (await under.metrics()).sum('tidegate_batches_total') - before;
    };
    expect(await burst()).toBeLessThan(24);
    await tune({ rowsMax: 1 });
    expect(await burst()).toBe(24);
    await tune({ rowsMax: 4 });
    expect(await burst()).toBeLessThan(24);
    expect(under.log.filter(({ msg }) => msg === 'version loaded').length).toBe(1);
  });

  test('have a deadline where the deployment has one for who sets none', async () => {
    await tune({ rowsMax: 1, defaultTimeoutMs: 2 });
    const codes = (await Promise.all(Array.from({ length: 60 }, () => ask()))).map(codeOf);
    expect(codes.filter((code) => code !== 'OK').length).toBeGreaterThan(0);
    expect(['OVERLOADED', 'DEADLINE_EXCEEDED']).toEqual(
      expect.arrayContaining([...new Set(codes)].filter((code) => code !== 'OK')),
    );
    await tune({ rowsMax: 1, defaultTimeoutMs: 3_600_000 });
    expect(codeOf(await ask())).toBe('OK');
  });

  test('say why they were closed and how long they were foreseen to be', async () => {
    const metrics = await under.metrics();
    expect(metrics.sum('tidegate_lane_predicted_seconds_total')).toBeGreaterThan(0);
    expect(metrics.sum('tidegate_lane_seconds_total')).toBeGreaterThan(0);
    expect(metrics.sum('tidegate_prediction_error_seconds_count')).toBe(
      metrics.sum('tidegate_batches_total'),
    );
  });
});

describe('a caller who may have two rows here', () => {
  beforeAll(async () => {
    const limits = { batchRowsMax: 1, callerRowsMax: 2 };
    const callerSources = [{ kind: 'header', name: 'x-tenant' }] as const;
    under = await startTestGateway({ models, limits, callerSources, inlineRunUsMax: 0 });
  });
  afterAll(() => under.close());

  test('is told CALLER_LIMIT and when to come again, and others are not bound by it', async () => {
    const hot = Promise.all(Array.from({ length: 30 }, () => ask({ 'x-tenant': 'hot' })));
    const calm = Array.from({ length: 5 }, (_, index) => ask({ 'x-tenant': `calm-${index}` }));
    expect((await Promise.all(calm)).map(codeOf)).toEqual(Array<string>(5).fill('OK'));
    const refused = (await hot).filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(30);
    for (const answer of refused) {
      expect([answer.status, codeOf(answer)]).toEqual([429, 'CALLER_LIMIT']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    }
    expect(codeOf(await ask({ 'x-tenant': 'hot' }))).toBe('OK');
  });

  test('is the same one on a WebSocket, known by its address where nothing else is said', async () => {
    const client = await StreamClient.open(under.port);
    const codes = new Map<unknown, unknown>();
    const all = new Promise<void>((resolve) => {
      client.onMessage(({ payload }) => {
        const { id, code = 'OK', retry_after_ms: afterMs } = unpacked(payload);
        codes.set(id, code);
        if (code !== 'OK') expect(afterMs).toBeGreaterThan(0);
        if (codes.size === 6) resolve();
      });
    });
    for (let id = 0; id < 6; id++) {
      client.send(packed(msgpackMessage({ model: 'slow', inputs, id }, { fields: { model: 'slow' } })));
    }
    await within(all, 'all answers');
    expect(new Set(codes.values())).toEqual(new Set(['OK', 'CALLER_LIMIT']));
    client.destroy();
  });
});
