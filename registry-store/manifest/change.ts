/**
 * What a revision of the store changed: deployments, stages of versions, keys of roles. Changes carry the state before
 * and after, so a difference can be read without the history before it, and folding the `after` sides gives the state.
 */
import { type Deployment, deploymentJson, readDeployment } from './deployment.ts';
import type { FieldReader } from './field-reader.ts';
import { modelNameRule, roleNameRule, versionNameRule } from './names.ts';
import { sha256Rule } from './deployment.ts';
import { type Stage, stages } from './stage.ts';
import { descriptionRule, labelRule, timeRule } from './version-metadata.ts';

/** `null` where there was, or is, no deployment of the model. */
export interface DeploymentChange {
  readonly kind: 'deployment';
  readonly model: string;
  readonly before: Deployment | null;
  readonly after: Deployment | null;
}

/** `null` where there was, or is, no such version: `from` of a publish, and either side of a difference. */
export interface StageChange {
  readonly kind: 'stage';
  readonly model: string;
  readonly version: string;
  readonly from: Stage | null;
  readonly to: Stage | null;
}

export interface KeyChange {
  readonly kind: 'keys';
  readonly role: string;
  /** Key ids. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly threshold: number;
}

export type StateChange = DeploymentChange | StageChange | KeyChange;

export const actions = [
  'init',
  'publish',
  'stage',
  'deploy',
  'promote',
  'pause',
  'resume',
  'approve',
  'undeploy',
  'scale',
  'rollback',
  'keys',
] as const;

export type Action = (typeof actions)[number];

/** One revision: who changed what, when and why. */
export interface HistoryEvent {
  /** 1 is the new store; every change counts one on. */
  readonly revision: number;
  /** ISO 8601 in UTC. */
  readonly at: string;
  readonly by: string;
  readonly why: string;
  readonly action: Action;
  readonly changes: readonly StateChange[];
}

const changesMax = 200_000;

export function eventJson(event: HistoryEvent): Readonly<Record<string, unknown>> {
  const { revision, at, by, why, action, changes } = event;
  return { revision, at, by, why, action, changes: changes.map(changeJson) };
}

/** Problems go to the reader. */
export function readEvent(reader: FieldReader): HistoryEvent {
  return {
    revision: reader.integer('revision', { min: 1, max: Number.MAX_SAFE_INTEGER }),
    at: reader.text('at', timeRule),
    by: reader.text('by', labelRule),
    why: reader.text('why', descriptionRule),
    action: reader.oneOf('action', actions),
    changes: reader
      .list('changes', changesMax)
      .map((value, index) => readChange(reader.nest(value, `change ${index}`))),
  };
}

export function changeJson(change: StateChange): Readonly<Record<string, unknown>> {
  switch (change.kind) {
    case 'deployment':
      return {
        kind: change.kind,
        model: change.model,
        before: change.before === null ? null : deploymentJson(change.before),
        after: change.after === null ? null : deploymentJson(change.after),
      };
    case 'stage':
      return {
        kind: change.kind,
        model: change.model,
        version: change.version,
        from: change.from,
        to: change.to,
      };
    case 'keys':
      return {
        kind: change.kind,
        role: change.role,
        added: change.added,
        removed: change.removed,
        threshold: change.threshold,
      };
  }
}

function readChange(reader: FieldReader): StateChange {
  const kind = reader.oneOf('kind', ['deployment', 'stage', 'keys']);
  switch (kind) {
    case 'deployment': {
      const model = reader.text('model', modelNameRule);
      const side = (field: string): Deployment | null =>
        reader.isNull(field) ? null : readDeployment(model, reader.record(field));
      return { kind, model, before: side('before'), after: side('after') };
    }
    case 'stage':
      return {
        kind,
        model: reader.text('model', modelNameRule),
        version: reader.text('version', versionNameRule),
        from: reader.isNull('from') ? null : reader.oneOf('from', stages),
        to: reader.isNull('to') ? null : reader.oneOf('to', stages),
      };
    case 'keys': {
      const keyIds = { ...sha256Rule, countMax: 64 };
      return {
        kind,
        role: reader.text('role', roleNameRule),
        added: reader.texts('added', keyIds),
        removed: reader.texts('removed', keyIds),
        threshold: reader.integer('threshold', { min: 1, max: 64 }),
      };
    }
  }
}
