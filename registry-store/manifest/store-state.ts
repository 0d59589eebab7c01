/**
 * What was decided about a store at one revision: which versions there were, where each stood, what was live. It is the
 * fold of the history up to there, so any past state can be told, compared with another and brought back.
 */
import type { DeploymentChange, HistoryEvent, StageChange, StateChange } from './change.ts';
import { type Deployment, isSameDeployment } from './deployment.ts';
import type { Stage } from './stage.ts';

export interface StoreState {
  readonly revision: number;
  readonly deployments: ReadonlyMap<string, Deployment>;
  /** Every version there was: model name, then version. */
  readonly stages: ReadonlyMap<string, ReadonlyMap<string, Stage>>;
}

/** The state after these events, which begin with revision 1 and are in order. */
export function foldEvents(events: readonly HistoryEvent[]): StoreState {
  const deployments = new Map<string, Deployment>();
  const stages = new Map<string, Map<string, Stage>>();
  for (const change of events.flatMap(({ changes }) => changes)) {
    if (change.kind === 'deployment') {
      if (change.after === null) deployments.delete(change.model);
      else deployments.set(change.model, change.after);
    } else if (change.kind === 'stage') {
      const versions = stages.get(change.model) ?? new Map<string, Stage>();
      stages.set(change.model, versions);
      if (change.to === null) versions.delete(change.version);
      else versions.set(change.version, change.to);
    }
  }
  return { revision: events.at(-1)?.revision ?? 0, deployments, stages };
}

/** What has to change to get from one state to the other; models in order of name. */
export function diffStates(from: StoreState, to: StoreState): readonly StateChange[] {
  return [...deploymentChanges(from, to), ...stageChanges(from, to)];
}

export function deploymentChanges(
  from: Pick<StoreState, 'deployments'>,
  to: Pick<StoreState, 'deployments'>,
): readonly DeploymentChange[] {
  return namesOf(from.deployments, to.deployments).flatMap((model) => {
    const before = from.deployments.get(model) ?? null;
    const after = to.deployments.get(model) ?? null;
    return isSameDeployment(before, after) ? [] : [{ kind: 'deployment', model, before, after } as const];
  });
}

export function stageChanges(
  from: Pick<StoreState, 'stages'>,
  to: Pick<StoreState, 'stages'>,
): readonly StageChange[] {
  return namesOf(from.stages, to.stages).flatMap((model) => {
    const [before, after] = [from.stages.get(model), to.stages.get(model)];
    return namesOf(before ?? new Map(), after ?? new Map()).flatMap((version) => {
      const change = { from: before?.get(version) ?? null, to: after?.get(version) ?? null };
      return change.from === change.to ? [] : [{ kind: 'stage', model, version, ...change } as const];
    });
  });
}

function namesOf(left: ReadonlyMap<string, unknown>, right: ReadonlyMap<string, unknown>): readonly string[] {
  return [...new Set([...left.keys(), ...right.keys()])].sort();
}
