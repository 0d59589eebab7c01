/**
 * Whether the keys fell to the versions in the shares that were meant. If not, the division itself is at fault and no
 * comparison can be trusted. One count for each key: with sticky keys, counts of requests only tell who is busy.
 * (Lindon and Malek, arXiv 2011.03567: Dirichlet-multinomial against multinomial; valid whenever one looks.)
 */
import type { ArmCounts } from './arm-evidence.ts';
import { logGamma } from './log-gamma.ts';

/** How near to the intended share the alternative is: the larger, the smaller the mismatch it looks for. */
const concentration = 10_000;

/** Logarithm of the probability of the counts where the probabilities themselves have a Dirichlet distribution. */
export function logDirichletMultinomial(counts: readonly number[], prior: readonly number[]): number {
  const priorSum = sum(prior);
  let log = logOrders(counts) + logGamma(priorSum) - logGamma(priorSum + sum(counts));
  for (const [index, count] of counts.entries()) {
    const mass = prior[index] ?? 0;
    log += logGamma(mass + count) - logGamma(mass);
  }
  return log;
}

/** Logarithm of the probability of the counts where the probabilities are known. */
export function logMultinomial(counts: readonly number[], probabilities: readonly number[]): number {
  let log = logOrders(counts);
  for (const [index, count] of counts.entries()) {
    if (count > 0) log += count * Math.log(probabilities[index] ?? 0);
  }
  return log;
}

/** Logarithm of the e-value against "each new key met the candidate with the chance that was its share". */
export function logShareMismatch(keys: Iterable<ArmCounts>): number {
  let log = 0;
  for (const { share, candidate, stable } of keys) {
    if (share <= 0 || share >= 1) continue;
    const counts = [candidate, stable];
    const shares = [share, 1 - share];
    const prior = shares.map((each) => each * concentration);
    log += logDirichletMultinomial(counts, prior) - logMultinomial(counts, shares);
  }
  return log;
}

/** In how many orders the counts can come about. */
function logOrders(counts: readonly number[]): number {
  return counts.reduce((log, count) => log - logGamma(count + 1), logGamma(sum(counts) + 1));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
