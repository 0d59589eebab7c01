/**
 * When a failed attempt is made again: exponential backoff with full jitter, bounded in number and length, never
 * sooner than the server asked. It decides only; waiting and the deadline are the caller's.
 */
import { TidegateError } from './tidegate-error.ts';

export interface RetryOptions {
  /** Attempts of one call in all; 1 switches repeating off. 1 to 100, default 4. */
  readonly attemptsMax?: number | undefined;
  /** The first wait is between 0 and this many milliseconds; the range doubles each time. Default 50. */
  readonly baseMs?: number | undefined;
  /** The range stops to grow here, milliseconds. Default 2,000. */
  readonly capMs?: number | undefined;
}

export interface RetryDefaults {
  readonly attemptsMax: number;
  readonly baseMs: number;
  readonly capMs: number;
}

export class RetryPolicy {
  readonly attemptsMax: number;
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: () => number;

  /** `random` gives numbers from 0 to below 1, as Math.random does. Throws INVALID_ARGUMENT. */
  constructor(
    options: RetryOptions | undefined,
    random: () => number,
    defaults: RetryDefaults = { attemptsMax: 4, baseMs: 50, capMs: 2000 },
  ) {
    this.attemptsMax = checked('attemptsMax', options?.attemptsMax ?? defaults.attemptsMax, 1, 100);
    this.#baseMs = checked('baseMs', options?.baseMs ?? defaults.baseMs, 0, 3_600_000);
    this.#capMs = checked('capMs', options?.capMs ?? defaults.capMs, 0, 3_600_000);
    this.#random = random;
  }

  /** Milliseconds to wait before the next attempt, or undefined when there is to be none. */
  delayMs(error: TidegateError, attemptsMade: number): number | undefined {
    if (!error.isRetryable || error.code === 'DEADLINE_EXCEEDED') return undefined;
    if (attemptsMade >= this.attemptsMax) return undefined;
    return (error.retryAfterMs ?? 0) + this.backoffMs(attemptsMade);
  }

  /** Full jitter: anywhere between nothing and the whole range, so that many clients do not come back as one. */
  backoffMs(attemptsMade: number): number {
    const rangeMs = Math.min(this.#capMs, this.#baseMs * 2 ** Math.max(0, attemptsMade - 1));
    return this.#random() * rangeMs;
  }
}

function checked(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw new TidegateError('INVALID_ARGUMENT', `${name} is ${value}; it must be ${min} to ${max}.`);
}
