/** What a rollout is judged by, as it is signed: read back as it was, and refused where it cannot be. */
import { describe, expect, test } from 'vitest';
import {
  type Deployment,
  deploymentJson,
  readDeployment,
} from '../../../registry-store/manifest/deployment.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';
import { analysisProblem, type RolloutAnalysis } from '../../../registry-store/manifest/rollout-analysis.ts';

const pin = { version: '2.0.0', sha256: 'b'.repeat(64) };
const unshared = { model: 'iris', version: '1.0.0', sha256: 'a'.repeat(64), candidate: pin };
const canary: Deployment = { ...unshared, strategy: 'canary', trafficBps: 500 };

const analysis: RolloutAnalysis = {
  gates: {
    error: { action: 'rollback', toleratedPercent: 150 },
    latency: { action: 'pause' },
    prediction: { action: 'ignore' },
  },
  callersMin: 100,
  inconclusiveAfterMs: 3_600_000,
  onInconclusive: 'rollback',
};

function read(json: unknown): { readonly deployment: Deployment; readonly problem: string | undefined } {
  const reader = new FieldReader(json, 'the deployment');
  const deployment = readDeployment('iris', reader);
  return { deployment, problem: reader.problem };
}

test('is read back as it was signed, and leaves no trace where nothing is said', () => {
  const deployment = { ...canary, analysis };
  expect(read(deploymentJson(deployment))).toEqual({ deployment, problem: undefined });
  expect(JSON.stringify(deploymentJson(canary))).not.toContain('analysis');
});

test('a rolling has steps whose first share is its own, a bake time and a deadline', () => {
  const rolling: Deployment = {
    ...unshared,
    strategy: 'rolling',
    plan: {
      steps: [
        { trafficBps: 5000, holdMs: 10_000 },
        { trafficBps: 10_000, holdMs: 10_000 },
      ],
      approvals: 0,
      bakeMs: 60_000,
      deadlineMs: 600_000,
      limits: { surge: 0, unavailable: 1 },
      paused: false,
    },
  };
  expect(read(deploymentJson(rolling))).toEqual({ deployment: rolling, problem: undefined });
  const { plan } = deploymentJson(rolling) as { readonly plan: object };
  const limited = (limits: object): string | undefined =>
    read({ ...deploymentJson(rolling), plan: { ...plan, limits } }).problem;
  expect(limited({ surge: 0, unavailable: 0 })).toMatch(/unavailable/);
  expect(limited({ surge: -1, unavailable: 1 })).toMatch(/surge/);
  expect(read({ ...deploymentJson(canary), plan }).problem).toMatch(/limits replicas without a rolling/);
});

describe('is refused', () => {
  test.each<[string, unknown]>([
    ['another action', { gates: { error: { action: 'promote' } } }],
    ['a tolerance below one', { gates: { error: { action: 'rollback', tolerated_percent: 99 } } }],
    ['a gate that is a text', { gates: { error: 'rollback' } }],
    ['a time below a second', { inconclusive_after_ms: 999 }],
    ['half a caller', { callers_min: 0.5 }],
    ['another outcome', { on_inconclusive: 'pause' }],
    ['a list', []],
  ])('%s', (_, json) => {
    expect(read({ ...deploymentJson(canary), analysis: json }).problem).toContain('analysis');
  });

  test('where nothing is judged', () => {
    const blueGreen = { ...canary, strategy: 'blue_green', traffic_bps: undefined };
    const json = JSON.parse(
      JSON.stringify({ ...deploymentJson({ ...canary, analysis }), ...blueGreen, trafficBps: undefined }),
    ) as unknown;
    expect(read(json).problem).toContain('judged');
  });

  test('before it is signed, in the words of the reader', () => {
    expect(analysisProblem(analysis)).toBeUndefined();
    expect(analysisProblem({ callersMin: -1 })).toMatch(/callers_min .* between 0 and 1000000/);
  });
});
