/**
 * Searches the highest rate at which a latency limit holds, by asking for one rate after the other: first up in doubling
 * steps until the limit breaks, then by halving the distance. Pure: whoever measures tells it what came out.
 *
 * Machines are noisy, so one bad window proves nothing: a rate counts as too high when the limit broke there in two windows
 * of at most three, and the rate that is found must hold in two further windows (it is lowered until one does).
 */

export interface SearchOptions {
  /** Requests per second. */
  readonly from: number;
  readonly to: number;
  /** The search ends when the highest good and the lowest bad rate are this close, as a share. Default 0.05. */
  readonly precision?: number;
}

export type SearchResult =
  /** The limit holds at this rate; `isBounded`: it is the upper end of the range, so more was not tried. */
  | { readonly kind: 'found'; readonly rate: number; readonly isBounded: boolean }
  /** It does not hold at the lowest rate of the range. */
  | { readonly kind: 'none' }
  /** No rate held twice within the windows that a search may take. */
  | { readonly kind: 'unstable' };

/** Windows of one search. */
export const probesMax = 60;
const precisionDefault = 0.05;
/** Windows in which the rate that was found must hold once more. */
const confirmations = 2;
/** Windows in which the limit must break for a rate to be too high. */
const breaksForBad = 2;
const triesMax = 3;

export class RateSearch {
  readonly #from: number;
  readonly #to: number;
  readonly #precision: number;
  #rate: number;
  /** Of the rate that is being tried. */
  #breaks = 0;
  #holds = 0;
  #probes = 0;
  /** Highest rate that held, 0 for none. */
  #good = 0;
  /** Lowest rate that is too high. */
  #bad = Infinity;
  #isConfirming = false;
  #result: SearchResult | undefined;

  /** `from` is at most `to`. */
  constructor({ from, to, precision = precisionDefault }: SearchOptions) {
    this.#from = from;
    this.#to = to;
    this.#precision = precision;
    this.#rate = from;
  }

  /** The rate to measure now; undefined when the search is over. */
  get next(): number | undefined {
    return this.#result === undefined ? this.#rate : undefined;
  }

  /** Undefined while it goes on. */
  get result(): SearchResult | undefined {
    return this.#result;
  }

  /** Whether the limit held at the rate that `next` named. */
  told(holds: boolean): void {
    if (this.#result !== undefined) return;
    this.#probes += 1;
    if (holds) this.#holds += 1;
    else this.#breaks += 1;
    if (this.#isConfirming) this.#confirm();
    else this.#decide();
    if (this.#probes >= probesMax) this.#result ??= { kind: 'unstable' };
  }

  #decide(): void {
    // One window that holds is enough, unless an earlier one broke: then two of three decide.
    const isGood = this.#holds > this.#breaks;
    const isBad = this.#breaks >= breaksForBad;
    if (!isGood && !isBad && this.#holds + this.#breaks < triesMax) return;
    if (isGood) this.#good = this.#rate;
    else this.#bad = this.#rate;
    this.#go();
  }

  #go(): void {
    if (this.#bad <= this.#from) {
      this.#result = { kind: 'none' };
    } else if (this.#good >= this.#to || this.#bad <= this.#good * (1 + this.#precision)) {
      this.#isConfirming = true;
      this.#try(this.#good);
    } else if (this.#bad === Infinity) {
      this.#try(Math.min(this.#to, this.#good * 2));
    } else {
      this.#try((this.#good + this.#bad) / 2);
    }
  }

  #confirm(): void {
    if (this.#breaks >= breaksForBad) {
      const lower = this.#rate * (1 - this.#precision);
      if (this.#rate <= this.#from) this.#result = { kind: 'none' };
      else this.#try(Math.max(this.#from, lower));
    } else if (this.#holds >= confirmations) {
      this.#result = { kind: 'found', rate: this.#rate, isBounded: this.#rate >= this.#to };
    }
  }

  #try(rate: number): void {
    this.#rate = rate;
    this.#breaks = 0;
    this.#holds = 0;
  }
}
