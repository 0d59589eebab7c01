/** When one rollout on a node goes on, stays and goes back, beside what its steps say. */
import { expect, test } from 'vitest';
import { LiveRollout, type ModelArm } from '../../../../gateway/live/rollouts/live-rollout.ts';
import { NodeAgreement } from '../../../../gateway/live/rollouts/node-agreement.ts';
import { RolloutMemory } from '../../../../gateway/live/rollouts/rollout-memory.ts';
import type { Deployment } from '../../../../registry-store/main.ts';

const plan = {
  steps: [3333, 10_000].map((trafficBps) => ({ trafficBps, holdMs: 1000 })),
  approvals: 0,
  paused: false,
  bakeMs: 1000,
};
const deployment = { model: 'iris', strategy: 'rolling', plan } as unknown as Deployment;

function armAt(trafficBps: number): ModelArm {
  const named = (modelVersion: string): object => ({ modelName: 'iris', modelVersion, costs: [] });
  return {
    rolloutId: 'r',
    stable: named('1.0.0'),
    candidate: named('2.0.0'),
    trafficBps,
    share: trafficBps / 10_000,
    stage: 'divided',
  } as unknown as ModelArm;
}

test('a step without its replicas is held with the reason, asks for them now and then, and goes on with them', () => {
  const memory = new RolloutMemory({ file: undefined, onTrouble: () => undefined });
  memory.setStep('r', { step: 1, sinceMs: 0 });
  const decisions: string[] = [];
  let moves = 0;
  const rollout = new LiveRollout({
    deployment,
    arm: armAt(6666),
    memory,
    agreement: new NodeAgreement(undefined),
    onDecision: (decision, reason) => {
      decisions.push(decision);
      return { at: '', model: 'iris', rollout_id: 'r', decision, reason };
    },
    rollBack: () => undefined,
    moved: () => {
      moves += 1;
    },
  });
  for (let user = 0; user < 200; user += 1) {
    rollout.watch.ended(rollout.watch.trial(user % 2 === 0 ? 'candidate' : 'stable', `${user}`), 'OK', user);
  }
  for (let nowMs = 10_000; nowMs < 20_000; nowMs += 1000) rollout.tick(nowMs);
  expect([decisions, moves]).toEqual([[], 2]);
  expect(rollout.state(20_000).judge).toMatchObject({
    verdict: 'hold',
    reason: expect.stringMatching(
      /^replicas of the new version are ready for 66\.66% and not yet for the 100% of the step; the candidate failed/,
    ) as unknown,
  });
  rollout.follow(deployment, armAt(10_000), 20_000);
  rollout.tick(21_000);
  expect([decisions, moves]).toEqual([['completed'], 2]);
});

test.each([
  ['waits for approval', { paused: false }],
  ['is paused', { paused: true }],
])('a candidate that turns bad while its rollout %s goes back all the same', (_, { paused }) => {
  const reasons: string[] = [];
  const waiting = { steps: [{ trafficBps: 5000 }, { trafficBps: 10_000 }], approvals: 0, paused };
  const rollout = new LiveRollout({
    deployment: { model: 'iris', strategy: 'canary', plan: waiting } as unknown as Deployment,
    arm: armAt(5000),
    memory: new RolloutMemory({ file: undefined, onTrouble: () => undefined }),
    agreement: new NodeAgreement(undefined),
    onDecision: (decision, reason) => ({ at: '', model: 'iris', rollout_id: 'r', decision, reason }),
    rollBack: (_arm, reason) => void reasons.push(reason),
    moved: () => undefined,
  });
  for (let user = 0; user < 400; user += 1) {
    const arm = user % 2 === 0 ? 'candidate' : 'stable';
    const outcome = arm === 'candidate' && user > 200 && user % 4 === 0 ? 'MODEL_FAILED' : 'OK';
    rollout.watch.ended(rollout.watch.trial(arm, `${user}`), outcome, user);
    if (user === 200) expect(rollout.state(user).phase).toBe(paused ? 'paused' : 'awaiting_approval');
  }
  expect(reasons).toHaveLength(1);
  expect(reasons[0]).toMatch(/^the candidate failed in \d+ of \d+ requests/);
});

test('what keeps a rollout where it is, and what lets it go on, is told once each with its numbers', () => {
  const told: string[] = [];
  const memory = new RolloutMemory({ file: undefined, onTrouble: () => undefined });
  memory.setStep('r', { step: 0, sinceMs: 0 });
  const signed = (approvals: number, toleratedPercent: number): Deployment =>
    ({
      ...{ model: 'iris', strategy: 'canary' },
      plan: { steps: [{ trafficBps: 5000 }, { trafficBps: 10_000 }], approvals, paused: false },
      analysis: { gates: { error: { action: 'hold', toleratedPercent } } },
    }) as unknown as Deployment;
  const rollout = new LiveRollout({
    deployment: signed(0, 100),
    arm: armAt(5000),
    memory,
    agreement: new NodeAgreement(undefined),
    onDecision: (decision, reason) => {
      told.push(`${decision}: ${reason}`);
      return { at: '', model: 'iris', rollout_id: 'r', decision, reason };
    },
    rollBack: () => undefined,
    moved: () => undefined,
  });
  // Nobody decided that a rollout begins without requests.
  rollout.tick(0);
  for (let user = 0; user < 400; user += 1) {
    const arm = user % 2 === 0 ? 'candidate' : 'stable';
    const outcome = arm === 'candidate' && user % 8 === 0 ? 'MODEL_FAILED' : 'OK';
    rollout.watch.ended(rollout.watch.trial(arm, `${user}`), outcome, user);
  }
  for (let nowMs = 1000; nowMs < 4000; nowMs += 1000) rollout.tick(nowMs);
  // Somebody looked, and tolerates so many.
  rollout.follow(signed(0, 10_000), armAt(5000), 4000);
  for (let nowMs = 5000; nowMs < 8000; nowMs += 1000) rollout.tick(nowMs);
  rollout.follow(signed(1, 10_000), armAt(5000), 8000);
  rollout.tick(9000);
  expect(told).toEqual([
    expect.stringMatching(
      /^held: the candidate failed in 50 of 200 requests, the stable version in 0 of 200; /,
    ),
    expect.stringMatching(/^resumed: the candidate failed in 50 of 200/),
    expect.stringMatching(/^awaits_approval: step 1 of 2; the candidate failed in 50 of 200/),
    expect.stringMatching(/^approved: signed in the store; the candidate failed in 50 of 200/),
    expect.stringMatching(/^next_step: step 2 of 2; the candidate failed in 50 of 200/),
  ]);
});
