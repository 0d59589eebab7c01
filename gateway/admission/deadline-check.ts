/**
 * Whether a request is taken that has a deadline: only if its answer should be there by then. A caller that is refused at
 * once can still ask elsewhere; one that waits for nothing cannot.
 */

export interface DeadlineForecast {
  /** From now until the answer is due, milliseconds. */
  readonly budgetMs: number;
  /** Until it can begin to run. */
  readonly waitMs: number;
  /** What its run takes, with those that would be in it already. */
  readonly rideMs: number;
  /** From the end of that run until its answers are there, and how late requests are come to. */
  readonly answerMs: number;
  /** What a run of it alone takes. */
  readonly aloneMs: number;
  /** What a run of the most rows takes that may be joined. */
  readonly fullMs: number;
  /** Whether the run times were seen lately. */
  readonly isFresh: boolean;
}

/** `overloaded`: too much is before it. `hopeless`: not even alone and at once. */
export type DeadlineVerdict = 'in time' | 'overloaded' | 'hopeless';

/** Part of its time that a request should have left for its run when it begins. */
const runShare = 0.5;

/**
 * How much longer than foreseen it may take with others before it: batches are cut for deadlines, and each costs a little for
 * itself. It makes the queue shorter and nothing slower: at 1.15 the 99th percentile of an overload was the deadline itself
 * (docs/benchmarks.md, November 2026).
 */
const forecastMargin = 1.2;

/**
 * Where others wait, a request must have time left not only for a run of its own but for one of a full batch, or half of its
 * time where that is less. Otherwise those at the head of the queue would have just time for a run alone, and batches would
 * be small exactly when they should be large.
 */
export function checkDeadline(forecast: DeadlineForecast): DeadlineVerdict {
  const { budgetMs, waitMs, rideMs, answerMs, aloneMs, fullMs, isFresh } = forecast;
  if (budgetMs <= 0 || (isFresh && aloneMs > budgetMs)) return 'hopeless';
  const isFirst = waitMs === 0 && rideMs <= aloneMs;
  const timeMs = budgetMs - answerMs;
  // Who has nobody before him is a try for what is not known for sure.
  if (isFirst) return isFresh && aloneMs > timeMs ? 'hopeless' : 'in time';
  const runMs = waitMs === 0 ? rideMs : Math.max(rideMs, Math.min(fullMs, timeMs * runShare));
  return (waitMs + runMs) * forecastMargin <= timeMs ? 'in time' : 'overloaded';
}
