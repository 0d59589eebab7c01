/** `GET /v2/rollouts` over a real socket: what the source says now, as the OpenAPI document describes it. */
import uWS, { type us_listen_socket } from 'uWebSockets.js';
import { afterEach, expect, test } from 'vitest';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import { readCounts } from '../../../gateway/rollout/judge-counts.ts';
import { readTerms } from '../../../gateway/rollout/judge-terms.ts';
import { openapiDocument } from '../../../gateway/openapi/document.ts';
import { RouteTable } from '../../../gateway/route/route-table.ts';
import { CrossOrigin } from '../../../gateway/socket/cross-origin.ts';
import { addInformationRoutes } from '../../../gateway/socket/information-routes.ts';
import { OpenExchanges } from '../../../gateway/socket/open-exchanges.ts';
import { RouteRegistry } from '../../../gateway/socket/route-registry.ts';
import type { RolloutArm, RolloutReport } from '../../../gateway/telemetry/rollout-report.ts';
import { wasmChoice } from '../../../runtime/protocol/engine-choice.ts';
import { schemaCheck } from '../../e2e/json-schema.ts';

const identity = { name: 'tidegate', version: '1.2.3' };
const arm: RolloutArm = { requests: 9, failed: 1, failure_rate: [0, 0.6], not_finite: 0, crashed: 1 };
const full: RolloutReport = {
  rollouts: [
    {
      ...{ model: 'iris', rollout_id: 'iris:1', strategy: 'canary', stable: '1.0.0', candidate: '2.0.0' },
      ...{ phase: 'awaiting_approval', traffic_percent: 12.5 },
      step: { number: 2, percents: [1, 12.5, 100], since: '2026-11-23T10:00:00.000Z', hold_ms: 60_000 },
      judge: { verdict: 'hold', reason: 'few callers', candidate: arm, stable: arm, candidate_callers: 7 },
    },
    {
      ...{ model: 'tulip', rollout_id: 'tulip:1', strategy: 'shadow', stable: '1', candidate: '2' },
      ...{ phase: 'running', traffic_percent: 20 },
    },
  ],
  decisions: [
    {
      ...{ at: '2026-11-23T10:00:00.000Z', model: 'iris', rollout_id: 'iris:1' },
      ...{ decision: 'next_step', reason: 'step 2 of 3' },
    },
  ],
};

const close: (() => void)[] = [];

afterEach(() => {
  for (const end of close.splice(0)) end();
});

async function serve(rollouts: () => RolloutReport): Promise<string> {
  const app = uWS.App();
  const services = { open: new OpenExchanges(), crossOrigin: new CrossOrigin([], '127.0.0.1') };
  const registry = new RouteRegistry(app, { ...services, onFault: () => undefined });
  addInformationRoutes({
    ...{
      registry,
      identity,
      engine: wasmChoice,
      rollouts,
      mayChangeStore: false,
      batchRowsMax: 1,
      sequenceIdleMsMax: 60_000,
      threads: 1,
    },
    scaling: () => ({ desired_nodes: 0, utilization: 0, versions: [] }),
    routes: () => new RouteTable(new Map(), new Map()),
    ready: () => true,
    health: () => ({}),
    memoryOf: () => 0,
    metrics: { contentType: 'text/plain', render: () => Promise.resolve('') },
  });
  registry.close();
  close.push(() => app.close());
  const listener = await new Promise<us_listen_socket | false>((resolve) => {
    app.listen('127.0.0.1', 0, resolve);
  });
  if (listener === false) throw new Error('no port is free');
  return `http://127.0.0.1:${uWS.us_socket_local_port(listener)}/v2/rollouts`;
}

const document = openapiDocument(identity, []) as {
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};
const check = schemaCheck({ $ref: '#/components/schemas/RolloutReport', components: document.components });

test('it tells what the source says at that moment', async () => {
  let now: RolloutReport = { rollouts: [], decisions: [] };
  const url = await serve(() => now);
  expect(await (await fetch(url)).json()).toEqual(now);
  now = full;
  for (const address of [url, `${url}/`]) {
    const answer = await fetch(address);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
    const body: unknown = await answer.json();
    expect(body).toEqual(full);
    expect(check(body)).toEqual([]);
  }
});

test('the counts behind a verdict come only when they are asked for, and name no caller', async () => {
  const judge = new CanaryJudge();
  for (let caller = 0; caller < 40; caller += 1) {
    const keyHash = 0xabc_0000 + caller;
    judge.record({ arm: caller % 2 === 0 ? 'candidate' : 'stable', share: 0.5, keyHash, failed: false });
  }
  const [first] = full.rollouts;
  if (first?.judge === undefined) throw new Error('nothing is judged');
  const counted = { ...full, rollouts: [{ ...first, judge: { ...first.judge, evidence: judge.evidence } }] };
  const url = await serve(() => counted);
  expect(await (await fetch(url)).json()).toEqual({ ...full, rollouts: [first] });
  const text = await (await fetch(`${url}?evidence=true`)).text();
  const body = JSON.parse(text) as RolloutReport;
  expect(check(body)).toEqual([]);
  const evidence = body.rollouts[0]?.judge?.evidence;
  expect(readCounts(evidence?.counts)).toEqual(judge.snapshot());
  expect(readTerms(evidence?.terms)).toMatchObject({ candidateKeysMin: 30, falseAlarmMax: 0.01 });
  expect(text).not.toContain(String(0xabc_0000).slice(0, 6));
});

test('it is only for reading', async () => {
  const answer = await fetch(await serve(() => full), { method: 'POST' });
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
});

test.each([
  ['another phase', { ...full, rollouts: [{ ...full.rollouts[0], phase: 'asleep' }] }],
  ['a share of more than all', { ...full, rollouts: [{ ...full.rollouts[0], traffic_percent: 101 }] }],
  ['a step before the first', { ...full, rollouts: [{ ...full.rollouts[0], step: { number: 0 } }] }],
  ['a decision without a reason', { ...full, decisions: [{ ...full.decisions[0], reason: undefined }] }],
  ['no decisions', { rollouts: [] }],
])('the document lets in no %s', (_what, body) => {
  expect(check(JSON.parse(JSON.stringify(body)))).not.toEqual([]);
});
