/** What a real gateway tells of its rollouts, as `tidegate rollout watch` shows it. */
import { afterEach, expect, test } from 'vitest';
import type { Deployment } from '../../registry-store/main.ts';
import type { RolloutReport } from '../../gateway/main.ts';
import { run } from '../cli/command-line.ts';
import { eventually, within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection } from './http-connection.ts';

const open: GatewayUnderTest[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((under) => under.close()));
});

async function start(): Promise<GatewayUnderTest> {
  const under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') }],
  });
  open.push(under);
  under.store.publish('iris', '2.0.0', demoModel('iris-2.0.0'));
  return under;
}

function roll({ store }: GatewayUnderTest, rollout: Partial<Deployment>): void {
  const sha256 = store.current.models.get('iris')?.get('2.0.0')?.artifact.sha256 ?? '';
  const candidate = { version: '2.0.0', sha256 };
  store.deploy('iris', '1.0.0', { rolloutId: 'iris:5f0c1a2b', candidate, ...rollout });
}

/** Over a connection that holds every answer against the OpenAPI document. */
async function report({ port }: GatewayUnderTest): Promise<RolloutReport> {
  const connection = await HttpConnection.open(port);
  try {
    const { status, body } = await within(connection.exchange({ path: '/v2/rollouts' }), 'the rollouts');
    expect(status).toBe(200);
    return JSON.parse(body.toString()) as RolloutReport;
  } finally {
    connection.destroy();
  }
}

async function shown({ url }: GatewayUnderTest, ...args: readonly string[]): Promise<string> {
  const { code, out, err } = await run(['rollout', 'watch', ...args, '--node', url, '--once']);
  expect([code, err]).toEqual([0, '']);
  return out;
}

async function phaseIs(under: GatewayUnderTest, phase: string): Promise<void> {
  await eventually(async () => (await report(under)).rollouts[0]?.phase === phase, `the phase ${phase}`);
}

test('a canary in steps: its share, its requests by version, its decisions, and that it is over', async () => {
  const under = await start();
  expect(await report(under)).toEqual({ rollouts: [], decisions: [] });
  expect(await shown(under, 'iris')).toContain('No rollout of iris is on.');

  const steps = [{ trafficBps: 5000 }, { trafficBps: 10_000 }];
  const plan = { steps, approvals: 0, paused: false };
  roll(under, { strategy: 'canary', trafficBps: 5000, plan });
  await phaseIs(under, 'awaiting_approval');
  const headers = { 'content-type': 'application/json' };
  for (let user = 0; user < 40; user += 1) {
    const answer = await fetch(`${under.url}/predict/iris`, {
      method: 'POST',
      headers: { ...headers, 'x-user-id': `user-${user}` },
      body: '{"features": [[5.1, 3.5, 1.4, 0.2]]}',
    });
    expect(answer.status).toBe(200);
  }
  const { rollouts } = await report(under);
  const { candidate, stable, candidate_callers: callers } = rollouts[0]?.judge ?? {};
  expect((candidate?.requests ?? 0) + (stable?.requests ?? 0)).toBe(40);
  expect(callers).toBe(candidate?.requests);
  const text = await shown(under);
  for (const part of [
    'iris 1.0.0 -> 2.0.0 (canary)',
    'awaiting approval: "tidegate approve iris" lets it go on',
    '[###############---------------] 50%',
    '[50%] > 100%',
    `candidate ${candidate?.requests} requests, 0 failed`,
    `stable    ${stable?.requests} requests, 0 failed`,
    'judge     hold: ',
    'iris began: 2.0.0 beside 1.0.0',
  ]) {
    expect(text).toContain(part);
  }
  expect(await shown(under, 'tulip')).toContain('No rollout of tulip is on.');

  under.store.deploy('iris', '2.0.0');
  await eventually(async () => (await report(under)).rollouts.length === 0, 'the rollout to end');
  expect(await shown(under)).toMatch(/No rollout is on[^]*iris promoted: /);
});

test('a preview and a shadow, as long as they are on', async () => {
  const under = await start();
  roll(under, { strategy: 'blue_green' });
  await phaseIs(under, 'preview');
  expect(await shown(under)).toContain('preview: requests that name 2.0.0 get it, no others');
  roll(under, { strategy: 'shadow', trafficBps: 2000, rolloutId: 'iris:6a6a6a6a' });
  // Its thread has the lowest priority: asking the gateway all the time would keep it from starting.
  const isStarted = (): boolean => under.log.some(({ msg }) => msg === 'requests copied to a shadow');
  await eventually(isStarted, 'the shadow to start', 20_000);
  await phaseIs(under, 'running');
  expect(await shown(under)).toMatch(/iris 1\.0\.0 -> 2\.0\.0 \(shadow\)[^]*20% copied/);
  under.store.deploy('iris', '1.0.0');
  await eventually(async () => (await report(under)).rollouts.length === 0, 'the shadow to end');
});
