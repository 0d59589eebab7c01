/** Two candidates beside the live version on real models: the one that fails is dropped alone, and stays so after a restart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RolloutReport } from '../../gateway/main.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { lookupModel } from './odd-models.ts';

let under: GatewayUnderTest;
let folder: string;

async function start(): Promise<void> {
  under = await startTestGateway({
    models: [{ name: 'm', version: '1.0.0', file: lookupModel(100) }],
    rolloutsFile: join(folder, 'rollouts.json'),
  });
  const { store, log } = under;
  store.publish('m', '2.0.0', lookupModel(101));
  // Fails for what the others answer.
  store.publish('m', '3.0.0', lookupModel(10));
  const pin = (version: string): { readonly version: string; readonly sha256: string } => ({
    version,
    sha256: store.current.models.get('m')?.get(version)?.artifact.sha256 ?? '',
  });
  store.deploy('m', '1.0.0', {
    ...{ strategy: 'canary', candidate: pin('2.0.0'), trafficBps: 3000, rolloutId: 'm:two' },
    others: [{ ...pin('3.0.0'), trafficBps: 3000, rolloutId: 'm:three' }],
    layout: { salt: 'm:two', ramps: [] },
  });
  await eventually(
    () => log.some(({ msg, rollout }) => msg === 'traffic divided' && rollout === 'm:two'),
    'the split',
  );
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'several-candidates-'));
  await start();
});
afterEach(async () => {
  await under.close();
  rmSync(folder, { recursive: true });
});

async function versionOf(user: number, index = 3): Promise<string | null> {
  const response = await fetch(`${under.url}/v2/models/m/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user-id': `user-${user}` },
    body: JSON.stringify({ inputs: [{ name: 'index', datatype: 'INT64', shape: [1], data: [index] }] }),
  });
  await response.arrayBuffer();
  const { headers } = response;
  const variant = headers.get('x-model-version') === '1.0.0' ? 'stable' : 'canary';
  expect([headers.get('x-variant'), headers.get('x-rollout-id')]).toEqual([variant, 'm:two']);
  return headers.get('x-model-version');
}

async function versions(users: number): Promise<readonly (string | null)[]> {
  const met: (string | null)[] = [];
  for (let user = 0; user < users; user += 1) met.push(await versionOf(user));
  return met;
}

async function report(): Promise<RolloutReport> {
  return (await (await fetch(`${under.url}/v2/rollouts`)).json()) as RolloutReport;
}

test('a bad candidate goes alone: its callers meet the live version, the others stay where they were', async () => {
  const before = await versions(120);
  expect([...new Set(before)].sort()).toEqual(['1.0.0', '2.0.0', '3.0.0']);
  const out = (): readonly unknown[] =>
    under.log
      .filter(({ msg }) => msg === 'candidate taken out of the traffic')
      .map(({ candidate }) => candidate);
  for (let user = 1000; user < 1400 && out().length === 0; user += 1) await versionOf(user, 42);
  expect(out()).toEqual(['3.0.0']);
  const meant = before.map((version) => (version === '3.0.0' ? '1.0.0' : version));
  expect(await versions(120)).toEqual(meant);
  const phases = (await report()).rollouts.map(({ candidate, phase, traffic_percent: percent }) => [
    ...[candidate, phase, percent],
  ]);
  expect(phases.sort()).toEqual([
    ['2.0.0', 'running', 30],
    ['3.0.0', 'rolled_back', 0],
  ]);
  const [judged] = (await report()).rollouts.filter(({ candidate }) => candidate === '2.0.0');
  expect(judged?.judge?.stable.requests).toBeGreaterThan(40);

  await under.close();
  await start();
  expect(await versions(120)).toEqual(meant);
}, 60_000);
