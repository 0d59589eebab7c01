/** Brings back what was live, and where versions stood, at a past revision: as a new revision, so nothing is lost. */
import type { StateChange } from '../manifest/change.ts';
import { deployedPins } from '../manifest/deployed-pins.ts';
import type { Deployment } from '../manifest/deployment.ts';
import type { Stage } from '../manifest/stage.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { type StoreState, deploymentChanges, stageChanges } from '../manifest/store-state.ts';
import { StoreError } from '../store-error.ts';
import { changeStore } from './change-store.ts';
import { findModel } from './find-version.ts';
import { recordChange } from './manifest-file.ts';
import type { ChangeOptions } from './publisher-options.ts';
import { readAllEvents, stateOf } from './read-history.ts';

export interface RollbackToOptions extends ChangeOptions {
  readonly revision: number;
  /** Only this model; default all of them. */
  readonly model?: string;
}

export interface RollbackToResult {
  readonly snapshot: StoreSnapshot;
  /** Revision of the store afterwards. */
  readonly revision: number;
  readonly changes: readonly StateChange[];
  /** False when everything was so already; then nothing was signed. */
  readonly changed: boolean;
}

/**
 * Deployments and stages become what they were. Versions published since stay, in the stage they are in: a publish
 * cannot be undone. Codes: UNKNOWN_REVISION, UNKNOWN_MODEL, UNKNOWN_VERSION when a version that was live is gone.
 */
export async function rollbackTo(options: RollbackToOptions): Promise<RollbackToResult> {
  let changes: readonly StateChange[] = [];
  const { snapshot } = await changeStore(options, async (current, editor) => {
    const then = stateOf(await readAllEvents(editor.source, current), {
      revision: options.revision,
      current,
    });
    if (options.model !== undefined) findModel(current.snapshot, options.model);
    changes = changesBackTo(current.snapshot, { then, model: options.model });
    if (changes.length === 0) return undefined;
    return { put: await recordChange(editor, { action: 'rollback', changes, options }) };
  });
  return { snapshot, revision: snapshot.revision, changes, changed: changes.length > 0 };
}

function changesBackTo(
  now: StoreSnapshot,
  { then, model }: { readonly then: StoreState; readonly model: string | undefined },
): readonly StateChange[] {
  const isMeant = (change: { readonly model: string }): boolean =>
    model === undefined || change.model === model;
  const deployments = deploymentChanges(now, then).filter(isMeant);
  for (const { after } of deployments) if (after !== null) requirePresent(now, after, then.revision);
  const stages = stageChanges({ stages: stagesOf(now) }, then).filter(
    // Published since, or gone since: there is nothing to go back to.
    (change) => change.from !== null && change.to !== null,
  );
  return [...stages.filter(isMeant), ...deployments];
}

function requirePresent(now: StoreSnapshot, deployment: Deployment, revision: number): void {
  for (const { model, version, sha256 } of deployedPins(deployment)) {
    if (now.models.get(model)?.get(version)?.artifact.sha256 === sha256) continue;
    throw new StoreError(
      'UNKNOWN_VERSION',
      `Revision ${revision} needs ${model} ${version}, which the store does not have any more. Go back to another revision, or leave the model out.`,
    );
  }
}

function stagesOf(snapshot: StoreSnapshot): ReadonlyMap<string, ReadonlyMap<string, Stage>> {
  return new Map(
    [...snapshot.models].map(([model, versions]) => [
      model,
      new Map([...versions].map(([version, { stage }]) => [version, stage])),
    ]),
  );
}
