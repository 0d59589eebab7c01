/**
 * Sequential inference on means: betting on values in [0, 1] (Waudby-Smith and Ramdas, arXiv 2010.09686), and the
 * asymptotic confidence sequences that feature flag vendors use (arXiv 2103.06476).
 */

/** The stake before the value number `round`, from 1, given the variance estimated until then. */
export function bettingStake(round: number, varianceBefore: number, alpha: number): number {
  return Math.sqrt((2 * Math.log(1 / alpha)) / (round * Math.log1p(round) * varianceBefore));
}

/** Logarithms of the wealth of betting on "the mean is above `mean`" and on "it is below". */
export function bettingEvidence(
  values: Iterable<number>,
  mean: number,
  alpha: number,
): { readonly above: number; readonly below: number } {
  let round = 0;
  let sum = 0.5;
  let squares = 0.25;
  let above = 0;
  let below = 0;
  for (const value of values) {
    round += 1;
    const stake = bettingStake(round, squares / round, alpha);
    above += Math.log1p(Math.min(stake, 0.5 / mean) * (value - mean));
    below += Math.log1p(-Math.min(stake, 0.5 / (1 - mean)) * (value - mean));
    sum += value;
    const estimated = sum / (round + 1);
    squares += (value - estimated) ** 2;
  }
  return { above, below };
}

export interface SampleSums {
  readonly sum: number;
  readonly sumSquares: number;
  readonly count: number;
}

export interface RelativeUplift {
  readonly uplift: number;
  /** Of the two-sided interval; of the one-sided one, which has a lower end only. */
  readonly halfWidth: number;
  readonly halfWidthOneSided: number;
}

/** How much larger the mean of `treated` is, as a part of that of `control`. */
export function relativeUplift(
  control: SampleSums,
  treated: SampleSums,
  alpha: number,
  countBest: number,
): RelativeUplift {
  const mean = ({ sum, count }: SampleSums): number => sum / count;
  const variance = ({ sum, sumSquares, count }: SampleSums): number =>
    (sumSquares - (sum * sum) / count) / (count - 1);
  const base = mean(control);
  const ofUplift =
    variance(treated) / (base ** 2 * treated.count) +
    (variance(control) * mean(treated) ** 2) / (base ** 4 * control.count);
  const count = control.count + treated.count;
  const tuned = (error: number): number => {
    const twice = -2 * Math.log(error);
    return (count * (twice + Math.log1p(twice))) / countBest + 1;
  };
  const width = (information: number, level: number): number =>
    Math.sqrt((ofUplift * 2 * information * level) / (information - 1));
  const twoSided = tuned(alpha);
  const oneSided = tuned(2 * alpha);
  return {
    uplift: (mean(treated) - base) / base,
    halfWidth: width(twoSided, Math.log(Math.sqrt(twoSided) / alpha)),
    halfWidthOneSided: width(oneSided, Math.log1p(Math.sqrt(oneSided) / (2 * alpha))),
  };
}
