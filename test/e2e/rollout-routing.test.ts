/**
 * Who meets which version of a canary, over HTTP and WebSocket: rules before the hash, requests without a key that are
 * refused, and callers who may not choose.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { Cohorts } from '../../registry-store/main.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { lookupModel } from './odd-models.ts';
import { StreamTalk } from './stream-talk.ts';

const open: GatewayUnderTest[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((under) => under.close()));
});

type Options = Omit<Parameters<typeof startTestGateway>[0], 'models'>;

const models = [{ name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') }];
const nobody = { headers: [], keys: [] };
const cohorts: Cohorts = {
  candidate: { headers: [{ header: 'x-tenant', value: 'beta-', isPrefix: true }], keys: ['ada'] },
  stable: { headers: [{ header: 'x-tier', value: 'gold', isPrefix: false }], keys: ['bob'] },
};

async function start(options: Options = {}): Promise<GatewayUnderTest> {
  const under = await startTestGateway({ models, ...options });
  open.push(under);
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  return under;
}

/** iris 2.0.0 is a candidate with this share; the answer says so to whoever names it. */
async function divide(under: GatewayUnderTest, percent: number, rules?: Cohorts): Promise<void> {
  const sha256 = under.store.current.models.get('iris')?.get('2.0.0')?.artifact.sha256 ?? '';
  under.store.deploy('iris', '1.0.0', {
    strategy: 'canary',
    candidate: { version: '2.0.0', sha256 },
    trafficBps: percent * 100,
    rolloutId: 'iris:test',
    ...(rules !== undefined && { cohorts: rules }),
  });
  await eventually(
    () => under.log.some(({ msg, percent: logged }) => msg === 'traffic divided' && logged === percent),
    `the candidate to get ${percent} %`,
  );
}

interface Answer {
  readonly status: number;
  readonly version?: unknown;
  readonly variant: string | null;
  readonly code?: unknown;
  readonly error?: unknown;
}

async function ask(under: GatewayUnderTest, headers: Record<string, string>, path = ''): Promise<Answer> {
  const response = await fetch(`${under.url}/predict/iris${path}`, {
    method: 'POST',
    body: '{"features": [[5.1, 3.5, 1.4, 0.2]]}',
    headers,
  });
  const { model_version: version, code, error } = (await response.json()) as Record<string, unknown>;
  return { status: response.status, version, variant: response.headers.get('x-variant'), code, error };
}

const frame = {
  model: 'iris',
  inputs: [{ name: 'features', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] }],
};

const tried = { status: 200, version: '2.0.0', variant: 'cohort' };
const spared = { status: 200, version: '1.0.0', variant: 'cohort' };

describe('rules of a canary', () => {
  test('come before the hash over HTTP, and what is named before them', async () => {
    const under = await start();
    await divide(under, 0, cohorts);
    expect(await ask(under, { 'x-tenant': 'beta-7' })).toMatchObject(tried);
    expect(await ask(under, { 'x-user-id': 'ada' })).toMatchObject(tried);
    expect(await ask(under, { 'x-user-id': 'cy' })).toMatchObject({ version: '1.0.0', variant: 'stable' });
    expect(await ask(under, { 'x-user-id': 'ada', 'x-tier': 'gold' })).toMatchObject(spared);
    expect(await ask(under, { 'x-user-id': 'bob', 'x-tenant': 'beta-7' })).toMatchObject(spared);
    await divide(under, 100, cohorts);
    expect(await ask(under, { 'x-user-id': 'bob' })).toMatchObject(spared);
    expect(await ask(under, { 'x-tier': 'gold' })).toMatchObject(spared);
    expect(await ask(under, { 'x-user-id': 'cy' })).toMatchObject({ version: '2.0.0', variant: 'canary' });
    expect(await ask(under, { 'x-user-id': 'bob' }, '/2.0.0')).toMatchObject({
      version: '2.0.0',
      variant: 'forced',
    });
  });

  test('hold for a socket that is older than the canary, by its handshake and by the key of a frame', async () => {
    const under = await start();
    const gold = await StreamTalk.open(under.port, { 'x-tier': 'gold' });
    const plain = await StreamTalk.open(under.port, { 'x-routing-key': 'cy' });
    await divide(under, 100, cohorts);
    gold.sayText({ id: 'g', routing_key: 'cy', ...frame });
    plain.sayText({ id: 'p', ...frame });
    plain.sayText({ id: 'b', routing_key: 'bob', ...frame });
    plain.sayText({ id: 'a', routing_key: 'ada', ...frame });
    expect(await gold.answer('g')).toMatchObject({ model_version: '1.0.0', variant: 'cohort' });
    expect(await plain.answer('p')).toMatchObject({ model_version: '2.0.0', variant: 'canary' });
    expect(await plain.answer('b')).toMatchObject({ model_version: '1.0.0', variant: 'cohort' });
    expect(await plain.answer('a')).toMatchObject({ model_version: '2.0.0', variant: 'cohort' });
    gold.client.destroy();
    plain.client.destroy();
  });

  test('hold for a request that came before the canary, which meets the live version', async () => {
    const under = await start({ missingKey: 'reject' });
    const body = '{"features": [[5.1, 3.5, 1.4, 0.2]]}';
    const early = request(`${under.url}/predict/iris`, {
      method: 'POST',
      headers: { 'x-user-id': 'bob', 'content-length': body.length },
    });
    early.flushHeaders();
    await eventually(
      async () => (await under.metrics()).sum('tidegate_open_exchanges') > 1,
      'its head to arrive',
    );
    await divide(under, 100, cohorts);
    early.end(body);
    const [response] = (await once(early, 'response')) as [IncomingMessage];
    response.resume();
    expect([response.statusCode, response.headers['x-model-version'], response.headers['x-variant']]).toEqual(
      [200, '1.0.0', 'stable'],
    );
  });

  test('are no evidence: failures of a cohort take no candidate out of the traffic', async () => {
    const file = lookupModel(100);
    const under = await startTestGateway({ models: [{ name: 'squares', version: '1.0.0', file }] });
    open.push(under);
    under.store.publish('squares', '2.0.0', lookupModel(10));
    const sha256 = under.store.current.models.get('squares')?.get('2.0.0')?.artifact.sha256 ?? '';
    const inTenant = { headers: [{ header: 'x-tenant', value: 'beta', isPrefix: false }], keys: [] };
    under.store.deploy('squares', '1.0.0', {
      strategy: 'canary',
      candidate: { version: '2.0.0', sha256 },
      trafficBps: 5000,
      cohorts: { candidate: inTenant, stable: nobody },
    });
    await eventually(() => under.log.some(({ msg }) => msg === 'traffic divided'), 'the canary to begin');
    const askFor = async (user: number, headers: Record<string, string>): Promise<number> => {
      const inputs = [{ name: 'index', datatype: 'INT64', shape: [1], data: [42] }];
      const response = await fetch(`${under.url}/v2/models/squares/infer`, {
        method: 'POST',
        headers: { 'x-user-id': `user-${user}`, ...headers },
        body: JSON.stringify({ inputs }),
      });
      return response.status;
    };
    const isOut = (): boolean => under.log.some(({ msg }) => msg === 'candidate taken out of the traffic');
    for (let user = 0; user < 60; user += 1) expect(await askFor(user, { 'x-tenant': 'beta' })).toBe(500);
    expect(isOut()).toBe(false);
    // The same failures by chance are evidence at once.
    for (let user = 0; user < 60 && !isOut(); user += 1) await askFor(user, {});
    expect(isOut()).toBe(true);
  });
});

describe('a request without a key', () => {
  test('is refused where the node says so, as long as a canary needs one', async () => {
    const keySources = [
      { kind: 'header', name: 'x-customer' } as const,
      { kind: 'cookie', name: 'uid' } as const,
    ];
    const under = await start({ missingKey: 'reject', keySources });
    expect(await ask(under, {})).toMatchObject({ status: 200, version: '1.0.0' });
    await divide(under, 100, cohorts);
    const refusal = await ask(under, { 'x-user-id': 'ada' });
    expect(refusal).toMatchObject({ status: 400, code: 'MISSING_ROUTING_KEY' });
    expect(refusal.error).toContain('header:x-customer, cookie:uid');
    expect(await ask(under, { 'x-customer': '' })).toMatchObject({ status: 400 });
    expect(await ask(under, { cookie: 'uid=cy' })).toMatchObject({ status: 200, variant: 'canary' });
    expect(await ask(under, { 'x-tier': 'gold' })).toMatchObject(spared);
    expect(await ask(under, { 'x-model-version': '1.0.0' })).toMatchObject({
      status: 200,
      variant: 'forced',
    });
    const talk = await StreamTalk.open(under.port);
    talk.sayText({ id: 'without', ...frame });
    talk.sayText({ id: 'with', routing_key: 'cy', ...frame });
    expect(await talk.answer('without')).toMatchObject({ code: 'MISSING_ROUTING_KEY' });
    expect(await talk.answer('with')).toMatchObject({ model_version: '2.0.0' });
    talk.client.destroy();
  });

  test('has the address of its client, where that is a source', async () => {
    const under = await start({ missingKey: 'reject', keySources: [{ kind: 'address' }] });
    const here = { ...nobody, keys: ['127.0.0.1'] };
    await divide(under, 0, { candidate: here, stable: nobody });
    expect(await ask(under, {})).toMatchObject(tried);
    const talk = await StreamTalk.open(under.port);
    talk.sayText({ id: 'a', ...frame });
    expect(await talk.answer('a')).toMatchObject({ model_version: '2.0.0', variant: 'cohort' });
    talk.client.destroy();
  });

  test('has the address that its proxy tells, on the last line, and nobody else may tell one', async () => {
    const ranges = [{ address: '127.0.0.0', prefix: 8, family: 'ipv4' }] as const;
    const keySources = [{ kind: 'address' }] as const;
    const there = { ...nobody, keys: ['203.0.113.9'] };
    const variantOf = async (under: GatewayUnderTest, lines: readonly string[]): Promise<unknown> => {
      const asked = request(`${under.url}/predict/iris`, {
        method: 'POST',
        headers: { 'x-forwarded-for': [...lines] },
      });
      asked.end('{"features": [[5.1, 3.5, 1.4, 0.2]]}');
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
      return answer.headers['x-variant'];
    };
    const behind = await start({ keySources, trustedProxies: { ranges, header: 'x-forwarded-for' } });
    await divide(behind, 0, { candidate: there, stable: nobody });
    expect(await variantOf(behind, ['203.0.113.9'])).toBe('cohort');
    expect(await variantOf(behind, ['203.0.113.9', '192.0.2.7'])).toBe('stable');
    expect(await variantOf(behind, ['192.0.2.7', '203.0.113.9'])).toBe('cohort');
    const open = await start({ keySources });
    await divide(open, 0, { candidate: there, stable: nobody });
    expect(await variantOf(open, ['203.0.113.9'])).toBe('stable');
  });
});

describe('a caller who may not choose', () => {
  const refused = { status: 403, code: 'FORCE_NOT_ALLOWED', version: undefined };
  const naming = (version: string, more: Record<string, string> = {}): Record<string, string> => ({
    'x-model-version': version,
    'x-user-id': 'cy',
    ...more,
  });

  test('is refused another version than it meets, during a canary and without one', async () => {
    const under = await start({ forceVersion: 'none' });
    expect(await ask(under, naming('1.0.0'))).toMatchObject({ status: 200, version: '1.0.0' });
    expect(await ask(under, naming('2.0.0'))).toMatchObject(refused);
    await divide(under, 100, cohorts);
    expect(await ask(under, naming('2.0.0'))).toMatchObject({ version: '2.0.0', variant: 'canary' });
    expect(await ask(under, naming('1.0.0'))).toMatchObject(refused);
    expect(await ask(under, naming('9'))).toMatchObject(refused);
    expect(await ask(under, naming('1.0.0', { 'x-tier': 'gold' }))).toMatchObject(spared);
    expect(await ask(under, naming('2.0.0', { 'x-tier': 'gold' }))).toMatchObject(refused);
    // A version in the path or in a frame is part of the address.
    expect(await ask(under, {}, '/1.0.0')).toMatchObject({ version: '1.0.0', variant: 'forced' });
    const talk = await StreamTalk.open(under.port);
    talk.sayText({ id: 'a', version: '1.0.0', ...frame });
    expect(await talk.answer('a')).toMatchObject({ model_version: '1.0.0', variant: 'forced' });
    talk.client.destroy();
    const refusals = (await under.metrics()).sum('tidegate_requests_total', { code: 'FORCE_NOT_ALLOWED' });
    expect(refusals).toBe(4);
  });

  test('may with the secret', async () => {
    const secret = '0123456789abcdef0123456789abcdef';
    const tokenSha256 = createHash('sha256').update(secret).digest();
    const under = await start({ forceVersion: { tokenSha256 } });
    await divide(under, 0);
    expect(await ask(under, naming('2.0.0'))).toMatchObject(refused);
    expect(await ask(under, naming('2.0.0', { 'x-force-token': `${secret}0` }))).toMatchObject(refused);
    expect(await ask(under, naming('2.0.0', { 'x-force-token': secret }))).toMatchObject({
      version: '2.0.0',
      variant: 'forced',
    });
  });
});
