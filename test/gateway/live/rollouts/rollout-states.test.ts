/** Which rollouts a node tells of: what live rollouts say, and a shadow or a preview only once it is there. */
import { expect, test } from 'vitest';
import { type ReportedRoutes, rolloutReport } from '../../../../gateway/live/rollouts/rollout-states.ts';
import type { RolloutReport } from '../../../../gateway/telemetry/rollout-report.ts';
import type { Deployment } from '../../../../registry-store/main.ts';

const nothing: RolloutReport = { rollouts: [], decisions: [] };
const candidate = { version: '2.0.0', sha256: 'ab'.repeat(32) };
const base = { model: 'iris', version: '1.0.0', sha256: 'cd'.repeat(32), candidate, rolloutId: 'iris:1' };
const shadow: Deployment = { ...base, strategy: 'shadow', trafficBps: 2050 };
const preview: Deployment = { ...base, strategy: 'blue_green' };

function routesOf(loaded: readonly string[], mirrored?: string): ReadonlyMap<string, ReportedRoutes> {
  const versions = new Map(loaded.map((modelVersion) => [modelVersion, { modelVersion }]));
  const mirror = mirrored === undefined ? {} : { mirror: { candidateVersion: mirrored } };
  return new Map([['iris', { live: { modelVersion: '1.0.0' }, versions, ...mirror }]]);
}

function told(deployment: Deployment, routes: ReadonlyMap<string, ReportedRoutes>): RolloutReport {
  const deployments = new Map([[deployment.model, deployment]]);
  return rolloutReport({ divided: nothing, deployments, routes });
}

const common = { model: 'iris', rollout_id: 'iris:1', stable: '1.0.0', candidate: '2.0.0' };

test('a shadow is told with its share, once copies go to it', () => {
  const state = { ...common, strategy: 'shadow', phase: 'running', traffic_percent: 20.5 };
  expect(told(shadow, routesOf(['1.0.0'], '2.0.0'))).toEqual({ rollouts: [state], decisions: [] });
  expect(told(shadow, routesOf(['1.0.0']))).toEqual(nothing);
  expect(told(shadow, routesOf(['1.0.0'], '1.5.0'))).toEqual(nothing);
});

test('a preview is told once it can be called', () => {
  const state = { ...common, strategy: 'blue_green', phase: 'preview', traffic_percent: 0 };
  expect(told(preview, routesOf(['1.0.0', '2.0.0']))).toEqual({ rollouts: [state], decisions: [] });
  expect(told(preview, routesOf(['1.0.0']))).toEqual(nothing);
  expect(told(preview, new Map())).toEqual(nothing);
});

test('what divides traffic is told as it is, in the order of the models, with every decision', () => {
  const divided: RolloutReport = {
    rollouts: ['tulip', 'aster'].map((model) => ({
      ...{ ...common, model, rollout_id: model },
      ...{ strategy: 'canary', phase: 'running', traffic_percent: 5 },
    })),
    decisions: [
      { at: '2026-11-23T10:00:00.000Z', model: 'aster', rollout_id: 'aster', decision: 'began', reason: '' },
    ],
  };
  const deployments = new Map([['iris', preview]]);
  const { rollouts, decisions } = rolloutReport({
    divided,
    deployments,
    routes: routesOf(['1.0.0', '2.0.0']),
  });
  expect(rollouts.map(({ model }) => model)).toEqual(['aster', 'iris', 'tulip']);
  expect(decisions).toBe(divided.decisions);
});

test('a canary in the store is not told twice', () => {
  expect(told({ ...base, strategy: 'canary', trafficBps: 100 }, routesOf(['1.0.0', '2.0.0']))).toEqual(
    nothing,
  );
});
