/** A canary that divides by a field of the body, over every way in which a body comes. */
import { afterEach, expect, test } from 'vitest';
import type { MissingKeyPolicy } from '../../gateway/route/missing-key.ts';
import type { KeySource } from '../../gateway/route/routing-key.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { echoModel } from './odd-models.ts';
import { packed } from './wire-forms.ts';

const open: GatewayUnderTest[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((under) => under.close()));
});

const keySources: readonly KeySource[] = [
  { kind: 'header', name: 'x-user-id' },
  { kind: 'body', pointer: '/user/id', path: ['user', 'id'] },
  { kind: 'body', pointer: '/uid', path: ['uid'] },
  { kind: 'query', name: 'user' },
];
const keys = Array.from({ length: 40 }, (_, index) => 1000 + index);

/** A canary of half of the keys; `x` takes the features. */
async function start(
  versions: readonly [Uint8Array, Uint8Array],
  missingKey: MissingKeyPolicy = 'reject',
): Promise<GatewayUnderTest> {
  const models = [{ name: 'm', version: '1.0.0', file: versions[0] }];
  const under = await startTestGateway({ models, keySources, missingKey });
  open.push(under);
  const { store, log } = under;
  store.publish('m', '2.0.0', versions[1]);
  const sha256 = store.current.models.get('m')?.get('2.0.0')?.artifact.sha256 ?? '';
  const candidate = { version: '2.0.0', sha256 };
  const rolloutId = 'm:test';
  store.deploy('m', '1.0.0', { strategy: 'canary', candidate, trafficBps: 5000, rolloutId });
  await eventually(() => log.some(({ msg }) => msg === 'traffic divided'), 'the canary to begin');
  return under;
}

const iris = [demoModel('iris-1.0.0'), demoModel('iris-2.0.0')] as const;
const row = [5.1, 3.5, 1.4, 0.2];
const inputs = [{ name: 'features', shape: [1, 4], datatype: 'FP32', data: row }];

interface Answer {
  readonly status: number;
  readonly version: string | null;
  readonly variant: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

async function post(
  under: GatewayUnderTest,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${under.url}${path}`, {
    method: 'POST',
    body: body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body),
    headers,
  });
  return {
    status: response.status,
    version: response.headers.get('x-model-version'),
    variant: response.headers.get('x-variant'),
    body: (await response.json().catch(() => ({}))) as Answer['body'],
  };
}

test('the same key meets the same version in a header, in /predict and among parameters, as text and as number', async () => {
  const under = await start(iris);
  const met = new Set<string | null>();
  for (const key of keys) {
    const { version, status } = await post(
      under,
      '/predict/m',
      { features: [row] },
      { 'x-user-id': String(key) },
    );
    expect(status).toBe(200);
    met.add(version);
    const others = await Promise.all([
      post(under, '/predict/m', { features: [row], user: { id: key } }),
      post(under, '/predict/m', { user: { id: String(key) }, features: [row] }),
      post(under, '/predict/m?user=other', { features: [row], uid: key }),
      post(under, '/v2/models/m/infer', { inputs, parameters: { uid: key } }),
      // Twice, since the second is like the one before.
      post(under, '/v2/models/m/infer', { inputs, parameters: { uid: String(key) } }),
      post(under, '/v2/models/m/infer', { inputs, parameters: { uid: String(key) } }),
      post(under, `/predict/m?user=${key}`, { features: [row], user: { id: 1.5 }, uid: '' }),
    ]);
    expect(others.map((other) => [other.status, other.version])).toEqual(others.map(() => [200, version]));
  }
  expect(met).toEqual(new Set(['1.0.0', '2.0.0']));
});

test('what stands before the body comes before it', async () => {
  const under = await start(iris);
  for (const key of keys.slice(0, 8)) {
    const { version } = await post(under, '/predict/m', { features: [row], user: { id: key } });
    const headers = { 'x-user-id': String(key) };
    expect(await post(under, '/predict/m', { features: [row], user: { id: 'eve' } }, headers)).toMatchObject({
      version,
    });
  }
});

test('bodies that are not looked into have no key there', async () => {
  const under = await start(iris);
  const refused = { status: 400 };
  const many = Array.from({ length: 4000 }, () => row);
  const predict = await post(under, '/predict/m', { features: [row], other: 1 });
  expect(predict).toMatchObject({ ...refused, body: { code: 'MISSING_ROUTING_KEY' } });
  expect(predict.body['error']).toContain('header:x-user-id, body:/user/id, body:/uid, query:user');
  expect(JSON.stringify({ features: many }).length).toBeGreaterThan(64 * 1024);
  expect(await post(under, '/predict/m', { uid: 'ada', features: many })).toMatchObject(refused);
  const msgpack = { 'content-type': 'application/msgpack' };
  const message = packed({ inputs, parameters: { uid: 'ada' } });
  expect(await post(under, '/v2/models/m/infer', message, msgpack)).toMatchObject(refused);
  expect(await post(under, '/v2/models/m/infer?user=ada', message, msgpack)).toMatchObject({ status: 200 });
});

test('a body that is wrong is refused as ever, and a named version needs no key', async () => {
  const under = await start(iris);
  expect(await post(under, '/predict/m', { uid: 'ada' })).toMatchObject({
    status: 400,
    body: { code: 'INVALID_REQUEST' },
  });
  expect(await post(under, '/predict/m', Buffer.from('{"uid": "ada"'))).toMatchObject({
    status: 400,
    body: { code: 'MALFORMED_JSON' },
  });
  expect(await post(under, '/predict/m/2.0.0', { features: [row] })).toMatchObject({ variant: 'forced' });
});

test('a candidate that takes other numbers reads the body in its own way', async () => {
  const port = (datatype: 'FP32' | 'INT64'): Uint8Array => echoModel([{ datatype, shape: ['N', 2] }]);
  const under = await start([port('FP32'), port('INT64')]);
  const datatypes = new Set<unknown>();
  for (const key of keys) {
    const answer = await post(under, '/predict/m', { features: [[1, 2]], uid: key });
    expect(answer).toMatchObject({
      status: 200,
      body: { prediction: [[1, 2]], model_version: answer.version },
    });
    datatypes.add(answer.version);
  }
  expect(datatypes.size).toBe(2);
});
