/**
 * Watches the two versions of a rollout and goes back to the live one by itself when the evidence says so. What counts as
 * evidence is the judge's business (gateway/rollout); here is what became of each request, and acting once.
 */
import type { RunCost } from '../../../runtime/protocol/worker-task.ts';
import type { Answered, Trial, TrialWatch } from '../../dispatch/trial.ts';
import { addCallerCounts, type CallerCounts, CallerRates, callerTables } from '../../rollout/caller-rates.ts';
import type { JudgeSettings } from '../../rollout/judge-options.ts';
import type { Verdict } from '../../rollout/judge-verdict.ts';
import type {
  Failure,
  Judge,
  JudgedTotals,
  JudgeEvidence,
  Outcome as JudgedOutcome,
} from '../../rollout/judge.ts';
import type { Kept } from '../../rollout/kept.ts';
import { rowScale } from '../../rollout/row-scale.ts';
import type { OthersCounted, SharedCounts } from '../../rollout/shared-counts.ts';
import { murmur3 } from '../../route/murmur3.ts';
import type { Outcome } from '../../telemetry/version-metrics.ts';

export interface RolloutWatchOptions {
  /** Share of the keys that the candidate answers, above 0 and below 1 where there is something to compare. */
  readonly share: number;
  readonly judge: Judge;
  /** What runs of the live version cost. */
  readonly costs: readonly RunCost[];
  /** Told once, with the reason in words and numbers. */
  readonly rollBack: (reason: string) => void;
  /** Of this node. Default 1. */
  readonly processes?: number;
}

/** The unit of analysis must not be read off the bucket: another seed than that of the buckets. */
const keySeed = 0x5bd1e995;

/** A busy node compares many runs in the second between two looks: a slow candidate need not wait for the next. */
const runsPerLook = 8;

/** What a version can be blamed for. What the caller sent, or the gateway could not take, says nothing about it. */
const failures: ReadonlyMap<Outcome, Failure> = new Map<Outcome, Failure>([
  ['MODEL_FAILED', 'error'],
  ['WORKER_LOST', 'crash'],
]);

export class RolloutWatch implements TrialWatch {
  readonly #judge: Judge;
  readonly #reference: CallerRates;
  /** What the other processes counted of the stable version. */
  #referenceOfOthers: CallerCounts | undefined;
  readonly #rollBack: (reason: string) => void;
  readonly #costs: readonly RunCost[];
  #share: number;
  #isOver = false;
  #counted = 0;
  /** Compared when somebody last looked. */
  #runsSeen = 0;

  constructor({ share, judge, costs, rollBack, processes = 1 }: RolloutWatchOptions) {
    this.#judge = judge;
    this.#reference = new CallerRates('caller', processes);
    this.#costs = costs;
    this.#share = share;
    this.#rollBack = rollBack;
  }

  /** The share grew or shrank: a step begins. What was seen before still counts, at the share of its time. */
  setShare(share: number, nowMs: number): void {
    if (share === this.#share) return;
    this.#share = share;
    this.#judge.beginStep?.(nowMs);
  }

  /** Other gates were signed for the same rollout. */
  setSettings(settings: JudgeSettings): void {
    this.#judge.setSettings(settings);
  }

  trial(arm: Trial['arm'], key: string): Trial {
    return { watch: this, arm, share: this.#share, keyHash: murmur3(key, keySeed) };
  }

  /** `nowMs` since 1970, never before that of an earlier call. */
  ended(trial: Trial, outcome: Outcome, nowMs: number, answered?: Answered): void {
    const { arm, share, keyHash, isCopied } = trial;
    const failure = outcome === 'OK' && answered?.isFinite === false ? 'nan' : failures.get(outcome);
    if (this.#isOver || (outcome !== 'OK' && failure === undefined)) return;
    if (arm === 'stable') this.#reference.add(keyHash, nowMs, failure === 'crash' ? 'error' : failure);
    this.#counted += 1;
    this.#judge.record({
      arm,
      share,
      keyHash,
      nowMs,
      failed: failure !== undefined,
      ...(isCopied === true && { isCopied }),
      ...(failure !== undefined && { failure }),
      ...(answered !== undefined && this.#known(answered)),
    });
    // A failure is looked at at once, all else after a while or when somebody looks.
    const isNews = this.#judge.runsCompared >= this.#runsSeen + runsPerLook;
    if (isNews || (failure !== undefined && arm === 'candidate')) this.look(nowMs);
  }

  #known({ runMs, batchRows, predictedClass, score }: Answered): Partial<JudgedOutcome> {
    return { serviceMs: runMs * rowScale(this.#costs, batchRows), predictedClass, score };
  }

  /** What is to be said now, and nothing is done. */
  opinion(nowMs: number): Verdict {
    return this.#judge.judge(nowMs);
  }

  /** What is to be done now; goes back by itself if it is that. */
  look(nowMs: number): Verdict {
    this.#runsSeen = this.#judge.runsCompared;
    const verdict = this.#judge.judge(nowMs);
    if (verdict.kind === 'rollback') this.giveUp(verdict.reason);
    return verdict;
  }

  /** Goes back for a reason that is not the judge's, unless it did already. */
  giveUp(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rollBack(reason);
  }

  /** What was counted, for people. */
  get totals(): JudgedTotals {
    return this.#judge.totals;
  }

  /** What lets others judge the same; undefined where nobody can. */
  get evidence(): JudgeEvidence | undefined {
    return this.#judge.evidence;
  }

  /** For the other processes of this node. */
  sharedAs(rolloutId: string): SharedCounts {
    const { evidence, flipCounts: flip } = this.#judge;
    return {
      rolloutId,
      reference: this.#reference.counts,
      ...(evidence !== undefined && { counts: evidence.counts }),
      ...(flip !== undefined && { flip }),
    };
  }

  /** What the other processes of this node counted, or nobody else. */
  setOthers(others: OthersCounted | undefined): void {
    this.#judge.setOthers(others);
    this.#referenceOfOthers = others?.reference;
  }

  /** Requests since this watch began, to see whether anything was counted since then. */
  get counted(): number {
    return this.#counted;
  }

  /** All that was counted, to go on from after a restart. */
  keep(): Kept {
    const [judge, reference] = [this.#judge.keep(), this.#reference.keep()];
    return {
      counts: { judge: judge.counts, reference: reference.counts },
      tables: [...judge.tables, ...reference.tables],
    };
  }

  /** Goes on from what was kept; false where that is of another kind of watch. */
  resume({ counts, tables }: Kept): boolean {
    if (typeof counts !== 'object' || counts === null || !('judge' in counts) || !('reference' in counts))
      return false;
    const [judge, reference] = [tables.slice(0, -callerTables), tables.slice(-callerTables)];
    return (
      this.#judge.resume({ counts: counts.judge, tables: judge }) &&
      this.#reference.resume({ counts: counts.reference, tables: reference })
    );
  }

  /** What the stable version did on this node: what its successor is held against once nobody is on it any more. */
  get reference(): CallerCounts {
    const own = this.#reference.counts;
    return this.#referenceOfOthers === undefined ? own : addCallerCounts(own, this.#referenceOfOthers);
  }
}
