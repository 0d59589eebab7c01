/**
 * A rolling where memory has no room for one replica more: the live version gives up its own on the way, never more replicas
 * are in memory than fit, nobody is refused, and the way back finds them all again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Deployment } from '../../registry-store/main.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { lookupModel } from './odd-models.ts';

let under: GatewayUnderTest;
let folder: string;

const file = lookupModel(100);
/** Two replicas fit, a third does not. */
const bytesMax = Math.floor(2.5 * file.length);

async function start(): Promise<void> {
  under = await startTestGateway({
    models: [{ name: 'm', version: '1.0.0', file }],
    threads: 2,
    modelMemoryBytesMax: bytesMax,
    rolloutsFile: join(folder, 'rollouts.json'),
  });
  under.store.publish('m', '2.0.0', lookupModel(99));
  // Fails for what the others answer.
  under.store.publish('m', '3.0.0', lookupModel(50));
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rolling-limits-'));
  await start();
});
afterEach(async () => {
  await under.close();
  rmSync(folder, { recursive: true });
});

const resources = { replicas: 2 };
const steps = [5000, 10_000].map((trafficBps) => ({ trafficBps, holdMs: 1000 }));
const plan = { steps, approvals: 0, limits: { surge: 0, unavailable: 1 }, paused: false };

function roll(version: string, more: Partial<Deployment> = {}): void {
  const sha256 = under.store.current.models.get('m')?.get(version)?.artifact.sha256 ?? '';
  under.store.deploy('m', '1.0.0', {
    ...{ strategy: 'rolling', candidate: { version, sha256 }, rolloutId: `m:${version}`, plan, resources },
    analysis: { callersMin: 5 },
    ...more,
  });
}

let nextUser = 0;
/** Which versions answered new callers; none of them is refused. */
async function versionsMet(index = 3): Promise<ReadonlySet<string>> {
  const met = new Set<string>();
  for (let caller = 0; caller < 12; caller += 1) {
    nextUser += 1;
    const response = await fetch(`${under.url}/v2/models/m/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user-id': `user-${nextUser}` },
      body: JSON.stringify({ inputs: [{ name: 'index', datatype: 'INT64', shape: [1], data: [index] }] }),
    });
    const body = (await response.json()) as { readonly model_version?: string };
    if (index === 3) expect(response.status).toBe(200);
    met.add(body.model_version ?? 'none');
  }
  return met;
}

/** Threads that hold each version, of which no look may find more than fit. */
async function replicas(): Promise<Readonly<Record<string, number>>> {
  const metrics = await under.metrics();
  expect(metrics.sum('tidegate_memory_bytes', { kind: 'models' })).toBeLessThanOrEqual(bytesMax);
  const of = (version: string): number => metrics.sum('tidegate_replicas', { version, state: 'placed' });
  const counts = { '1.0.0': of('1.0.0'), '2.0.0': of('2.0.0'), '3.0.0': of('3.0.0') };
  expect(Object.values(counts).reduce((sum, count) => sum + count)).toBeLessThanOrEqual(2);
  return counts;
}

async function placed(counts: Readonly<Record<string, number>>): Promise<boolean> {
  return (
    JSON.stringify(await replicas()) === JSON.stringify({ '1.0.0': 0, '2.0.0': 0, '3.0.0': 0, ...counts })
  );
}

const logged = (message: string): number => under.log.filter(({ msg }) => msg === message).length;

test('goes to all callers in the room of the old version, over a restart too, and is promoted into all of it', async () => {
  roll('2.0.0');
  await eventually(() => placed({ '1.0.0': 1, '2.0.0': 1 }), 'the first replica', 20_000);
  await eventually(async () => (await versionsMet()).size === 2, 'both versions to answer', 20_000);
  const isThrough = async (): Promise<boolean> => {
    await replicas();
    return [...(await versionsMet())].join() === '2.0.0';
  };
  await eventually(isThrough, 'the last step', 30_000);

  await under.close();
  await start();
  roll('2.0.0');
  await eventually(isThrough, 'the same step after the restart', 20_000);
  // One of the old version stays for the way back.
  expect(await placed({ '1.0.0': 1, '2.0.0': 1 })).toBe(true);

  under.store.deploy('m', '2.0.0', { resources });
  await eventually(() => placed({ '2.0.0': 2 }), 'the room of the old version', 30_000);
  expect([...(await versionsMet())]).toEqual(['2.0.0']);
}, 90_000);

test('one that is worse leaves the old version as it was', async () => {
  roll('3.0.0', {
    plan: { ...plan, steps: [{ trafficBps: 5000, holdMs: 600_000 }, { trafficBps: 10_000 }] },
  });
  await eventually(() => placed({ '1.0.0': 1, '3.0.0': 1 }), 'the first replica', 20_000);
  const isBack = async (): Promise<boolean> => {
    await versionsMet(70);
    return logged('candidate taken out of the traffic') === 1;
  };
  await eventually(isBack, 'the way back', 30_000);
  await eventually(() => placed({ '1.0.0': 2 }), 'the replicas that were given up', 20_000);
  expect([...(await versionsMet())]).toEqual(['1.0.0']);
}, 60_000);
