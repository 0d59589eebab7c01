/**
 * Where a probability lies, known from how often something happened, however often one looks: the confidence sequence of
 * a beta-binomial mixture (Howard, Ramdas, McAuliffe and Sekhon, arXiv 1810.08240).
 */
import { logBeta } from './log-gamma.ts';

export interface Interval {
  readonly lower: number;
  readonly upper: number;
}

export interface ConfidenceOptions {
  /** Chance that the probability is ever outside. */
  readonly errorMax: number;
  /** Number of trials at which the interval is tightest. */
  readonly trialsBest: number;
}

/** Of the published method: the error for which the width is tuned, whatever the error that is asked for. */
const tunedFor = 0.05;
const bisections = 60;

/** How far the mixture spreads: so that it is tightest after `trialsBest` trials. */
function precisionFor(probability: number, trialsBest: number): number {
  const variance = probability * (1 - probability);
  const twice = 2 * Math.log(1 / tunedFor);
  return Math.max((variance * trialsBest) / (twice + Math.log1p(twice)) - variance, 0.001 * variance);
}

/** Logarithm of the e-value against "the probability is `probability`". */
export function logBinomialEvidence(
  successes: number,
  trials: number,
  probability: number,
  trialsBest: number,
): number {
  const other = 1 - probability;
  const precision = precisionFor(probability, trialsBest);
  const before = logBeta(precision / probability, precision / other);
  const failures = trials - successes;
  const after = logBeta(precision / probability + failures, precision / other + successes);
  return after - before - successes * Math.log(probability) - failures * Math.log(other);
}

/** All probabilities that the counts do not exclude. */
export function bernoulliConfidence(
  successes: number,
  trials: number,
  { errorMax, trialsBest }: ConfidenceOptions,
): Interval {
  if (trials === 0) return { lower: 0, upper: 1 };
  const rate = successes / trials;
  return { lower: limit(0), upper: limit(1) };

  /** Between the rate, which is never excluded, and the end. */
  function limit(end: number): number {
    let excluded = end;
    let kept = rate;
    for (let step = 0; step < bisections; step += 1) {
      const middle = (excluded + kept) / 2;
      if (middle === excluded || middle === kept) break;
      if (logBinomialEvidence(successes, trials, middle, trialsBest) >= Math.log(1 / errorMax))
        excluded = middle;
      else kept = middle;
    }
    return excluded === end ? end : kept;
  }
}

/** How often something happened. */
export interface Rate {
  readonly events: number;
  readonly trials: number;
  /** Number of trials at which the evidence is to be strongest. */
  readonly trialsBest: number;
}

/** How much more often than tolerated: `ratio` times as often and `difference` on top. */
interface Tolerance {
  readonly ratio: number;
  readonly difference: number;
}

/**
 * Whether the confidence sequence of the difference of two probabilities lies above `difference`: no pair of
 * probabilities that differ by so little is left. The two are weighed together, since both would have to be unlikely.
 */
export function isDifferenceAbove(one: Rate, other: Rate, difference: number, errorMax: number): boolean {
  return logEvidenceAbove(one, other, { ratio: 1, difference }) >= Math.log(1 / errorMax);
}

/**
 * Logarithm of the e-value against "`one` happens at most `ratio` times as often as `other`, and `difference` on top": the
 * least evidence against any pair of probabilities of which that is true. 0 where the rates themselves are such a pair.
 */
export function logEvidenceAbove(one: Rate, other: Rate, { ratio, difference }: Tolerance): number {
  if (one.trials === 0 || other.trials === 0) return 0;
  let low = other.events / other.trials;
  let high = (one.events / one.trials - difference) / ratio;
  if (high <= low) return 0;
  // The evidence against a pair falls and then rises between the two rates: the pair that is excluded last, by thirds.
  for (let step = 0; step < bisections && high - low > 1e-12; step += 1) {
    const third = (high - low) / 3;
    if (against(low + third) < against(high - third)) high -= third;
    else low += third;
  }
  return against((low + high) / 2);

  function against(probability: number): number {
    return (
      logBinomialEvidence(one.events, one.trials, ratio * probability + difference, one.trialsBest) +
      logBinomialEvidence(other.events, other.trials, probability, other.trialsBest)
    );
  }
}
