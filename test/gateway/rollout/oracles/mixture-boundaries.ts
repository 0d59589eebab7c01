/**
 * Mixture supermartingales and their boundaries (Howard, Ramdas, McAuliffe and Sekhon, arXiv 1810.08240), as checks of what
 * the product computes in another way. A sum `s` of differences with the accrued variance `v` is evidence `logMixture`,
 * and passes `bound` with the chance `alpha` at most.
 */
import { logIncompleteBeta, normalDistribution } from './special-functions.ts';

export interface Tuning {
  /** Accrued variance at which the boundary is tightest. */
  readonly varianceBest: number;
  readonly isOneSided: boolean;
}

const tunedFor = 0.05;

export function mixturePrecision({ varianceBest, isOneSided }: Tuning): number {
  const twice = 2 * Math.log(1 / (isOneSided ? 2 * tunedFor : tunedFor));
  return varianceBest / (twice + Math.log1p(twice));
}

export function normalLogMixture(s: number, v: number, tuning: Tuning): number {
  const precision = mixturePrecision(tuning);
  const spread = v + precision;
  const twoSided = Math.log(precision / spread) / 2 + (s * s) / (2 * spread);
  return tuning.isOneSided ? twoSided + Math.log(2 * normalDistribution(s / Math.sqrt(spread))) : twoSided;
}

/** Of differences between -`g` and `h`. */
export function betaBinomialLogMixture(s: number, v: number, tuning: Tuning, g: number, h: number): number {
  const range = g + h;
  const precision = Math.max(mixturePrecision(tuning) - g * h, 0.001 * g * h);
  const upTo = tuning.isOneSided ? h / range : 1;
  const ups = (v + h * s) / (h * range);
  const downs = (v - g * s) / (g * range);
  const before = logIncompleteBeta(precision / (g * range), precision / (h * range), upTo);
  const after = logIncompleteBeta(precision / (g * range) + downs, precision / (h * range) + ups, upTo);
  return (v / (g * h)) * Math.log(range) - ups * Math.log(g) - downs * Math.log(h) + after - before;
}

/** The sum that is as much evidence as `alpha` asks for; at most `largest`. */
export function boundOf(logMixture: (s: number) => number, alpha: number, largest: number): number {
  let low = 0;
  let high = largest;
  for (let step = 0; step < 100; step += 1) {
    const middle = (low + high) / 2;
    if (logMixture(middle) < Math.log(1 / alpha)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
