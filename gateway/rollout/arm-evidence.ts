/**
 * Evidence about how much more often something happens to a candidate than to the stable version, from events alone:
 * given an event (a failure, a slow answer, an answer in one class), which of the two was it? Where the share of the
 * candidate is known, its part of the events is known too if it is like the other, and an incident that both share
 * changes nothing. Valid whenever one looks and however often (Lindon and Malek, arXiv 2011.03567; Ville's inequality),
 * also while the share changes.
 *
 * The state is two counts for each share, so the evidence of several nodes is the evidence of the added counts.
 */

export type Arm = 'candidate' | 'stable';

/** Events seen while the candidate had one share. */
export interface ArmCounts {
  /** Share of the candidate, 0 to 1. */
  readonly share: number;
  readonly candidate: number;
  readonly stable: number;
}

/** How far beyond the boundary the candidate might be; the evidence is the mean over them. */
const excessRatios = [1.25, 1.5, 2, 3, 5, 10, 30, 100];
const deficitRatios = excessRatios.map((ratio) => 1 / ratio);
const notWorseRatios = [1 / 1.25, 1 / 1.5, 1 / 2, 1 / 3, 1 / 5];

/** Logarithm of the e-value against "to the candidate it happens at most `tolerated` times as often". */
export function logEvidence(counts: Iterable<ArmCounts>, tolerated: number): number {
  return logMixture(counts, tolerated, excessRatios);
}

/** Logarithm of the e-value against "to the candidate it happens at least `least` times as often". */
export function logEvidenceFewer(counts: Iterable<ArmCounts>, least: number): number {
  return logMixture(counts, least, deficitRatios);
}

/** The same as evidence that the candidate may stay: alternatives near `tolerated`, since it need not be better. */
export function logEvidenceNotWorse(counts: Iterable<ArmCounts>, tolerated: number): number {
  return logMixture(counts, tolerated, notWorseRatios);
}

/** Logarithm of the mean of e-values that are given as logarithms. */
export function logMean(logs: readonly number[]): number {
  const largest = Math.max(...logs);
  if (largest === -Infinity) return largest;
  const sum = logs.reduce((total, log) => total + Math.exp(log - largest), 0);
  return largest + Math.log(sum / logs.length);
}

/** The likelihood of the counts where the ratio is `boundary` times each of `ratios`, against where it is `boundary`. */
function logMixture(counts: Iterable<ArmCounts>, boundary: number, ratios: readonly number[]): number {
  const logs = ratios.map(() => 0);
  let isEmpty = true;
  for (const { share, candidate, stable } of counts) {
    isEmpty = false;
    const expected = Math.log(1 - share + share * boundary);
    for (const [index, ratio] of ratios.entries()) {
      const assumed = Math.log(1 - share + share * boundary * ratio);
      const gained = candidate * Math.log(ratio) - (candidate + stable) * (assumed - expected);
      logs[index] = (logs[index] ?? 0) + gained;
    }
  }
  return isEmpty ? 0 : logMean(logs);
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

  /** Goes on from these instead. */
  resume(counts: Iterable<ArmCounts>): void {
    this.#counts.clear();
    for (const each of counts) this.#counts.set(each.share, { ...each });
  }
}

/** The counts of two nodes, by share. */
export function addCounts(one: readonly ArmCounts[], other: readonly ArmCounts[]): readonly ArmCounts[] {
  const added = new Map(one.map((counts) => [counts.share, counts]));
  for (const counts of other) {
    const before = added.get(counts.share) ?? { candidate: 0, stable: 0 };
    added.set(counts.share, {
      share: counts.share,
      candidate: before.candidate + counts.candidate,
      stable: before.stable + counts.stable,
    });
  }
  return [...added.values()].sort((left, right) => left.share - right.share);
}
