/** What becomes of the requests of a rollout, and what whoever watches it needs of a judge, whichever way that compares. */
import type { Arm } from './arm-evidence.ts';
import type { JudgeCounts } from './judge-counts.ts';
import type { FlipCounts } from './flip-counts.ts';
import type { JudgeTerms } from './judge-terms.ts';
import type { JudgeSettings } from './judge-options.ts';
import type { Kept } from './kept.ts';
import type { Verdict } from './judge-verdict.ts';
import type { JudgedTotals } from './judged-totals.ts';
import type { OthersCounted } from './shared-counts.ts';

export type { JudgedTotals } from './judged-totals.ts';

/** What a version can be blamed for: an error, an answer with numbers that are not finite, a crash. */
export type Failure = 'error' | 'nan' | 'crash';

export interface Outcome {
  readonly arm: Arm;
  /** Share of the candidate when the request was routed, 0 to 1. */
  readonly share: number;
  /** Unsigned 32-bit hash of the key, from another seed than the one that divides. */
  readonly keyHash: number;
  readonly failed: boolean;
  /** Of the stable version: the candidate got a copy of the same request. */
  readonly isCopied?: true;
  /** In which way it failed. Default `error`. */
  readonly failure?: Failure;
  /** Never before that of an earlier outcome. Default 0: all is one window. */
  readonly nowMs?: number;
  /** Of an answer: how long its run took, without waiting. The answers of a run come one after the other. */
  readonly serviceMs?: number | undefined;
  /** Of an answer: the class, from 0, or else the score. */
  readonly predictedClass?: number | undefined;
  readonly score?: number | undefined;
}

/** What lets somebody else judge the same. */
export interface JudgeEvidence {
  readonly counts: JudgeCounts;
  readonly terms: JudgeTerms;
}

export interface Judge {
  record(outcome: Outcome): void;
  judge(nowMs: number): Verdict;
  /** Judges by other settings from now on. */
  setSettings(settings: JudgeSettings): void;
  /** Another share is in force. */
  beginStep?(nowMs: number): void;
  /** Comparisons so far that are worth a look although nothing failed. */
  readonly runsCompared: number;
  readonly totals: JudgedTotals;
  /** Undefined where the counts of several nodes do not add up to those of one. */
  readonly evidence?: JudgeEvidence;
  /** Where a version is compared with the one before it: what others add to their counts. */
  readonly flipCounts?: FlipCounts;
  /** What others counted of the same rollout, all of it each time, from now on judged with its own. */
  setOthers(others: OthersCounted | undefined): void;
  /** All it knows, to go on from after a restart. */
  keep(): Kept;
  /** Goes on from what a judge of the same kind kept; false, and nothing changed, where it is something else. */
  resume(kept: Kept): boolean;
}
