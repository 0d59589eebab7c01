/**
 * Sequential bounds on quantiles and a sequential test of them (Howard and Ramdas, arXiv 1906.09712): what the exceedance
 * counts of the product are an alternative to.
 */
import { betaBinomialLogMixture } from './mixture-boundaries.ts';
import { zeta } from './special-functions.ts';

/** Constant of the bound on all quantiles at once, for the chance `alpha` and the factor `factor`. */
export function lilConstant(alpha: number, factor: number): number {
  let low = 1;
  let high = 50;
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (leastError(middle) > alpha) low = middle;
    else high = middle;
  }
  return (low + high) / 2;

  /** Over the ratios of the epochs into which time is cut; by thirds, since it falls and then rises. */
  function leastError(constant: number): number {
    let low = 1;
    let high = 2 * factor * factor;
    for (let step = 0; step < 100; step += 1) {
      const third = (high - low) / 3;
      if (errorAt(constant, low + third) <= errorAt(constant, high - third)) high -= third;
      else low += third;
    }
    return errorAt(constant, (low + high) / 2);
  }

  function errorAt(constant: number, eta: number): number {
    const slack = factor - Math.sqrt((2 * (eta - 1)) / constant);
    const power = (2 / eta) * slack * slack;
    if (slack <= 0 || power <= 1) return Infinity;
    return 4 * Math.exp(-power * constant) * (1 + 1 / ((power - 1) * Math.log(eta)));
  }
}

/** How far the empirical distribution after `t` values is from the true one, at all quantiles and times from `from`. */
export function empiricalProcessBound(t: number, alpha: number, from: number, factor: number): number {
  return factor * Math.sqrt((Math.log(1 + Math.log(t / from)) + lilConstant(alpha, factor)) / t);
}

/** The same in counts and with a width for each quantile `p`. */
export function doubleStitchingBound(p: number, t: number, alpha: number, tBest: number): number {
  const delta = 0.5;
  const s = 1.4;
  const eta = 2;
  const epochs = Math.max(t, tBest) / tBest;
  const logit = Math.log(p / (1 - p));
  const moved = 1 / (1 + Math.exp(-(logit + 2 * delta * Math.sqrt(eta / epochs))));
  const near = p >= 0.5 ? p : Math.min(0.5, moved);
  const variance = near * (1 - near);
  const grid = (Math.sqrt(epochs) * Math.abs(logit)) / (2 * delta) + 1;
  const total = 2 * zeta(s);
  const level =
    s * Math.log(Math.log(eta * epochs)) +
    s * Math.log(grid) +
    Math.log((total * (total + 1)) / (alpha * Math.log(eta) ** s));
  const spread = (eta ** 0.25 + eta ** -0.25) / Math.SQRT2;
  const skew = ((Math.sqrt(eta) + 1) / 2) * ((1 - 2 * p) / 3) * level;
  return (
    delta * Math.sqrt(eta * epochs * variance) +
    Math.sqrt(spread * spread * variance * epochs * tBest * level + skew * skew) +
    skew
  );
}

/** P-value, valid whenever one looks, of "both have the same quantile `p`". */
export function quantileTest(
  one: readonly number[],
  other: readonly number[],
  p: number,
  tBest: number,
): number {
  const tuning = { varianceBest: p * (1 - p) * tBest, isOneSided: false };
  let least = Infinity;
  for (const x of new Set([...one, ...other])) least = Math.min(least, against(one, x) + against(other, x));
  return Math.min(1, Math.exp(-least));

  /** Evidence against "the quantile is `x`". */
  function against(values: readonly number[], x: number): number {
    const below = values.filter((value) => value < x).length / values.length;
    const upTo = values.filter((value) => value <= x).length / values.length;
    const nearest = Math.min(Math.max(p, below), upTo);
    const trials = values.length;
    return betaBinomialLogMixture((nearest - p) * trials, p * (1 - p) * trials, tuning, p, 1 - p);
  }
}
