/** A rollout as callers meet it: the same key meets the same version, over requests, sockets, shares and starts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { MissingKeyPolicy } from '../../gateway/route/missing-key.ts';
import { errorTable } from '../../gateway/wire/error-code.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway, type TestModel } from './gateway-under-test.ts';
import { lookupModel, unloadableModel } from './odd-models.ts';
import type { PuppetStore } from './puppet-store.ts';
import { StreamTalk } from './stream-talk.ts';

const open: GatewayUnderTest[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((under) => under.close()));
});

const stable: TestModel = { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') };
const keys = Array.from({ length: 120 }, (_, index) => `user-${index}`);

async function start(missingKey: MissingKeyPolicy = 'random'): Promise<GatewayUnderTest> {
  const under = await startTestGateway({ models: [stable], missingKey });
  open.push(under);
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  return under;
}

function pinOf(store: PuppetStore, version: string): { readonly version: string; readonly sha256: string } {
  const sha256 = store.current.models.get('iris')?.get(version)?.artifact.sha256;
  if (sha256 === undefined) throw new Error(`iris ${version} was not published`);
  return { version, sha256 };
}

async function divide(under: GatewayUnderTest, percent: number): Promise<void> {
  const candidate = pinOf(under.store, '2.0.0');
  under.store.deploy('iris', '1.0.0', { strategy: 'canary', candidate, trafficBps: percent * 100 });
  await eventually(
    () => under.log.some(({ msg, percent: logged }) => msg === 'traffic divided' && logged === percent),
    `the candidate to get ${percent} %`,
  );
}

interface Answer {
  readonly status: number;
  readonly version: unknown;
  readonly header: string | null;
  readonly rollout: string | null;
  readonly variant: string | null;
}

async function ask(under: GatewayUnderTest, headers: Record<string, string>, path = ''): Promise<Answer> {
  const response = await fetch(`${under.url}/predict/iris${path}`, {
    method: 'POST',
    body: '{"features": [[5.1, 3.5, 1.4, 0.2]]}',
    headers,
  });
  const body = (await response.json()) as { readonly model_version?: unknown };
  return {
    status: response.status,
    version: body.model_version,
    header: response.headers.get('x-model-version'),
    rollout: response.headers.get('x-rollout-id'),
    variant: response.headers.get('x-variant'),
  };
}

function askForAll(under: GatewayUnderTest): Promise<readonly Answer[]> {
  return Promise.all(keys.map((key) => ask(under, { 'x-routing-key': key })));
}

async function expectOnlyStable(under: GatewayUnderTest): Promise<void> {
  for (const { status, version, rollout } of await askForAll(under)) {
    expect({ status, version, rollout }).toEqual({ status: 200, version: '1.0.0', rollout: null });
  }
}

async function versionsByKey(under: GatewayUnderTest): Promise<ReadonlyMap<string, unknown>> {
  const answers = await askForAll(under);
  for (const { status, version, header, variant } of answers) {
    expect(status).toBe(200);
    expect(header).toBe(version);
    expect(variant).toBe(version === '2.0.0' ? 'canary' : 'stable');
  }
  return new Map(keys.map((key, index) => [key, answers[index]?.version]));
}

function canaryKeys(versions: ReadonlyMap<string, unknown>): readonly string[] {
  return keys.filter((key) => versions.get(key) === '2.0.0');
}

test('a growing share never moves a key back, and every key stays with its version', async () => {
  const under = await start();
  let before: readonly string[] = [];
  for (const percent of [5, 25, 50, 100]) {
    await divide(under, percent);
    const versions = await versionsByKey(under);
    expect(await versionsByKey(under)).toEqual(versions);
    const now = canaryKeys(versions);
    // Four standard errors of a share of these keys.
    const share = percent / 100;
    expect(Math.abs(now.length / keys.length - share)).toBeLessThanOrEqual(
      4 * Math.sqrt((share * (1 - share)) / keys.length),
    );
    expect(before.filter((key) => !now.includes(key))).toEqual([]);
    before = now;
  }
  expect(before).toHaveLength(keys.length);
});

test('two gateways divide alike, whatever they saw before', async () => {
  const [one, other] = [await start(), await start()];
  await divide(one, 50);
  await divide(one, 20);
  await divide(other, 20);
  expect(await versionsByKey(one)).toEqual(await versionsByKey(other));
});

test('a named version comes before the key and is told apart', async () => {
  const under = await start();
  await divide(under, 0);
  const forced = { status: 200, version: '2.0.0', header: '2.0.0', variant: 'forced' };
  expect(await ask(under, { 'x-model-version': '2.0.0', 'x-routing-key': 'user-1' })).toMatchObject(forced);
  expect(await ask(under, {}, '/2.0.0')).toMatchObject(forced);
  expect(await ask(under, { 'x-model-version': '9' })).toMatchObject({ status: 404, variant: null });
});

test('requests without a key follow the policy of the node', async () => {
  const [random, kept] = [await start('random'), await start('stable')];
  await divide(random, 50);
  await divide(kept, 50);
  const versionsOf = async (under: GatewayUnderTest): Promise<ReadonlySet<unknown>> => {
    const answers = await Promise.all(keys.slice(0, 100).map(() => ask(under, {})));
    return new Set(answers.map(({ version }) => version));
  };
  expect(await versionsOf(random)).toEqual(new Set(['1.0.0', '2.0.0']));
  expect(await versionsOf(kept)).toEqual(new Set(['1.0.0']));
});

test('the requests of a socket share the key of its handshake', async () => {
  const under = await start();
  await divide(under, 50);
  const versions = await versionsByKey(under);
  for (const key of keys.slice(0, 12)) {
    const talk = await StreamTalk.open(under.port, { 'x-routing-key': key });
    const inputs = [{ name: 'features', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] }];
    talk.sayText({ id: 'a', model: 'iris', inputs });
    const answer = await talk.answer('a');
    talk.client.destroy();
    expect(answer).toMatchObject({ model_version: versions.get(key) });
  }
});

test('a frame with a key of its own goes by that key, and each answer says why', async () => {
  const under = await start();
  await divide(under, 50);
  const versions = await versionsByKey(under);
  const talk = await StreamTalk.open(under.port, { 'x-routing-key': keys[0] ?? '' });
  const shared = { model: 'iris' };
  const tensor = { name: 'features', shape: [1, 4], datatype: 'FP32' };
  const numbers = [5.1, 3.5, 1.4, 0.2];
  const binary = [{ ...tensor, data: Buffer.from(Float32Array.from(numbers).buffer) }];
  const text = [{ ...tensor, data: numbers }];
  for (const [index, key] of keys.slice(0, 40).entries()) {
    talk.say({ id: index, routing_key: key, ...shared, inputs: binary });
    talk.sayText({ id: `t${index}`, routing_key: key, ...shared, inputs: text });
  }
  await talk.answered(80);
  for (const [index, key] of keys.slice(0, 40).entries()) {
    const version = versions.get(key);
    const variant = version === '2.0.0' ? 'canary' : 'stable';
    const said = { model_version: version, variant, rollout_id: expect.stringContaining('iris:') as unknown };
    expect(talk.answersTo(index)).toMatchObject([said]);
    expect(talk.answersTo(`t${index}`)).toMatchObject([said]);
  }
  // An empty key is no key, and a named version comes first.
  talk.say({ id: 'empty', routing_key: '', ...shared, inputs: binary });
  talk.say({ id: 'named', version: '2.0.0', ...shared, inputs: binary });
  expect(await talk.answer('empty')).toMatchObject({ model_version: versions.get(keys[0] ?? '') });
  expect(await talk.answer('named')).toMatchObject({ model_version: '2.0.0', variant: 'forced' });
  talk.say({ id: 'long', routing_key: 'k'.repeat(1025), ...shared, inputs: binary });
  talk.sayText({ id: 'longer', routing_key: 'k'.repeat(1025), ...shared, inputs: text });
  expect(await talk.answer('long')).toMatchObject({ code: 'INVALID_REQUEST' });
  expect(await talk.answer('longer')).toMatchObject({ code: 'INVALID_REQUEST' });
  talk.client.destroy();
});

test('a candidate that does not load leaves the live version with all requests', async () => {
  const under = await start();
  under.store.publish('iris', '3.0.0', unloadableModel());
  const candidate = pinOf(under.store, '3.0.0');
  under.store.deploy('iris', '1.0.0', { strategy: 'canary', candidate, trafficBps: 5000 });
  await eventually(
    async () => (await under.metrics()).sum('tidegate_deployment_problem', { problem: 'NOT_CURRENT' }) === 1,
    'the candidate to be given up',
  );
  await expectOnlyStable(under);
});

test('a candidate that fails more callers than the live version is taken out of the traffic, and stays out', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'canary-'));
  const rolloutsFile = join(folder, 'rollouts.json');
  const models = [{ name: 'squares', version: '1.0.0', file: lookupModel(100) }];
  const lookups = await startTestGateway({ models, rolloutsFile });
  open.push(lookups);
  const { store, url, log } = lookups;
  store.publish('squares', '2.0.0', lookupModel(10));
  const sha256 = store.current.models.get('squares')?.get('2.0.0')?.artifact.sha256 ?? '';
  const rollOut = (trafficBps: number): void => {
    store.deploy('squares', '1.0.0', {
      strategy: 'canary',
      candidate: { version: '2.0.0', sha256 },
      trafficBps,
    });
  };
  rollOut(2000);
  await eventually(() => log.some(({ msg }) => msg === 'traffic divided'), 'the candidate to get its share');
  let failed = 0;
  const statusOf = async (user: number): Promise<number> => {
    // Half of all requests ask for what only the live version has.
    const inputs = [{ name: 'index', datatype: 'INT64', shape: [1], data: [user % 2 === 0 ? 3 : 42] }];
    const body = JSON.stringify({ inputs });
    const headers = { 'x-user-id': `user-${user}`, 'content-type': 'application/json' };
    const response = await fetch(`${url}/v2/models/squares/infer`, { method: 'POST', headers, body });
    const answer = (await response.json()) as { readonly code?: unknown };
    if (response.status !== 200) {
      failed += 1;
      expect([response.status, answer.code]).toEqual([errorTable.MODEL_FAILED.status, 'MODEL_FAILED']);
      // The live version has every answer: whoever failed met the candidate.
      expect(response.headers.get('x-variant')).toBe('canary');
    }
    return response.status;
  };
  let user = 0;
  const isOut = (): boolean => log.some(({ msg }) => msg === 'candidate taken out of the traffic');
  for (; user < 2000 && !isOut(); user += 1) await statusOf(user);
  expect(isOut()).toBe(true);
  // The judge waits for 30 callers, half of whom fail. All of the share would have been 200.
  expect(failed).toBeLessThan(60);
  const line = log.find(({ msg }) => msg === 'candidate taken out of the traffic');
  expect(line?.['reason']).toMatch(
    /^the candidate failed in \d+ of \d+ requests, the stable version in 0 of \d+; /,
  );
  const problem = { model: 'squares', problem: 'ROLLED_BACK', reason: 'CANDIDATE_WORSE' };
  expect((await lookups.metrics()).sum('tidegate_deployment_problem', problem)).toBe(1);

  const failedBefore = failed;
  rollOut(9000);
  for (const end = user + 100; user < end; user += 1) expect(await statusOf(user)).toBe(200);
  expect(failed).toBe(failedBefore);

  // So it is for a gateway that starts with what this one remembers.
  const restarted = await startTestGateway({ models, rolloutsFile });
  open.push(restarted);
  restarted.store.publish('squares', '2.0.0', lookupModel(10));
  restarted.store.deploy('squares', '1.0.0', {
    strategy: 'canary',
    candidate: { version: '2.0.0', sha256 },
    trafficBps: 9000,
  });
  const isReported = async (): Promise<boolean> =>
    (await restarted.metrics()).sum('tidegate_deployment_problem', problem) === 1;
  await eventually(isReported, 'the candidate to be kept out after a restart');
  expect(restarted.log.some(({ msg }) => msg === 'traffic divided')).toBe(false);
  rmSync(folder, { recursive: true });
});

test('a blue/green candidate answers by name only, until it is promoted', async () => {
  const under = await start();
  under.store.deploy('iris', '1.0.0', { strategy: 'blue_green', candidate: pinOf(under.store, '2.0.0') });
  await eventually(
    async () => (await ask(under, { 'x-model-version': '2.0.0' })).version === '2.0.0',
    'the candidate to be loaded',
  );
  await expectOnlyStable(under);
  const loads = (): number => under.log.filter(({ msg }) => msg === 'version loaded').length;
  const loadsBefore = loads();
  under.store.deploy('iris', '2.0.0');
  await eventually(async () => (await ask(under, {})).version === '2.0.0', 'it to be live');
  expect(loads()).toBe(loadsBefore);
});
