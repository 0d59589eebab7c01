/** The manifest of what is live: strict to read, and read back as it was written. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Deployment,
  type DeploymentStrategy,
  deploymentStrategies,
  hasCandidate,
  hasTraffic,
} from '../../../registry-store/manifest/deployment.ts';
import {
  type DeploymentManifest,
  deploymentManifestJson,
  parseDeploymentManifest,
} from '../../../registry-store/manifest/deployment-manifest.ts';
import { stages } from '../../../registry-store/manifest/stage.ts';

const changed = { at: '2026-01-01T00:00:00.000Z', by: 'Ada', why: 'a test' };
const empty: DeploymentManifest = {
  revision: 1,
  changed,
  deployments: new Map(),
  stages: new Map(),
  history: { events: 1, segments: 1 },
};
const sha256 = '1'.repeat(64);

function json(manifest: DeploymentManifest): Record<string, unknown> {
  return JSON.parse(JSON.stringify(deploymentManifestJson(manifest))) as Record<string, unknown>;
}

const pin = fc.record({
  version: fc.stringMatching(/^[a-z0-9][a-z0-9.+-]{0,10}$/),
  sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
});
const count = fc.integer({ min: 1, max: 1000 });
const resources = fc.record(
  {
    replicas: count,
    autoScaling: fc.record({
      minReplicas: fc.integer({ min: 1, max: 4 }),
      maxReplicas: fc.integer({ min: 4, max: 1000 }),
      targetCpuPercent: fc.integer({ min: 1, max: 100 }),
    }),
    cpuLimitMillis: count,
    memoryLimitBytes: count,
  },
  { requiredKeys: [] },
);

function deploymentOf(model: string, strategy: DeploymentStrategy): fc.Arbitrary<Deployment> {
  return fc
    .record({ live: pin, previous: fc.option(pin), candidate: pin, trafficBps: fc.nat(10_000), resources })
    .map(({ live, previous, candidate, trafficBps, resources: limits }) => ({
      model,
      ...live,
      ...(previous !== null && { previousVersion: previous.version, previousSha256: previous.sha256 }),
      strategy,
      ...(hasCandidate(strategy) && { candidate }),
      ...(hasTraffic(strategy) && { trafficBps }),
      ...(Object.keys(limits).length > 0 && { resources: limits }),
    }));
}

test.each(deploymentStrategies)(
  'a deployment with the strategy %s is read back as it was written',
  (strategy) => {
    fc.assert(
      fc.property(deploymentOf('iris', strategy), fc.constantFrom(...stages), (deployment, stage) => {
        const manifest: DeploymentManifest = {
          ...empty,
          revision: 7,
          deployments: new Map([['iris', deployment]]),
          stages: new Map([['iris', new Map([['0.1', stage]])]]),
          history: { events: 205, segments: 3 },
        };
        expect(parseDeploymentManifest(json(manifest))).toEqual({ ok: true, value: manifest });
      }),
    );
  },
);

describe('refuses', () => {
  const row = { version: '1.0.0', sha256, strategy: 'all' };
  const candidate = { version: '2.0.0', sha256 };
  const withRow = (name: string, value: unknown): object => ({
    ...json(empty),
    deployments: { [name]: value },
  });
  const canary = { ...row, strategy: 'canary', candidate, traffic_bps: 100 };
  const plan = {
    steps: [{ traffic_bps: 100, hold_ms: 1000 }, { traffic_bps: 500 }],
    approvals: 0,
    paused: false,
  };
  const planned = (changed: object): object => withRow('iris', { ...canary, plan: { ...plan, ...changed } });
  test('what is broken below is whole before', () => {
    const value = withRow('iris', { ...canary, rollout_id: 'iris:1', plan });
    expect(parseDeploymentManifest(value)).toMatchObject({ ok: true });
  });
  const scaled = (autoScaling: object): object =>
    withRow('iris', { ...row, resources: { auto_scaling: autoScaling } });
  test.each([
    ['nothing', null],
    ['an older schema', { ...json(empty), schema: 1 }],
    ['a newer schema', { ...json(empty), schema: 3 }],
    ['no revision', { ...json(empty), revision: 0 }],
    ['nobody', { ...json(empty), changed: { at: changed.at, why: '' } }],
    ['a strategy it does not know', withRow('iris', { ...row, strategy: 'hope' })],
    ['no digest', withRow('iris', { ...row, sha256: undefined })],
    ['a digest in capital letters', withRow('iris', { ...row, sha256: 'A'.repeat(64) })],
    ['a previous version without its digest', withRow('iris', { ...row, previous_version: '0.9' })],
    ['a previous digest without its version', withRow('iris', { ...row, previous_sha256: sha256 })],
    ['a candidate without a rollout', withRow('iris', { ...row, candidate })],
    ['a rollout without a candidate', withRow('iris', { ...row, strategy: 'rolling' })],
    ['a canary without a share', withRow('iris', { ...row, strategy: 'canary', candidate })],
    ['a share above one', withRow('iris', { ...row, strategy: 'canary', candidate, traffic_bps: 10_001 })],
    [
      'a share of a half basis point',
      withRow('iris', { ...row, strategy: 'shadow', candidate, traffic_bps: 0.5 }),
    ],
    ['a share where nothing is divided', withRow('iris', { ...row, traffic_bps: 1 })],
    ['the id of a rollout without one', withRow('iris', { ...row, rollout_id: 'iris:1' })],
    ['an id with a space', withRow('iris', { ...canary, rollout_id: 'iris 1' })],
    ['steps without a canary', withRow('iris', { ...row, plan })],
    ['no steps', withRow('iris', { ...canary, plan: { ...plan, steps: [] } })],
    ['steps that fall', planned({ steps: [{ traffic_bps: 100 }, { traffic_bps: 50 }] })],
    ['a first step of another share', planned({ steps: [{ traffic_bps: 200 }] })],
    ['a hold below a second', planned({ steps: [{ traffic_bps: 100, hold_ms: 10 }] })],
    ['approvals below none', planned({ approvals: -1 })],
    ['a pause that is a number', planned({ paused: 1 })],
    ['no replicas', withRow('iris', { ...row, resources: { replicas: 0 } })],
    [
      'more replicas at least than at most',
      scaled({ min_replicas: 3, max_replicas: 2, target_cpu_percent: 50 }),
    ],
    [
      'a target of more than the whole processor',
      scaled({ min_replicas: 1, max_replicas: 2, target_cpu_percent: 101 }),
    ],
    ['a model called stats', withRow('stats', row)],
    ['a model called ../x', withRow('../x', row)],
    ['a deployment that is a text', withRow('iris', '1.0.0')],
    ['deployments as a list', { ...json(empty), deployments: [row] }],
    ['a stage that there is not', { ...json(empty), stages: { iris: { '1.0.0': 'retired' } } }],
    ['a model without any moved version', { ...json(empty), stages: { iris: {} } }],
    ['no history', { ...json(empty), history: { events: 0, segments: 0 } }],
  ])('%s', (_, value) => {
    expect(parseDeploymentManifest(value)).toMatchObject({ ok: false });
  });

  test('a model that names a prototype', () => {
    const value: unknown = JSON.parse(
      JSON.stringify(json(empty)).replace(
        '"deployments":{}',
        `"deployments":{"__proto__":${JSON.stringify(row)}}`,
      ),
    );
    expect(parseDeploymentManifest(value).ok).toBe(false);
  });
});
