/**
 * When to look at a source that gives no notice: at intervals that differ a little, so that a fleet started together
 * does not ask together, and ever more rarely while there is trouble.
 */

export interface LookOutcome {
  readonly ok: boolean;
  /** What the server asked for, milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

export interface PollWatchOptions {
  /** Usual time between two looks, milliseconds. */
  readonly pollMs: number;
  /** Takes a look; must not reject. */
  readonly look: () => Promise<LookOutcome>;
  /** Default `Math.random`. */
  readonly random?: () => number;
}

/** Looks are not further apart than this however long the trouble lasts, milliseconds. */
export const pollMsMax: number = 5 * 60_000;
/** Share by which an interval differs at most, to either side. */
const jitter = 0.2;

export function nextPollMs(facts: {
  readonly pollMs: number;
  /** Looks in a row that failed. */
  readonly failures: number;
  readonly retryAfterMs?: number | undefined;
  /** 0 to 1. */
  readonly random: number;
}): number {
  const { pollMs, failures, random } = facts;
  // The first failure is waited for no longer than usual: most are over by then.
  const backedOff =
    failures < 2 ? pollMs : Math.max(pollMs, Math.min(pollMs * 2 ** (failures - 1), pollMsMax));
  const jittered = backedOff * (1 + jitter * (2 * random - 1));
  // Never before the time the server asked for, and then not all nodes at once either.
  return Math.round(Math.max(jittered, (facts.retryAfterMs ?? 0) * (1 + jitter * random)));
}

export class PollWatch {
  readonly #options: PollWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: PollWatchOptions) {
    this.#options = options;
  }

  /** `isWell` says how the look at opening went. */
  start(isWell: boolean): void {
    this.#failures = isWell ? 0 : 1;
    this.#schedule(undefined);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(retryAfterMs: number | undefined): void {
    if (this.#closed) return;
    const { pollMs, random = Math.random } = this.#options;
    const facts = { pollMs, failures: this.#failures, retryAfterMs, random: random() };
    this.#timer = setTimeout(() => void this.#look(), nextPollMs(facts));
    // A gateway that has nothing left but this timer should end.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { ok, retryAfterMs } = await this.#options.look();
    this.#failures = ok ? 0 : this.#failures + 1;
    this.#schedule(retryAfterMs);
  }
}
