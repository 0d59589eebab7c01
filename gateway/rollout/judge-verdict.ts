/** What follows from the counts and the evidence of a judge, and why, in words with numbers. */
import { type Rate, isDifferenceAbove } from './bernoulli-confidence.ts';
import {
  type JudgeOptions,
  type JudgeSettings,
  judgeOptions,
  type MetricName,
  type Role,
} from './judge-options.ts';
import type { JudgeSnapshot } from './judge-snapshot.ts';
import { type Finding, notWorseEvidence, roleEvidence } from './metric-evidence.ts';
import { logShareMismatch } from './share-mismatch.ts';

export interface Verdict {
  /**
   * `rollback`: the candidate must go back. `pause`: it differs in what people should look at. `hold`: nothing can be
   * said, or the comparison itself is in doubt. `promote`: it is shown not to be worse. `healthy`: go on as planned.
   */
  readonly kind: 'rollback' | 'pause' | 'hold' | 'promote' | 'healthy';
  /** What decided; undefined where it was no comparison. */
  readonly metric?: MetricName | 'shares' | undefined;
  /** A `hold` for want of requests, as each rollout begins with: nobody decided anything. */
  readonly isEarly?: true;
  /** One sentence with the numbers, for people. */
  readonly reason: string;
}

/** Whether it keeps a rollout where it is for a reason that somebody should know. */
export function isHolding({ kind, isEarly }: Verdict): boolean {
  return kind === 'pause' || (kind === 'hold' && isEarly !== true);
}

/** The strongest evidence so far, as logarithms: what was shown once is not taken back (Ville's inequality). */
export type EvidencePeaks = Readonly<Record<Role, number>>;

/**
 * Of both rates together, in both directions, so about half for the one that matters. A second condition, on which the
 * chance of a false alarm does not rest: that the difference is too small must merely be unlikely.
 */
const differenceErrorMax = 0.2;
/** Rows of failures begin so often that one as long must be much less likely than an alarm. */
const rowChanceMax = 1e-5;
const trialsBest = { candidate: 1000, stable: 20_000 };

/** The verdict on counts alone, as on those added up of several nodes. */
export function judgeSnapshot(snapshot: JudgeSnapshot, settings: JudgeSettings, nowMs: number): Verdict {
  const options = judgeOptions(settings);
  return verdictOn(snapshot, options, evidencePeaks(snapshot, options), nowMs);
}

export function evidencePeaks(
  snapshot: JudgeSnapshot,
  options: JudgeOptions,
  before: EvidencePeaks = { guardrail: -Infinity, signal: -Infinity, health: -Infinity },
): EvidencePeaks {
  const peak = (role: Role): number => Math.max(before[role], roleEvidence(snapshot, options, role).log);
  return { guardrail: peak('guardrail'), signal: peak('signal'), health: peak('health') };
}

export function verdictOn(
  snapshot: JudgeSnapshot,
  options: JudgeOptions,
  peaks: EvidencePeaks,
  nowMs: number,
): Verdict {
  const { failuresInARow, crashesInARow, candidateKeys } = snapshot;
  const isRow = failuresInARow >= options.failuresInARowMax || crashesInARow >= options.crashesInARowMax;
  if (isRow && !isShared(snapshot)) {
    const how = crashesInARow === 0 ? '' : `, with ${crashesInARow} of them took its thread down,`;
    return {
      kind: 'rollback',
      reason: `the candidate failed ${failuresInARow} callers in a row${how} and answered none between`,
    };
  }
  const isComparable = candidateKeys >= options.candidateKeysMin;
  const rollback = isComparable ? alarm('guardrail', 'rollback') : undefined;
  if (rollback !== undefined) return rollback;
  const mismatch = logShareMismatch(snapshot.keys);
  if (mismatch >= -Math.log(options.falseMismatchMax)) return mismatchVerdict(snapshot, mismatch);
  if (!isComparable) {
    return {
      kind: 'hold',
      isEarly: true,
      reason: `the candidate met ${candidateKeys} callers of the ${options.candidateKeysMin} needed`,
    };
  }
  return alarm('health', 'hold') ?? alarm('signal', 'pause') ?? progress(snapshot, options, nowMs);

  function alarm(role: Role, kind: Verdict['kind']): Verdict | undefined {
    if (peaks[role] < -Math.log(options.falseAlarmMax)) return undefined;
    const { leading } = roleEvidence(snapshot, options, role);
    if (leading === undefined || !isLargeEnough(snapshot, options, leading)) return undefined;
    const { tolerated } = options.metrics[leading.metric];
    const often =
      leading.metric === 'prediction'
        ? `between ${(1 / tolerated).toPrecision(2)} and ${tolerated} times as often`
        : `at most ${tolerated} times as often`;
    return {
      kind,
      metric: leading.metric,
      reason: `${ratesText(snapshot, leading)}; one that did so ${often} would look like this with a chance of ${chanceText(peaks[role])} at most`,
    };
  }
}

/** Whether the stable version failed so often meanwhile that it might have had the same row of failures. */
function isShared({ failuresInARow, stableMeanwhile }: JudgeSnapshot): boolean {
  const { requests, failed } = stableMeanwhile;
  return requests > 0 && (failed / requests) ** failuresInARow > rowChanceMax;
}

/** Nothing is wrong: whether the candidate may go on, and whether it need not wait. */
function progress(snapshot: JudgeSnapshot, options: JudgeOptions, nowMs: number): Verdict {
  const { candidateKeys, requests, stepStartedMs } = snapshot;
  const { promoteKeysMin, promoteRequestsMin, promoteTolerated, onInconclusive } = options;
  const rates = ratesText(snapshot, { metric: 'error', channel: 0 });
  const isOverdue = stepStartedMs !== null && nowMs - stepStartedMs >= options.inconclusiveAfterMs;
  if (candidateKeys < promoteKeysMin || requests.candidate < promoteRequestsMin) {
    return {
      kind: isOverdue ? 'hold' : 'healthy',
      reason: `${rates}; nothing shows that it is worse, but ${requests.candidate} requests of ${candidateKeys} callers are fewer than the ${promoteRequestsMin} of ${promoteKeysMin} needed to show that it is not`,
    };
  }
  const evidence = notWorseEvidence(snapshot, options);
  if (evidence >= -Math.log(options.falsePromoteMax)) {
    const metrics = snapshot.hasLatency ? 'failed or was slow' : 'failed';
    return {
      kind: 'promote',
      metric: 'error',
      reason: `${rates}; one that ${metrics} ${promoteTolerated} times as often would look like this with a chance of ${chanceText(evidence)} at most`,
    };
  }
  const text = `${rates}; nothing shows that it is worse, and nothing yet that it is not`;
  if (!isOverdue) return { kind: 'healthy', reason: text };
  return { kind: onInconclusive, reason: `${text} after ${Math.round((nowMs - stepStartedMs) / 1000)} s` };
}

function isLargeEnough(
  snapshot: JudgeSnapshot,
  options: JudgeOptions,
  { metric, channel }: Finding,
): boolean {
  const { observed, channels } = snapshot.metrics[metric];
  const total = channels[channel]?.total ?? { candidate: 0, stable: 0 };
  const rate = (arm: 'candidate' | 'stable'): Rate => ({
    events: total[arm],
    trials: observed[arm],
    trialsBest: trialsBest[arm],
  });
  const one = rate('candidate');
  const other = rate('stable');
  const isAbove = isDifferenceAbove(one, other, options.rateDifferenceMin, differenceErrorMax);
  if (isAbove || metric !== 'prediction') return isAbove;
  return isDifferenceAbove(other, one, options.rateDifferenceMin, differenceErrorMax);
}

function mismatchVerdict({ keys }: JudgeSnapshot, evidence: number): Verdict {
  const met = keys.reduce((sum, { candidate }) => sum + candidate, 0);
  const all = keys.reduce((sum, { candidate, stable }) => sum + candidate + stable, 0);
  const expected = keys.reduce((sum, { share, candidate, stable }) => sum + share * (candidate + stable), 0);
  return {
    kind: 'hold',
    metric: 'shares',
    reason: `${met} of ${all} callers met the candidate where its share makes ${Math.round(expected)}; a fair division would look like this with a chance of ${chanceText(evidence)} at most`,
  };
}

function ratesText(snapshot: JudgeSnapshot, finding: Finding): string {
  const { observed, channels } = snapshot.metrics[finding.metric];
  const total = channels[finding.channel]?.total ?? { candidate: 0, stable: 0 };
  const did = didText(snapshot, finding);
  const what = finding.metric === 'latency' ? 'runs' : 'requests';
  return `the candidate ${did} in ${total.candidate} of ${observed.candidate} ${what}, the stable version in ${total.stable} of ${observed.stable}`;
}

function didText({ latencyCutsMs }: JudgeSnapshot, { metric, channel }: Finding): string {
  switch (metric) {
    case 'error':
      return 'failed';
    case 'nan':
      return 'answered with numbers that are not finite';
    case 'latency': {
      const cut = latencyCutsMs?.[channel];
      return cut === undefined ? 'took longer than a cut point' : `took longer than ${cut} ms`;
    }
    case 'prediction':
      return `predicted class or tenth ${channel}`;
  }
}

function chanceText(logEvidence: number): string {
  return Math.exp(-logEvidence).toPrecision(2);
}
