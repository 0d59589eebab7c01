/** Functions that the published boundaries need and no product code does: by series, to ten digits or more. */
import { logBeta } from '../../../../gateway/rollout/log-gamma.ts';

/** Logarithm of the incomplete beta function, not divided by the complete one. */
export function logIncompleteBeta(a: number, b: number, x: number): number {
  if (x === 1) return logBeta(a, b);
  // The continued fraction converges fast on this side of the mean only.
  if (x > (a + 1) / (a + b + 2)) {
    const whole = logBeta(a, b);
    return whole + Math.log1p(-Math.exp(logIncompleteBeta(b, a, 1 - x) - whole));
  }
  return a * Math.log(x) + b * Math.log1p(-x) - Math.log(a) + Math.log(betaFraction(a, b, x));
}

/** By Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300;
  const nonZero = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let above = 1;
  let below = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let fraction = below;
  for (let term = 1; term < 1000; term += 1) {
    const even = (term * (b - term) * x) / ((a + 2 * term - 1) * (a + 2 * term));
    const odd = (-(a + term) * (a + b + term) * x) / ((a + 2 * term) * (a + 2 * term + 1));
    for (const numerator of [even, odd]) {
      below = 1 / nonZero(1 + numerator * below);
      above = nonZero(1 + numerator / above);
      fraction *= above * below;
    }
    if (Math.abs(above * below - 1) < 1e-15) break;
  }
  return fraction;
}

export function normalDistribution(z: number): number {
  let term = z;
  let sum = z;
  for (let odd = 3; Math.abs(term) > 1e-17 && odd < 400; odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

/** Riemann's, above 1, by the sum of Euler and Maclaurin. */
export function zeta(s: number): number {
  const from = 1000;
  let sum = 0;
  for (let n = 1; n < from; n += 1) sum += n ** -s;
  return sum + from ** (1 - s) / (s - 1) + from ** -s / 2 + (s * from ** (-s - 1)) / 12;
}
