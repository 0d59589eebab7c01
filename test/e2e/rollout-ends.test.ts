/** How rollouts go on and end: by replicas, for another candidate, at their deadline; and what the node says it decided. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Deployment } from '../../registry-store/main.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { timePasses } from './moved-clock.ts';

let under: GatewayUnderTest;

beforeEach(async () => {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') }],
  });
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  under.store.publish('iris', '3.0.0', demoModel('iris-1.0.0'));
});
afterEach(() => under.close());

function roll(version: string, rollout: Partial<Deployment>, live = '1.0.0'): void {
  const sha256 = under.store.current.models.get('iris')?.get(version)?.artifact.sha256 ?? '';
  const rolloutId = `iris:${version}`;
  under.store.deploy('iris', live, { candidate: { version, sha256 }, rolloutId, ...rollout });
}

/** Whom 60 callers meet, how often each. */
async function versionsMet(): Promise<Readonly<Record<string, number>>> {
  const versions = await Promise.all(
    Array.from({ length: 60 }, async (_, user) => {
      const answer = await fetch(`${under.url}/predict/iris`, {
        method: 'POST',
        headers: { 'x-user-id': `user-${user}` },
        body: '{"features": [[5.1, 3.5, 1.4, 0.2]]}',
      });
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { readonly model_version: string }).model_version;
    }),
  );
  const counts: Record<string, number> = {};
  for (const version of versions) counts[version] = (counts[version] ?? 0) + 1;
  return counts;
}

function reasons(message: string): readonly unknown[] {
  return under.log.filter(({ msg }) => msg === message).map(({ reason }) => reason);
}

const held = { holdMs: 1000 };

/** Of a version, on how many threads it is. */
async function replicas(version: string): Promise<number> {
  return (await under.metrics()).sum('tidegate_replicas', { version, state: 'placed' });
}

test('a rolling gives the new version the share of one replica after the other, and is complete when it baked', async () => {
  await under.close();
  under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') }],
    threads: 2,
  });
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  const steps = [5000, 10_000].map((trafficBps) => ({ trafficBps, holdMs: 60_000 }));
  roll('2.0.0', {
    strategy: 'rolling',
    plan: { steps, approvals: 0, bakeMs: 1000, paused: false },
    analysis: { callersMin: 5 },
  });
  await eventually(async () => ((await versionsMet())['2.0.0'] ?? 0) > 0, 'the first replica');
  expect((await versionsMet())['1.0.0']).toBeGreaterThan(0);
  expect([await replicas('1.0.0'), await replicas('2.0.0')]).toEqual([2, 1]);
  await timePasses(60_000);
  await eventually(async () => (await versionsMet())['2.0.0'] === 60, 'the second replica', 20_000);
  // The old version is whole until the new one is promoted: going back must find it as it was.
  expect([await replicas('1.0.0'), await replicas('2.0.0')]).toEqual([2, 2]);
  await timePasses(60_000);
  const complete = 'rollout complete, the candidate waits to be promoted';
  await eventually(() => reasons(complete).length === 1, 'the end of the bake time', 20_000);
  // Promoting it is one swap; nothing is loaded again.
  const loads = (): number => under.log.filter(({ msg }) => msg === 'version loaded').length;
  const before = loads();
  under.store.deploy('iris', '2.0.0');
  await eventually(() => reasons('candidate promoted, rollout over').length === 1, 'the promotion');
  expect(reasons('candidate promoted, rollout over')[0]).toMatch(
    /^2\.0\.0 is the live version now; the candidate failed in 0 of \d+ requests/,
  );
  expect(await versionsMet()).toEqual({ '2.0.0': 60 });
  expect(loads()).toBe(before);
});

test('one that is promoted before its last step is promoted, one that is withdrawn is ended', async () => {
  roll('2.0.0', { strategy: 'canary', trafficBps: 1000 });
  await eventually(() => under.log.some(({ msg }) => msg === 'traffic divided'), 'the candidate');
  under.store.deploy('iris', '2.0.0');
  await eventually(() => reasons('candidate promoted, rollout over').length === 1, 'the promotion');
  roll('3.0.0', { strategy: 'canary', trafficBps: 1000 }, '2.0.0');
  await eventually(() => reasons('rollout began').length === 2, 'the next candidate');
  under.store.deploy('iris', '2.0.0');
  await eventually(() => reasons('rollout ended').length === 1, 'the end');
  expect(reasons('rollout ended')).toEqual([
    'the store says so; the candidate met 0 callers of the 30 needed',
  ]);
});

test('a new candidate takes the place of the one before; the live version stays', async () => {
  roll('2.0.0', { strategy: 'canary', trafficBps: 5000 });
  await eventually(async () => ((await versionsMet())['2.0.0'] ?? 0) > 0, 'the first candidate');
  roll('3.0.0', { strategy: 'canary', trafficBps: 5000 });
  await eventually(() => reasons('rollout superseded by another').length === 1, 'the second candidate');
  const met = await versionsMet();
  expect(Object.keys(met).sort()).toEqual(['1.0.0', '3.0.0']);
  expect(reasons('rollout superseded by another')[0]).toMatch(
    /^3\.0\.0 is the candidate now; the candidate (failed in 0 of|met) \d+/,
  );
  await eventually(
    () => under.log.some(({ msg, version }) => msg === 'version released' && version === '2.0.0'),
    'the first candidate to be released',
  );
});

test('a step that nobody comes to is given up at its deadline, and stays so', async () => {
  const steps = [5000, 10_000].map((trafficBps) => ({ trafficBps, ...held }));
  const plan = { steps, approvals: 0, deadlineMs: 1000, paused: false };
  roll('2.0.0', { strategy: 'canary', trafficBps: 5000, plan });
  const out = 'candidate taken out of the traffic';
  await eventually(() => reasons(out).length === 1, 'the deadline', 20_000);
  expect(reasons(out)[0]).toMatch(/^no progress from the step of 50% within the deadline of 1 s; .*callers/);
  roll('2.0.0', { strategy: 'canary', trafficBps: 5000, plan: { ...plan, approvals: 1 } });
  expect(await versionsMet()).toEqual({ '1.0.0': 60 });
});

test('a gate that only pauses holds the rollout where it is, with the reason', async () => {
  const steps = [{ trafficBps: 5000, holdMs: 60_000 }, { trafficBps: 10_000 }];
  roll('2.0.0', {
    strategy: 'canary',
    trafficBps: 5000,
    plan: { steps, approvals: 0, paused: false },
    // The two versions give other classes often enough for a caller who asks for the border between them.
    analysis: { callersMin: 5, gates: { prediction: { action: 'pause', toleratedPercent: 100 } } },
  });
  await eventually(() => under.log.some(({ msg }) => msg === 'traffic divided'), 'the candidate');
  const border = await borderOfVersions();
  const body = JSON.stringify({ features: [border] });
  // Many at a time: they are to be through long before the hold is over.
  for (let first = 0; first < 600 && reasons('rollout paused').length === 0; first += 20) {
    await Promise.all(
      Array.from({ length: 20 }, (_, user) => {
        const headers = { 'x-user-id': `user-${first + user}` };
        return fetch(`${under.url}/predict/iris`, { method: 'POST', headers, body });
      }),
    );
  }
  await eventually(() => reasons('rollout paused').length === 1, 'the pause');
  expect(reasons('rollout paused')[0]).toMatch(
    /^the candidate predicted class or tenth \d in \d+ of \d+ requests/,
  );
  await timePasses(60_000);
  expect(reasons('rollout went on to its next step')).toEqual([]);
  // Whoever looked and finds the other predictions right signs another gate for the same rollout.
  roll('2.0.0', {
    strategy: 'canary',
    trafficBps: 5000,
    plan: { steps, approvals: 0, paused: false },
    analysis: { callersMin: 5, gates: { prediction: { action: 'ignore' } } },
  });
  // The clock of the step stood still while it was paused.
  await timePasses(1000);
  expect(reasons('rollout went on to its next step')).toEqual([]);
  await timePasses(60_000);
  await eventually(() => reasons('rollout went on to its next step').length === 1, 'the next step', 20_000);
}, 60_000);

/** A flower that the two versions call differently. */
async function borderOfVersions(): Promise<readonly number[]> {
  for (let petal = 3; petal < 7; petal += 0.05) {
    const flower = [6, 2.9, petal, petal / 3];
    const labels = await Promise.all(
      ['1.0.0', '2.0.0'].map(async (version) => {
        const body = JSON.stringify({ features: [flower] });
        const answer = await fetch(`${under.url}/predict/iris/${version}`, { method: 'POST', body });
        return ((await answer.json()) as { readonly prediction: readonly number[] }).prediction[0];
      }),
    );
    if (labels[0] !== labels[1]) return flower;
  }
  throw new Error('the two versions of iris agree everywhere');
}
