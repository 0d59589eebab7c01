/**
 * Remembers which sessions took their threads with them, and says when one has done so too often: it is then not run for
 * a while, because every loss also costs the others a thread. Pure; the clock comes in.
 *
 *     trusted --lossesMax within windowMs--> quarantined --its time is over--> on trial --a loss--> quarantined, longer
 *                                                                               `--windowMs without a loss--> trusted
 */

export interface FaultLimits {
  /** Lost threads within `windowMs` after which a session is no longer run; 0 for never. */
  readonly lossesMax: number;
  /** Milliseconds. */
  readonly windowMs: number;
  /** Length of the first quarantine; each one that follows is twice as long. Milliseconds. */
  readonly quarantineMsMin: number;
  readonly quarantineMsMax: number;
}

/** One bad minute is enough to see a version that always fails; a few accidents in an hour are not. November 2026. */
export const faultLimitsDefault: FaultLimits = {
  lossesMax: 5,
  windowMs: 60_000,
  quarantineMsMin: 30_000,
  quarantineMsMax: 15 * 60_000,
};

export interface Quarantine {
  readonly session: number;
  /** Threads lost since the last time that it was trusted. */
  readonly losses: number;
  readonly lengthMs: number;
}

interface Faults {
  /** When it lost a thread, within the window, ascending. */
  readonly atMs: number[];
  losses: number;
  lengthMs: number;
  /** In quarantine until then; 0 when it never was. */
  untilMs: number;
}

export class FaultRecord {
  readonly #limits: FaultLimits;
  readonly #faults = new Map<number, Faults>();

  constructor(limits: FaultLimits) {
    this.#limits = limits;
  }

  /** Whether no session has lost a thread that anybody remembers: the usual case, in which nothing has to be looked up. */
  get isEmpty(): boolean {
    return this.#faults.size === 0;
  }

  /** Event: the thread that ran this session was lost. What follows, if it is one time too many. */
  lost(session: number, nowMs: number): Quarantine | undefined {
    const { lossesMax, windowMs, quarantineMsMin, quarantineMsMax } = this.#limits;
    if (lossesMax === 0 || this.isQuarantined(session, nowMs)) return undefined;
    const faults = this.#current(session, nowMs);
    this.#faults.set(session, faults);
    faults.losses += 1;
    faults.atMs.push(nowMs);
    while ((faults.atMs[0] ?? nowMs) <= nowMs - windowMs) faults.atMs.shift();
    // One that comes back from a quarantine has no second credit.
    const isOnTrial = faults.untilMs > 0;
    if (!isOnTrial && faults.atMs.length < lossesMax) return undefined;
    faults.lengthMs = isOnTrial ? Math.min(2 * faults.lengthMs, quarantineMsMax) : quarantineMsMin;
    faults.untilMs = nowMs + faults.lengthMs;
    faults.atMs.length = 0;
    return { session, losses: faults.losses, lengthMs: faults.lengthMs };
  }

  isQuarantined(session: number, nowMs: number): boolean {
    const faults = this.#faults.get(session);
    return faults !== undefined && nowMs < faults.untilMs;
  }

  forget(session: number): void {
    this.#faults.delete(session);
  }

  /** What is remembered of it, or a fresh start when that is too long ago. */
  #current(session: number, nowMs: number): Faults {
    const fresh: Faults = { atMs: [], losses: 0, lengthMs: 0, untilMs: 0 };
    const faults = this.#faults.get(session);
    if (faults === undefined) return fresh;
    const lastMs = Math.max(faults.untilMs, faults.atMs.at(-1) ?? 0);
    return nowMs - lastMs >= this.#limits.windowMs ? fresh : faults;
  }
}
