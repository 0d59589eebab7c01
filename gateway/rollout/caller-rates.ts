/**
 * How often something went wrong with one version, with a caller as the unit: the first request of each caller in each
 * minute is a trial, picked before anything happened to it, so that who is busy has no more weight than who is not. The
 * rate of such trials stays what it is while callers stay who they are, which lets one time be compared with another.
 *
 * Fixed memory; two callers in one seat are one.
 */
import { bytesOf, fillTables, isAlike, type Kept, type SeatTable } from './kept.ts';
import { KeySet } from './key-set.ts';
import { seatOf } from './unit-ledger.ts';

/** Ways to fail that are told apart; a crash is an error. */
export const faults = ['error', 'nan'] as const;
export type Fault = (typeof faults)[number];

/** Counts as plain data. */
export interface CallerCounts {
  readonly trials: number;
  /** Of the trials, those that failed. */
  readonly failed: Readonly<Record<Fault, number>>;
}

/** Whether a value that was read from somewhere is that. */
export function isCallerCounts(value: unknown): value is CallerCounts {
  if (typeof value !== 'object' || value === null || !('trials' in value) || !('failed' in value))
    return false;
  const { trials, failed } = value;
  if (typeof failed !== 'object' || failed === null || !('error' in failed) || !('nan' in failed))
    return false;
  return [trials, failed.error, failed.nan].every((count) => Number.isInteger(count) && Number(count) >= 0);
}

export function addCallerCounts(one: CallerCounts, other: CallerCounts): CallerCounts {
  return {
    trials: one.trials + other.trials,
    failed: { error: one.failed.error + other.failed.error, nan: one.failed.nan + other.failed.nan },
  };
}

/** How many tables are kept of one. */
export const callerTables = 3;

/** `caller`: as above. `request`: each request is a trial, where one caller tries a version out. */
export type TrialUnit = 'caller' | 'request';

const windowMs = 60_000;

export class CallerRates {
  readonly #unit: TrialUnit;
  readonly #windowMs: number;
  readonly #windows = new Uint32Array(2 ** 16);
  readonly #failedCallers: Readonly<Record<Fault, KeySet>> = { error: new KeySet(), nan: new KeySet() };
  readonly #failed = { error: 0, nan: 0 };
  #trials = 0;

  /** A caller comes to each of so many processes and is a trial in each: less often then, so that it has no more weight. */
  constructor(unit: TrialUnit = 'caller', processes = 1) {
    this.#unit = unit;
    this.#windowMs = windowMs * processes;
  }

  /** `keyHash` is an unsigned 32-bit number; `nowMs` never before that of an earlier call. */
  add(keyHash: number, nowMs: number, fault: Fault | undefined): void {
    if (!this.#isTrial(keyHash, nowMs)) return;
    this.#trials += 1;
    if (fault === undefined) return;
    this.#failed[fault] += 1;
    this.#failedCallers[fault].add(keyHash);
  }

  get counts(): CallerCounts {
    return { trials: this.#trials, failed: { ...this.#failed } };
  }

  /** Different callers among the failed trials. */
  failedCallers(fault: Fault): number {
    return this.#failedCallers[fault].size;
  }

  keep(): Kept {
    return { counts: this.counts, tables: bytesOf(this.#tables) };
  }

  /** Goes on from what was kept; false, and nothing changed, where that is something else. */
  resume({ counts, tables }: Kept): boolean {
    if (!isCallerCounts(counts) || !isAlike(this.#tables, tables)) return false;
    fillTables(this.#tables, tables);
    for (const fault of faults) this.#failedCallers[fault].recount();
    this.#trials = counts.trials;
    Object.assign(this.#failed, { error: counts.failed.error, nan: counts.failed.nan });
    return true;
  }

  get #tables(): readonly SeatTable[] {
    return [this.#windows, this.#failedCallers.error.words, this.#failedCallers.nan.words];
  }

  #isTrial(keyHash: number, nowMs: number): boolean {
    if (this.#unit === 'request') return true;
    const seat = seatOf(keyHash);
    // Not from zero, which is what an empty seat has.
    const window = 1 + Math.floor(nowMs / this.#windowMs);
    if (this.#windows[seat] === window) return false;
    this.#windows[seat] = window;
    return true;
  }
}
