/**
 * Sorts what a model predicted into a few bins, so that shares of bins can be compared: the class where there are
 * classes, else the tenth of the scores of the stable version into which a score falls. The tenths are set once, from a
 * sample taken before anything is compared.
 */

export const predictionBins = 10;

export class PredictionBins {
  readonly #sample: Float64Array;
  #seen = 0;
  #edges: readonly number[] | undefined;

  constructor(sampleSize: number) {
    this.#sample = new Float64Array(sampleSize);
  }

  /** Classes beyond the last bin share it. */
  ofClass(index: number): number {
    return Math.min(Math.max(0, index), predictionBins - 1);
  }

  /** Undefined until enough scores were learned, and for what is no number. */
  ofScore(score: number): number | undefined {
    if (this.#edges === undefined || Number.isNaN(score)) return undefined;
    const bin = this.#edges.findIndex((edge) => score <= edge);
    return bin === -1 ? predictionBins - 1 : bin;
  }

  /** Where the tenths end; null until they are set. */
  get edges(): readonly number[] | null {
    return this.#edges ?? null;
  }

  /** Those of before a restart; anything else is learned. */
  resume(edges: unknown): void {
    if (!Array.isArray(edges) || edges.length !== predictionBins - 1) return;
    const numbers = edges.filter((edge) => typeof edge === 'number');
    if (numbers.length === edges.length) this.#edges = numbers;
  }

  /** A score of the stable version; ignored once the tenths are set. */
  learn(score: number): void {
    if (this.#edges !== undefined || !Number.isFinite(score)) return;
    this.#sample[this.#seen] = score;
    this.#seen += 1;
    if (this.#seen < this.#sample.length) return;
    const sorted = this.#sample.toSorted();
    this.#edges = Array.from(
      { length: predictionBins - 1 },
      (_, index) => sorted[Math.floor(((index + 1) * sorted.length) / predictionBins)] ?? Infinity,
    );
  }
}
