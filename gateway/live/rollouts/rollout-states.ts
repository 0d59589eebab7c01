/**
 * The report of all rollouts on this node: those that divide traffic, as live rollouts tell, and those about which nothing
 * is decided here, a shadow and a blue/green preview. Those are what the store asks for and the routes in force do.
 */
import type { Deployment } from '../../../registry-store/main.ts';
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import type { ModelRoutes } from '../../route/route-table.ts';
import type { RolloutReport, RolloutState } from '../../telemetry/rollout-report.ts';
import type { ShadowMirror } from '../shadows/shadow-mirror.ts';
import { rolloutIdOf } from './rollout-id.ts';

/** Of what is loaded it looks at names only. */
export type ReportedRoutes = ModelRoutes<
  Pick<ModelGeneration, 'modelVersion'>,
  Pick<ShadowMirror, 'candidateVersion'>
>;

export interface RolloutSources {
  /** Those that divide traffic, and every decision. */
  readonly divided: RolloutReport;
  readonly deployments: ReadonlyMap<string, Deployment>;
  readonly routes: ReadonlyMap<string, ReportedRoutes>;
}

export function rolloutReport({ divided, deployments, routes }: RolloutSources): RolloutReport {
  const others = [...deployments.values()].flatMap((deployment) => {
    const phase = phaseBeside(deployment, routes.get(deployment.model));
    return phase === undefined ? [] : [stateOf(deployment, phase)];
  });
  const rollouts = [...divided.rollouts, ...others];
  return {
    rollouts: rollouts.toSorted((left, right) => (left.model < right.model ? -1 : 1)),
    decisions: divided.decisions,
  };
}

/** Undefined for what is not carried out here, or told by live rollouts. */
function phaseBeside(
  { strategy, candidate, flip }: Deployment,
  routes: ReportedRoutes | undefined,
): 'running' | 'preview' | undefined {
  if (candidate === undefined || routes === undefined) return undefined;
  if (strategy === 'shadow')
    return routes.mirror?.candidateVersion === candidate.version ? 'running' : undefined;
  return strategy === 'blue_green' && flip === undefined && routes.versions.has(candidate.version)
    ? 'preview'
    : undefined;
}

function stateOf(deployment: Deployment, phase: 'running' | 'preview'): RolloutState {
  const { model, version, candidate, trafficBps = 0 } = deployment;
  return {
    model,
    rollout_id: rolloutIdOf(deployment),
    strategy: phase === 'running' ? 'shadow' : 'blue_green',
    stable: version,
    candidate: candidate?.version ?? '',
    phase,
    traffic_percent: trafficBps / 100,
  };
}
