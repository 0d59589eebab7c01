/**
 * Where a version stands in its life, and the table of legal moves between the stages. It is the only place that says
 * which move is legal; that a version which takes traffic must stay deployable is checked where deployments are known.
 *
 *     training -> staged | archived
 *     staged -> production | training | archived
 *     production -> staged | archived
 *     archived -> staged
 */

export const stages = ['training', 'staged', 'production', 'archived'] as const;

export type Stage = (typeof stages)[number];

/** Stages in which a version may be published. */
export const entryStages = ['training', 'staged'] as const;

export type EntryStage = (typeof entryStages)[number];

export const stageMoves: Readonly<Record<Stage, readonly Stage[]>> = {
  training: ['staged', 'archived'],
  staged: ['production', 'training', 'archived'],
  production: ['staged', 'archived'],
  // Out of the archive only to `staged`: what was put away is looked at again before it is production.
  archived: ['staged'],
};

export function mayMove(from: Stage, to: Stage): boolean {
  return stageMoves[from].includes(to);
}

export function mayBeDeployed(stage: Stage): boolean {
  return stage === 'staged' || stage === 'production';
}
