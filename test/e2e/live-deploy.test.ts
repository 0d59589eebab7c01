/**
 * Deployments that change while clients work: no request fails, every answer is that of the version it names, and what is
 * no longer deployed gives its sessions and memory back.
 */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { forms } from './callers.ts';
import { eventually } from './deadline.ts';
import { DirectSession } from './direct-session.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { unloadableModel } from './odd-models.ts';
import { relativeDifference, type Tensor, tensorOf } from './tensor.ts';
import type { Outcome } from './wire-forms.ts';

const files = new Map([
  ['1.0.0', demoModel('iris-1.0.0')],
  ['2.0.0', demoModel('iris-2.0.0')],
  // The same bytes under another name are another version all the same.
  ['3.0.0', demoModel('iris-1.0.0')],
]);
const inputs = [
  tensorOf({ name: 'features', datatype: 'FP32', shape: [2, 4] }, [5.1, 3.5, 1.4, 0.2, 6.1, 2.8, 4.7, 1.2]),
];

const wanted = new Map<string, readonly Tensor[]>();
beforeAll(async () => {
  for (const [version, file] of files)
    wanted.set(version, await (await DirectSession.open(file)).run(inputs));
});

/** How far an answer is from a direct run of the version that it names. */
function distance(outcome: Outcome): number {
  if (outcome.kind === 'error') return Infinity;
  const reference = wanted.get(outcome.modelVersion) ?? [];
  return Math.max(
    ...reference.map((tensor) =>
      relativeDifference(
        outcome.outputs.find(({ name }) => name === tensor.name),
        tensor,
      ),
    ),
  );
}

let under: GatewayUnderTest;
afterEach(() => under.close());

function logged(message: string): number {
  return under.log.filter(({ msg }) => msg === message).length;
}

async function deployed(version: string): Promise<void> {
  const before = logged('live version changed');
  under.store.deploy('iris', version);
  await eventually(() => logged('live version changed') > before, `iris ${version} to be live`, 20_000);
}

function startIris(inlineRunUsMax: number): Promise<GatewayUnderTest> {
  const file = files.get('1.0.0')!;
  return startTestGateway({ models: [{ name: 'iris', version: '1.0.0', file }], threads: 2, inlineRunUsMax });
}

test('models that wait for their turn to load are not ready, never unknown', async () => {
  under = await startIris(0);
  const added = ['first', 'second'];
  for (const model of added) under.store.publish(model, '1.0.0', files.get('1.0.0')!);
  const release = under.store.holdArtifacts();
  for (const model of added) under.store.deploy(model, '1.0.0');
  const status = async (model: string): Promise<number> =>
    (await fetch(`${under.url}/v2/models/${model}/ready`)).status;
  expect(await Promise.all(added.map(status))).toEqual([503, 503]);
  const caller = under.caller('oip-json');
  expect(await caller.call({ model: 'second', inputs })).toMatchObject({ code: 'MODEL_NOT_READY' });
  release();
  await eventually(async () => (await status('second')) === 200, 'the last one to load', 20_000);
});

describe.each([
  { where: 'on threads', flips: 100, inlineRunUsMax: 0 },
  { where: 'on the event loop', flips: 50, inlineRunUsMax: 1_000_000 },
])('$flips deployments under load $where', ({ flips, inlineRunUsMax }) => {
  test('cost no request, mix no versions and leave nothing behind', async () => {
    under = await startIris(inlineRunUsMax);
    const arenaBytesEmpty = (await under.metrics()).sum('tidegate_arena_bytes');
    for (const [version, file] of files) under.store.publish('iris', version, file);

    let sending = true;
    let asked = 0;
    const failed: Outcome[] = [];
    const seen = new Map<string, number>();
    const work = forms.flatMap((form) => {
      const caller = under.caller(form);
      return Array.from({ length: form.startsWith('stream') ? 4 : 1 }, async () => {
        while (sending) {
          asked += 1;
          const outcome = await caller.call({ model: 'iris', inputs });
          if (distance(outcome) > 1e-5) failed.push(outcome);
          const version = outcome.kind === 'answer' ? outcome.modelVersion : outcome.code;
          seen.set(version, (seen.get(version) ?? 0) + 1);
        }
      });
    });
    for (let flip = 1; flip <= flips; flip++) {
      // Two versions take turns, both loaded; every tenth time a third one comes, and one of the two is released.
      await deployed(flip % 10 === 0 ? '3.0.0' : flip % 2 === 0 ? '1.0.0' : '2.0.0');
      const before = asked;
      await eventually(() => asked > before, 'a request between two deployments');
    }
    sending = false;
    await Promise.all(work);

    expect(failed.slice(0, 3)).toEqual([]);
    expect([...seen.keys()].sort()).toEqual(['1.0.0', '2.0.0', '3.0.0']);
    // All that was loaded and is neither live nor kept for going back was released.
    await eventually(() => logged('version loaded') - logged('version released') === 2, 'old versions to go');
    expect(logged('version released')).toBeGreaterThan(flips / 10);

    under.store.undeploy('iris');
    await eventually(() => logged('version loaded') === logged('version released'), 'all versions to go');
    const metrics = await under.metrics();
    expect(metrics.sum('tidegate_arena_bytes')).toBe(arenaBytesEmpty);
    expect(metrics.sum('tidegate_inflight_requests')).toBe(0);
    expect(await under.caller('oip-json').call({ model: 'iris', inputs })).toMatchObject({
      status: 404,
      code: 'UNKNOWN_MODEL',
    });
  }, 90_000);
});

test('the versions really differ, or the tests above would prove nothing', () => {
  const outcome = { kind: 'answer', modelVersion: '1.0.0', outputs: wanted.get('2.0.0') ?? [] } as const;
  expect(distance(outcome)).toBeGreaterThan(1e-3);
});

test('a version can be called by name while it is live or was live before', async () => {
  under = await startIris(0);
  under.store.publish('iris', '2.0.0', files.get('2.0.0')!);
  under.store.publish('iris', '3.0.0', files.get('3.0.0')!);
  await deployed('2.0.0');
  for (const form of forms) {
    const caller = under.caller(form);
    for (const version of ['1.0.0', '2.0.0']) {
      const outcome = await caller.call({ model: 'iris', version, inputs });
      expect(outcome).toMatchObject({ kind: 'answer', modelVersion: version });
      expect(distance(outcome)).toBeLessThan(1e-5);
    }
    expect(await caller.call({ model: 'iris', version: '3.0.0', inputs })).toMatchObject({
      code: 'UNKNOWN_VERSION',
    });
  }
  const metadata = (await (await fetch(`${under.url}/v2/models/iris`)).json()) as { versions: unknown };
  expect(metadata.versions).toEqual(['1.0.0', '2.0.0']);
});

async function readiness(path: string): Promise<number> {
  return (await fetch(`${under.url}${path}`)).status;
}

test('a version that does not load leaves the old one serving and says so', async () => {
  under = await startIris(0);
  under.store.publish('iris', '2.0.0', unloadableModel());
  under.store.deploy('iris', '2.0.0');
  await eventually(() => under.gateway.failures.has('iris'), 'the failure to be known');
  expect(await under.caller('oip-json').call({ model: 'iris', inputs })).toMatchObject({
    kind: 'answer',
    modelVersion: '1.0.0',
  });
  expect(under.gateway.failures.get('iris')).toContain('MODEL_INVALID');
  expect(logged('deployment not served')).toBe(1);

  under.store.deploy('iris', '1.0.0');
  await eventually(() => !under.gateway.failures.has('iris'), 'the failure to be over');
  expect(await readiness('/v2/health/ready')).toBe(200);
});

test('a model of which no version loads is MODEL_NOT_READY, and only that one', async () => {
  under = await startIris(0);
  under.store.publish('broken', '1.0.0', unloadableModel());
  under.store.deploy('broken', '1.0.0');
  await eventually(() => logged('deployment not served') === 1, 'the load to fail');
  for (const form of forms) {
    const outcome = await under.caller(form).call({ model: 'broken', inputs });
    expect(outcome).toMatchObject({ kind: 'error', code: 'MODEL_NOT_READY' });
    // Why it does not load is the operator's business.
    expect(JSON.stringify(outcome)).not.toContain('NoSuchOperator');
  }
  expect(await readiness('/v2/health/ready')).toBe(503);
  expect(await readiness('/v2/models/broken/ready')).toBe(503);
  expect(await readiness('/v2/models/iris/ready')).toBe(200);
  expect(await under.caller('oip-json').call({ model: 'iris', inputs })).toMatchObject({ kind: 'answer' });

  // Also when no other model is left whose routes would change.
  under.store.undeploy('iris');
  under.store.undeploy('broken');
  await eventually(async () => (await readiness('/v2/health/ready')) === 200, 'the gateway to be ready');
  await eventually(
    async () => (await readiness('/v2/models/broken/ready')) === 404,
    'the model to be forgotten',
  );
});
