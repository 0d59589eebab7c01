/** What is known about a run before it begins, and how long it may take before its thread counts as hanging. Pure. */
import type { RunCost, RunTask } from '../protocol/worker-task.ts';
import type { ModelSignature } from '../tensor/signature.ts';

/** What a lane asks about the session of a run. */
export interface RunRules {
  /** Milliseconds after which its thread is ended. */
  readonly limitMs: number;
  /** As loaded; an answer must fit it. Undefined for a session that nobody loaded, which no thread will run. */
  readonly signature: ModelSignature | undefined;
  /** It is not to be run for now; in words. */
  readonly refusal: string | undefined;
}

/**
 * A run may take this many times as long as was measured: a machine that is busy otherwise makes everything slower, and
 * the end of a thread that would have answered costs more than waiting for it.
 */
const patienceRatio = 50;

export interface RunLimits {
  /** What runs of the session took when it was warmed up. */
  readonly costs: readonly RunCost[];
  /** Of any model, milliseconds; a run that is known to take long may take longer. */
  readonly runMsMax: number;
  /** Of this model, milliseconds. Whoever set it knows better than what was measured: it holds whatever the others say. */
  readonly signedMsMax?: number | undefined;
}

/**
 * Milliseconds. Costs are taken as linear beyond the largest size that was measured, which overestimates; where nothing
 * was measured and nothing set for the model, `runMsMax` is all there is.
 */
export function runLimitMs(
  task: Pick<RunTask, 'inputs'>,
  { costs, runMsMax, signedMsMax }: RunLimits,
): number {
  if (signedMsMax !== undefined) return signedMsMax;
  const largest = costs.at(-1);
  if (largest === undefined) return runMsMax;
  const rows = task.inputs[0]?.shape[0] ?? 1;
  const predictedMs = (largest.us / 1000) * Math.max(1, rows / largest.rows);
  return Math.max(runMsMax, patienceRatio * predictedMs);
}
