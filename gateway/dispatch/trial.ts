/**
 * What a request is evidence for while a rollout is on: who watches, and what is told when the request is over. Who judges
 * by it is the business of gateway/live.
 */
import type { AnswerEvidence } from '../rollout/answer-evidence.ts';
import type { Evidence } from '../route/traffic-split.ts';
import type { Outcome } from '../telemetry/version-metrics.ts';

/** What is known of an answer besides that it went out. */
export interface Answered extends AnswerEvidence {
  /** How long its batch ran, milliseconds, and how many rows that had. */
  readonly runMs: number;
  readonly batchRows: number;
}

/** Told what becomes of the requests of a rollout. */
export interface TrialListener {
  /** `nowMs` since 1970, never before that of an earlier call. */
  ended(trial: Trial, outcome: Outcome, nowMs: number, answered?: Answered): void;
}

export interface TrialWatch extends TrialListener {
  trial(arm: Trial['arm'], key: string): Trial;
}

/** One request of a rollout, by its key; told what became of it. */
export interface Trial {
  readonly watch: TrialListener;
  readonly arm: 'candidate' | 'stable';
  /** Of the candidate when the request was routed. */
  readonly share: number;
  readonly keyHash: number;
  /** Of the stable version: the candidate gets a copy of the request. */
  readonly isCopied?: true;
}

/**
 * The trial of a request by its key, for each of the rollouts that it says something about; undefined where none is watched.
 * One that met the stable version is compared with every candidate beside it.
 */
export function trialFor(
  watches: ReadonlyMap<string, TrialWatch>,
  { arm, of }: Evidence,
  key: string,
): Trial | undefined {
  const [one = ''] = of;
  if (of.length === 1) return watches.get(one)?.trial(arm, key);
  const trials = of.flatMap((id) => watches.get(id)?.trial(arm, key) ?? []);
  const [first] = trials;
  if (first === undefined) return undefined;
  const ended: TrialListener['ended'] = (_all, outcome, nowMs, answered) => {
    for (const trial of trials) trial.watch.ended(trial, outcome, nowMs, answered);
  };
  return { ...first, watch: { ended } };
}
