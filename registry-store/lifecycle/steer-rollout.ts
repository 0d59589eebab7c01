/** What an operator does to a canary on its way: hold every node where it is, let them go on, approve a step. */
import { StoreError } from '../store-error.ts';
import type { Deployment } from '../manifest/deployment.ts';
import { type RolloutPlan, approvalsNeeded } from '../manifest/rollout-plan.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import {
  type DeploymentResult,
  type ModelOptions,
  changeDeployment,
  withoutCandidate,
} from './change-deployment.ts';
import { findDeployment } from './find-version.ts';

/** Codes: NOT_DEPLOYED, INVALID_STRATEGY without a plan. */
export function pauseRollout(options: ModelOptions): Promise<DeploymentResult> {
  return changeDeployment(options, 'pause', (snapshot) =>
    replanned(snapshot, options.model, (plan) => ({ ...plan, paused: true })),
  );
}

/** Codes: NOT_DEPLOYED, INVALID_STRATEGY without a plan. */
export function resumeRollout(options: ModelOptions): Promise<DeploymentResult> {
  return changeDeployment(options, 'resume', (snapshot) =>
    replanned(snapshot, options.model, (plan) => ({ ...plan, paused: false })),
  );
}

/**
 * The next step that waits for approval has it; a node that is still before it does not wait there later.
 * Codes: NOT_DEPLOYED, INVALID_STRATEGY without a plan, or when no step waits for approval.
 */
export function approveRollout(options: ModelOptions): Promise<DeploymentResult> {
  return changeDeployment(options, 'approve', (snapshot) =>
    replanned(snapshot, options.model, (plan) => {
      if (plan.approvals < approvalsNeeded(plan)) return { ...plan, approvals: plan.approvals + 1 };
      throw new StoreError(
        'INVALID_STRATEGY',
        `No step of the rollout of ${options.model} waits for approval.`,
      );
    }),
  );
}

/**
 * Drops the candidate of any rollout; the live version keeps all traffic. Unlike going back, it never touches a version
 * that is live. Codes: NOT_DEPLOYED, INVALID_STRATEGY when no rollout is on.
 */
export function abortRollout(options: ModelOptions): Promise<DeploymentResult> {
  return changeDeployment(options, 'rollback', (snapshot) => {
    const before = findDeployment(snapshot, options.model);
    if (before.candidate !== undefined) return withoutCandidate(before);
    throw new StoreError(
      'INVALID_STRATEGY',
      `${options.model} has no rollout to abort: ${before.version} takes all traffic. "tidegate rollback ${options.model}" goes back to the version before.`,
    );
  });
}

function replanned(
  snapshot: StoreSnapshot,
  model: string,
  change: (plan: RolloutPlan) => RolloutPlan,
): Deployment {
  const before = findDeployment(snapshot, model);
  if (before.plan !== undefined) return { ...before, plan: change(before.plan) };
  throw new StoreError(
    'INVALID_STRATEGY',
    `${model} has no rollout in steps. Begin one: tidegate deploy ${model} --version <version> --steps 1,10,50`,
  );
}
