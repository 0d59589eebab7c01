/** Moves a version along its life: staged, promoted, archived and back. Signed with the keys of `deployments`. */
import { deployedPins } from '../manifest/deployed-pins.ts';
import { type Stage, mayBeDeployed, mayMove, stageMoves } from '../manifest/stage.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError } from '../store-error.ts';
import { changeStore } from './change-store.ts';
import { type VersionId, findVersion } from './find-version.ts';
import { recordChange } from './manifest-file.ts';
import type { ChangeOptions } from './publisher-options.ts';

export interface StageOptions extends ChangeOptions {
  readonly model: string;
  readonly version: string;
  readonly to: Stage;
}

export interface StageResult {
  readonly snapshot: StoreSnapshot;
  /** Revision of the store afterwards. */
  readonly revision: number;
  readonly from: Stage;
  readonly to: Stage;
  /** False when the version was in that stage already; then nothing was signed. */
  readonly changed: boolean;
}

/** Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, ILLEGAL_MOVE, VERSION_IN_USE, INVALID_ARGUMENT, and those of `changeStore`. */
export async function moveStage(options: StageOptions): Promise<StageResult> {
  const { model, version, to } = options;
  let from = to;
  const { snapshot } = await changeStore(options, async ({ snapshot: current }, editor) => {
    from = findVersion(current, options).stage;
    if (from === to) return undefined;
    checkMove(current, { model, version, from, to });
    const changes = [{ kind: 'stage', model, version, from, to } as const];
    return { put: await recordChange(editor, { action: 'stage', changes, options }) };
  });
  return { snapshot, revision: snapshot.revision, from, to, changed: from !== to };
}

function checkMove(
  snapshot: StoreSnapshot,
  move: VersionId & { readonly from: Stage; readonly to: Stage },
): void {
  const { model, version, from, to } = move;
  if (!mayMove(from, to)) {
    throw new StoreError(
      'ILLEGAL_MOVE',
      `${model} ${version} is in ${from} and cannot go to ${to}. From there it may go to: ${stageMoves[from].join(', ')}.`,
    );
  }
  if (mayBeDeployed(to)) return;
  for (const deployment of snapshot.deployments.values()) {
    const used = deployedPins(deployment).find(
      (pin) => pin.model === model && pin.version === version && pin.use !== 'previous',
    );
    if (used === undefined) continue;
    const what = used.use === 'live' ? 'live' : 'the candidate of a rollout';
    const where =
      used.pipelineOf === undefined ? '' : ` in the pipeline of ${deployment.model} ${used.pipelineOf}`;
    throw new StoreError(
      'VERSION_IN_USE',
      `${model} ${version} is ${what}${where} and would be in ${to}. Deploy another version or undeploy ${deployment.model} first.`,
    );
  }
}
