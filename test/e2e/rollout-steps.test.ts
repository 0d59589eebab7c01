/** A canary that goes through its signed steps by itself: while the candidate is healthy, over a restart, and never back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { RolloutPlan } from '../../registry-store/main.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { timePasses } from './moved-clock.ts';

const open: GatewayUnderTest[] = [];
const folder = mkdtempSync(join(tmpdir(), 'tidegate-steps-'));

afterEach(async () => {
  await Promise.all(open.splice(0).map((under) => under.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<GatewayUnderTest> {
  const under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') }],
    rolloutsFile: join(folder, 'rollouts.json'),
  });
  open.push(under);
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  return under;
}

const steps = [{ trafficBps: 2000, holdMs: 1000 }, { trafficBps: 5000 }, { trafficBps: 10_000 }];

function roll(under: GatewayUnderTest, changed: Partial<RolloutPlan> = {}): void {
  const sha256 = under.store.current.models.get('iris')?.get('2.0.0')?.artifact.sha256 ?? '';
  under.store.deploy('iris', '1.0.0', {
    strategy: 'canary',
    candidate: { version: '2.0.0', sha256 },
    trafficBps: 2000,
    rolloutId: 'iris:5f0c1a2b',
    plan: { steps, approvals: 0, paused: false, ...changed },
  });
}

async function percent(under: GatewayUnderTest): Promise<number> {
  return (await under.metrics()).sum('tidegate_rollout_traffic_percent', { rollout: 'iris:5f0c1a2b' });
}

/** What the judge counted, all of it. */
async function judged(under: GatewayUnderTest): Promise<{ readonly candidate_callers: number }> {
  const report = (await (await fetch(`${under.url}/v2/rollouts`)).json()) as {
    readonly rollouts: readonly { readonly judge: { readonly candidate_callers: number } }[];
  };
  const judge = report.rollouts[0]?.judge;
  if (judge === undefined) throw new Error('nothing is judged');
  return judge;
}

async function candidateKeys(under: GatewayUnderTest): Promise<ReadonlySet<string>> {
  const keys = Array.from({ length: 300 }, (_, index) => `user-${index}`);
  const met = await Promise.all(
    keys.map(async (key) => {
      const answer = await fetch(`${under.url}/predict/iris`, {
        method: 'POST',
        headers: { 'x-routing-key': key },
        body: '{"features": [[5.1, 3.5, 1.4, 0.2]]}',
      });
      expect(answer.status).toBe(200);
      return answer.headers.get('x-variant') === 'canary' ? [key] : [];
    }),
  );
  return new Set(met.flat());
}

test('it goes on when a step was held and enough callers met it, waits for approval, and remembers where it was', async () => {
  let under = await start();
  roll(under);
  await eventually(async () => (await percent(under)) === 20, 'the first step');
  await timePasses(2500);
  expect(await percent(under)).toBe(20);
  const first = await candidateKeys(under);
  await eventually(async () => (await percent(under)) === 50, 'the second step');
  const second = await candidateKeys(under);
  for (const key of first) expect(second.has(key)).toBe(true);
  expect(second.size).toBeGreaterThan(first.size);

  const counted = await judged(under);
  expect(counted.candidate_callers).toBeGreaterThan(30);
  await open.pop()?.close();
  under = await start();
  roll(under);
  await eventually(async () => (await percent(under)) === 50, 'the step before the restart');
  expect(await judged(under)).toEqual(counted);
  expect(await candidateKeys(under)).toEqual(second);

  roll(under, { approvals: 1, paused: true });
  await timePasses(2500);
  expect(await percent(under)).toBe(50);
  roll(under, { approvals: 1 });
  await eventually(async () => (await percent(under)) === 100, 'the last step');
  expect((await candidateKeys(under)).size).toBe(300);
  const moves = under.log.filter(({ msg }) => msg === 'rollout went on to its next step');
  expect(moves).toMatchObject([
    { model: 'iris', reason: expect.stringMatching(/^step 3 of 3; /) as unknown },
  ]);
});
