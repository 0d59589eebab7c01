/**
 * Where a version stands in its life. The table of legal moves belongs to the lifecycle of the store; here it only
 * matters that an archived version takes no traffic.
 */

export const stages = ['training', 'staged', 'production', 'archived'] as const;

export type Stage = (typeof stages)[number];

/** Stages in which a version may be published. */
export const entryStages = ['training', 'staged'] as const;

export type EntryStage = (typeof entryStages)[number];

export function mayBeDeployed(stage: Stage): boolean {
  return stage !== 'archived';
}
