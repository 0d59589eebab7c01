/** Logarithms of the gamma and beta functions, by Stirling's series: what mixtures over counts are made of. */

/** Coefficients of 1/x, 1/x^3 and so on. */
const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360_360, 1 / 156];
const seriesFrom = 10;

/** Of a positive number. */
export function logGamma(x: number): number {
  let shifted = x;
  let product = 1;
  while (shifted < seriesFrom) {
    product *= shifted;
    shifted += 1;
  }
  const inverseSquare = 1 / (shifted * shifted);
  const series = stirling.reduceRight((sum, coefficient) => sum * inverseSquare + coefficient, 0) / shifted;
  return (
    (shifted - 0.5) * Math.log(shifted) - shifted + Math.log(2 * Math.PI) / 2 + series - Math.log(product)
  );
}

/** Of two positive numbers. */
export function logBeta(one: number, other: number): number {
  return logGamma(one) + logGamma(other) - logGamma(one + other);
}
