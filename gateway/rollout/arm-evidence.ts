/**
 * Evidence that a candidate fails more than the stable version, from events alone: given a failure, which of the two was
 * it? Where the share of the candidate is known, the candidate's part of the failures is known too if it is no worse, and
 * an incident that both share changes nothing. Valid whenever one looks and however often (Lindon and Malek,
 * arXiv 2011.03567; Ville's inequality), also while the share changes.
 *
 * The state is two counts for each share, so the evidence of several nodes is the evidence of the added counts.
 */

export type Arm = 'candidate' | 'stable';

/** Failures seen while the candidate had one share. */
export interface ArmCounts {
  /** Share of the candidate, 0 to 1. */
  readonly share: number;
  readonly candidate: number;
  readonly stable: number;
}

/** How much worse than tolerated the candidate might be; the evidence is the mean over them. */
const excessRatios = [1.25, 1.5, 2, 3, 5, 10, 30, 100];

/**
 * Natural logarithm of the e-value against "the candidate fails at most `tolerated` times as often as the stable version".
 */
export function logEvidence(counts: Iterable<ArmCounts>, tolerated: number): number {
  const logs = excessRatios.map(() => 0);
  for (const { share, candidate, stable } of counts) {
    const expected = Math.log(1 - share + share * tolerated);
    for (const [index, excess] of excessRatios.entries()) {
      const worse = Math.log(1 - share + share * tolerated * excess);
      const gained = candidate * Math.log(excess) - (candidate + stable) * (worse - expected);
      logs[index] = (logs[index] ?? 0) + gained;
    }
  }
  const largest = Math.max(...logs);
  const sum = logs.reduce((total, log) => total + Math.exp(log - largest), 0);
  return largest + Math.log(sum / logs.length);
}

/** Counts of one node. */
export class ArmEvidence {
  readonly #counts = new Map<number, { share: number; candidate: number; stable: number }>();

  add(arm: Arm, share: number): void {
    const counts = this.#counts.get(share);
    if (counts === undefined) this.#counts.set(share, { share, candidate: 0, stable: 0, [arm]: 1 });
    else counts[arm] += 1;
  }

  get counts(): Iterable<ArmCounts> {
    return this.#counts.values();
  }
}
