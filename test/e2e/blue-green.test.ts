/**
 * Blue/green on real models: a preview that is judged, a flip that the node makes by itself, and what happens when the new
 * version turns out bad once all callers meet it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RolloutReport } from '../../gateway/main.ts';
import type { Deployment } from '../../registry-store/main.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { timePasses } from './moved-clock.ts';
import { lookupModel } from './odd-models.ts';

let under: GatewayUnderTest;
let folder: string;

async function start(): Promise<void> {
  under = await startTestGateway({
    // The new version fails for what the old one answers: numbers from 10.
    models: [{ name: 'm', version: '1.0.0', file: lookupModel(100) }],
    rolloutsFile: join(folder, 'rollouts.json'),
  });
  under.store.publish('m', '2.0.0', lookupModel(10));
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'blue-green-'));
  await start();
});
afterEach(async () => {
  await under.close();
  rmSync(folder, { recursive: true });
});

const id = 'm:blue-green';
const good = 3;
const fatal = 42;

function blueGreen(flip: NonNullable<Deployment['flip']>, rolloutId = id): void {
  const sha256 = under.store.current.models.get('m')?.get('2.0.0')?.artifact.sha256 ?? '';
  const candidate = { version: '2.0.0', sha256 };
  under.store.deploy('m', '1.0.0', { strategy: 'blue_green', candidate, rolloutId, flip });
}

interface Met {
  readonly status: number;
  /** Undefined for a failure. */
  readonly version: string | undefined;
  readonly variant: string | null;
}

async function ask(user: number, index: number, version?: string): Promise<Met> {
  const response = await fetch(`${under.url}/v2/models/m/infer`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-user-id': `user-${user}`,
      ...(version !== undefined && { 'x-model-version': version }),
    },
    body: JSON.stringify({ inputs: [{ name: 'index', datatype: 'INT64', shape: [1], data: [index] }] }),
  });
  const { model_version: answering } = (await response.json()) as { readonly model_version?: string };
  return { status: response.status, version: answering, variant: response.headers.get('x-variant') };
}

async function askAll(users: number): Promise<void> {
  for (let user = 0; user < users; user += 1) await ask(user, good);
}

function reasons(message: string): readonly unknown[] {
  return under.log.filter(({ msg }) => msg === message).map(({ reason }) => reason);
}

async function report(): Promise<RolloutReport> {
  return (await (await fetch(`${under.url}/v2/rollouts`)).json()) as RolloutReport;
}

const began = 'rollout began';
const flipped = 'all traffic flipped to the candidate';
const out = 'candidate taken out of the traffic';
const ms = { autoAfterMs: 1000, previewRequestsMin: 5, watchMs: 60_000 };

/** Through the preview, up to where all callers meet the new version. */
async function flip(): Promise<void> {
  blueGreen(ms);
  await eventually(() => reasons(began).length === 1, 'the preview');
  await askAll(60);
  for (let request = 0; request < 5; request += 1) await ask(0, good, '2.0.0');
  await eventually(() => reasons(flipped).length === 1, 'the flip', 20_000);
}

test('a preview waits for requests, is flipped by the node, and all callers meet the new version', async () => {
  blueGreen(ms);
  await eventually(() => reasons(began).length === 1, 'the preview');
  expect(await ask(1, good)).toEqual({ status: 200, version: '1.0.0', variant: 'stable' });
  expect(await ask(1, good, '2.0.0')).toEqual({ status: 200, version: '2.0.0', variant: 'forced' });
  await timePasses(2500);
  expect(reasons(flipped)).toEqual([]);
  const [preview] = (await report()).rollouts;
  expect(preview).toMatchObject({ phase: 'preview', strategy: 'blue_green', judge: { verdict: 'hold' } });
  for (let request = 0; request < 4; request += 1) await ask(0, good, '2.0.0');
  await eventually(() => reasons(flipped).length === 1, 'the flip', 20_000);
  expect(reasons(flipped)[0]).toMatch(
    /^all requests go to 2\.0\.0 now; the new version failed for 0 of 5 requests/,
  );
  expect(await ask(1, good)).toEqual({ status: 200, version: '2.0.0', variant: 'promoted' });
  const [watched] = (await report()).rollouts;
  expect(watched).toMatchObject({ phase: 'bake', traffic_percent: 100, stable: '1.0.0' });
}, 60_000);

test('a candidate that fails in its preview is never flipped to', async () => {
  blueGreen(ms);
  await eventually(() => reasons(began).length === 1, 'the preview');
  await askAll(20);
  for (let request = 0; request < 5; request += 1) {
    expect((await ask(0, fatal, '2.0.0')).status).toBe(500);
  }
  expect(reasons(out)).toEqual(['the new version failed 5 requests in a row and answered none between']);
  for (let request = 0; request < 20; request += 1) await ask(0, good, '2.0.0');
  await timePasses(2500);
  expect(reasons(flipped)).toEqual([]);
  expect((await ask(1, fatal)).status).toBe(200);
  const [over] = (await report()).rollouts;
  expect(over).toMatchObject({ phase: 'rolled_back', strategy: 'blue_green', candidate: '2.0.0' });
}, 60_000);

test('a preview that gets copies is judged by what callers send, before any of them meets it', async () => {
  // However slow this machine is: so many callers say which of the two it is.
  const mirrored = { ...ms, mirrorBps: 10_000, previewRequestsMin: 60 };
  blueGreen(mirrored);
  await eventually(() => reasons(began).length === 1, 'the preview');
  let asked = 0;
  // Copies run when nothing else wants to: how many of them do depends on the machine.
  const isOut = async (): Promise<boolean> => {
    // Every second caller sends what the new version fails for.
    expect(await ask(asked, asked % 2 === 0 ? fatal : good)).toMatchObject({ status: 200, version: '1.0.0' });
    asked += 1;
    return reasons(out).length > 0;
  };
  await eventually(isOut, 'the end of the preview', 40_000);
  expect(reasons(out)[0]).toMatch(
    /^the new version failed for \d+ of \d+ callers of a minute, the one before for 0 of \d+ callers of a minute; /,
  );
  await eventually(() => under.log.some(({ msg }) => msg === 'shadow ended'), 'the end of the copies');

  // Another rollout of the same two, to which callers send only what it knows: nobody ever names it.
  blueGreen(mirrored, 'm:again');
  await eventually(() => reasons(began).length === 2, 'the next preview');
  let user = 1000;
  const isFlipped = async (): Promise<boolean> => {
    await ask((user += 1), good);
    return reasons(flipped).length === 1;
  };
  await eventually(isFlipped, 'the flip', 40_000);
  expect(reasons(flipped)[0]).toMatch(/now; the new version failed for 0 of \d+ callers of a minute/);
  const copies = (): number => under.log.filter(({ msg }) => msg === 'shadow ended').length;
  await eventually(() => copies() === 2, 'the end of the copies after the flip');
}, 90_000);

test('one that turns bad after the flip is sent back by the node, which remembers it after a restart', async () => {
  await flip();
  // Every second caller sends what the new version fails for: never two failures in a row.
  let asked = 0;
  let harmed = 0;
  while (reasons(out).length === 0 && asked < 400) {
    const { status } = await ask(1000 + asked, asked % 2 === 0 ? fatal : good);
    if (status !== 200) harmed += 1;
    asked += 1;
  }
  expect(reasons(out)[0]).toMatch(
    /^the new version failed for \d+ of \d+ callers of a minute, the one before for 0 of 60 callers of a minute; /,
  );
  expect(harmed).toBeLessThanOrEqual(20);
  expect(await ask(1, fatal)).toEqual({ status: 200, version: '1.0.0', variant: null });
  expect((await report()).decisions.map(({ decision }) => decision)).toEqual([
    'rolled_back',
    'flipped',
    'began',
  ]);

  await under.close();
  await start();
  blueGreen(ms);
  await eventually(async () => (await report()).rollouts.length === 1, 'the rollout after the restart');
  expect((await report()).rollouts[0]).toMatchObject({ phase: 'rolled_back', stable: '1.0.0' });
  expect((await ask(1, fatal)).version).toBe('1.0.0');
}, 60_000);

test('a node that flipped is flipped after a restart, and compares with what was before', async () => {
  await flip();
  await under.close();
  await start();
  blueGreen(ms);
  await eventually(async () => (await ask(1, good)).version === '2.0.0', 'the flip after the restart');
  expect(reasons(flipped)).toEqual([]);
  const [watched] = (await report()).rollouts;
  expect(watched?.judge?.stable).toMatchObject({ requests: 60, failed: 0 });
}, 60_000);

test('a promotion that was signed with a watch is taken back by the node; without trouble it is kept', async () => {
  blueGreen({ previewRequestsMin: 1 });
  await eventually(() => reasons(began).length === 1, 'the preview');
  await askAll(40);
  under.store.deploy('m', '2.0.0', { watch: { rolloutId: id, watchMs: 60_000 } });
  await eventually(() => reasons(began).length === 2, 'the watch');
  expect(reasons(began)[1]).toBe('2.0.0 is watched, 1.0.0 is kept');
  expect((await ask(1, good)).version).toBe('2.0.0');
  for (let user = 0; user < 5; user += 1) await ask(user, fatal);
  expect(reasons(out)).toEqual(['the new version failed 5 callers in a row and answered none between']);
  expect(await ask(1, fatal)).toEqual({ status: 200, version: '1.0.0', variant: null });

  // The same again for another rollout of the same two.
  under.store.deploy('m', '1.0.0');
  const watch = { rolloutId: 'm:another', watchMs: 1000 };
  under.store.deploy('m', '2.0.0', { watch });
  await eventually(() => reasons('watch over, the promoted version stays').length === 1, 'the end', 20_000);
  expect((await ask(1, good)).version).toBe('2.0.0');
  expect((await report()).rollouts).toEqual([]);
}, 60_000);
