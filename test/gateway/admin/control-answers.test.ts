/** What the control API says of a deployment, against the schema that it publishes for it. */
import { expect, test } from 'vitest';
import { deploymentAnswer } from '../../../gateway/admin/control-answers.ts';
import { controlSchemas } from '../../../gateway/admin/control-schemas.ts';
import type { Deployment } from '../../../registry-store/main.ts';
import { schemaCheck } from '../../e2e/json-schema.ts';

const plain: Deployment = { model: 'iris', version: '1.0.0', sha256: 'a'.repeat(64), strategy: 'all' };
const canary: Deployment = {
  ...plain,
  strategy: 'canary',
  candidate: { version: '2.0.0', sha256: 'b'.repeat(64) },
  trafficBps: 1000,
  plan: {
    steps: [{ trafficBps: 1000, holdMs: 60_000 }, { trafficBps: 10_000 }],
    approvals: 0,
    bakeMs: 60_000,
    deadlineMs: 3_600_000,
    paused: false,
  },
  analysis: {
    gates: { latency: { action: 'pause', toleratedPercent: 200 }, nan: { action: 'ignore' } },
    callersMin: 50,
    inconclusiveAfterMs: 3_600_000,
    onInconclusive: 'hold',
  },
  cohorts: {
    candidate: {
      headers: [
        { header: 'x-tenant', value: 'beta-', isPrefix: true },
        { header: 'x-team', value: 'vision', isPrefix: false },
      ],
      keys: [],
    },
    stable: { headers: [], keys: ['ada'] },
  },
};

const blueGreen: Deployment = {
  ...plain,
  strategy: 'blue_green',
  candidate: { version: '2.0.0', sha256: 'b'.repeat(64) },
  flip: { autoAfterMs: 600_000, previewRequestsMin: 20, watchMs: 60_000 },
};
const watched: Deployment = {
  ...plain,
  previousVersion: '0.9.0',
  previousSha256: 'c'.repeat(64),
  watch: { rolloutId: 'iris:1', watchMs: 60_000 },
};

const problemsOf = schemaCheck(controlSchemas['Deployment'] ?? {});

test('everything that can be signed for a canary is told, as the schema says', () => {
  const answer = deploymentAnswer(canary, 'http://127.0.0.1:8080');
  expect(problemsOf(answer)).toEqual([]);
  expect(answer).toMatchObject({
    canary_traffic_percentage: 10,
    plan: { bake_ms: 60_000, deadline_ms: 3_600_000 },
    analysis: {
      gates: { latency: { action: 'pause', tolerated_percent: 200 }, nan: { action: 'ignore' } },
      callers_min: 50,
      inconclusive_after_ms: 3_600_000,
      on_inconclusive: 'hold',
    },
    cohorts: {
      candidate: {
        headers: [
          { name: 'x-tenant', prefix: 'beta-' },
          { name: 'x-team', value: 'vision' },
        ],
      },
      stable: { keys: ['ada'] },
    },
  });
});

test('what nobody asked for is null, and the schema takes nothing else', () => {
  const answer = deploymentAnswer(plain, 'http://127.0.0.1:8080');
  expect(problemsOf(answer)).toEqual([]);
  expect(answer).toMatchObject({ plan: null, analysis: null, cohorts: null });
  expect(problemsOf({ ...answer, more: 1 })).not.toEqual([]);
});

test('how a blue/green goes on and what is watched after it are told, as the schema says', () => {
  const answers = [blueGreen, watched].map((deployment) =>
    deploymentAnswer(deployment, 'http://127.0.0.1:8080'),
  );
  expect(answers.flatMap((answer) => problemsOf(answer))).toEqual([]);
  expect(answers).toMatchObject([
    { flip: { auto_after_ms: 600_000, preview_requests_min: 20, watch_ms: 60_000 }, watch: null },
    { flip: null, watch: { rollout_id: 'iris:1', watch_ms: 60_000 } },
  ]);
});

test('further candidates are told with their shares, as the schema says', () => {
  const others = [{ version: '3.0.0', sha256: 'd'.repeat(64), trafficBps: 50, rolloutId: 'iris:3' }];
  const answer = deploymentAnswer({ ...canary, others }, 'http://127.0.0.1:8080');
  expect(problemsOf(answer)).toEqual([]);
  expect(answer['others']).toEqual([{ version: '3.0.0', percentage: 0.5 }]);
});
