/**
 * When the requests of an open loop are to be sent, whatever the server does: at equal distances, or as many independent
 * callers arrive (a Poisson process, whose distances are exponential). Pure: the same seed gives the same schedule.
 */
import { seededRandom, type SeededRandom } from '../../../deploy/demo/seeded-random.ts';

export const arrivalKinds = ['constant', 'poisson'] as const;
export type Arrivals = (typeof arrivalKinds)[number];

export interface ScheduleOptions {
  readonly ratePerSecond: number;
  readonly arrivals: Arrivals;
  /** Any 32-bit number; for Poisson arrivals only. */
  readonly seed: number;
}

export class ArrivalSchedule {
  readonly #meanUs: number;
  readonly #random: SeededRandom | undefined;
  #taken = 0;
  #nextUs = 0;

  constructor({ ratePerSecond, arrivals, seed }: ScheduleOptions) {
    this.#meanUs = 1e6 / ratePerSecond;
    this.#random = arrivals === 'poisson' ? seededRandom(seed) : undefined;
    if (this.#random !== undefined) this.#nextUs = this.#distanceUs(this.#random);
  }

  /** Of the next request, microseconds from the start; never before the last one. */
  get nextUs(): number {
    return this.#nextUs;
  }

  take(): number {
    const atUs = this.#nextUs;
    this.#taken += 1;
    // Equal distances are multiplied, not added up: no error grows over a long run.
    this.#nextUs =
      this.#random === undefined ? this.#taken * this.#meanUs : atUs + this.#distanceUs(this.#random);
    return atUs;
  }

  #distanceUs(random: SeededRandom): number {
    return -Math.log(1 - random.next()) * this.#meanUs;
  }
}
