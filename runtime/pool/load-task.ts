/** What a thread is asked that is to hold a model. */
import type { LoadTask } from '../protocol/worker-task.ts';
import type { HeldSession } from './held-sessions.ts';

/** With this file. Only the first load finds out what is not known. */
export function loadTaskOf(
  { session, model: { signature, warmRows, chain, knownCosts }, isTentative, signature: loaded }: HeldSession,
  { model, givesBack }: Pick<LoadTask, 'model' | 'givesBack'>,
): LoadTask {
  const isNew = isTentative && knownCosts === undefined;
  const batching = knownCosts === undefined ? loaded?.batching : 'rows';
  const measuring = isNew ? { costAlone: true as const } : { isMeasured: true as const, batching };
  return { kind: 'load', session, model, givesBack, signature, chain, warmRows, ...measuring };
}

/** The same with a file of its own. Rejects when that cannot be read. */
export async function readLoadTask(held: HeldSession, isAwaited: boolean): Promise<LoadTask> {
  return loadTaskOf(held, { model: await held.model.readModel(isAwaited) });
}
