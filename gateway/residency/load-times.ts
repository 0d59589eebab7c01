/**
 * How long loads take here: a moving mean for each file, and one over all for those that were never loaded. It decides whether
 * a request waits for a model or is told when to come again. One load at a time, so what is under way stands before all
 * others. Pure.
 */

/** Weight of the newest load: about the last five count. */
const newestPart = 0.3;

/** Before anything was loaded, milliseconds: a small model takes less, and who comes too early is told again. */
const loadMsGuess = 1000;

export class LoadTimes {
  /** By digest. */
  readonly #byFile = new Map<string, number>();
  #overallMs: number | undefined;
  #underWay: { readonly sha256: string; readonly begunMs: number } | undefined;

  /** A load of the file with this digest begins. */
  begin(sha256: string, nowMs: number): void {
    this.#underWay = { sha256, begunMs: nowMs };
  }

  /** It is over; how long it took counts for the next one when it loaded. */
  end(isLoaded: boolean, nowMs: number): void {
    const { sha256, begunMs } = this.#underWay ?? {};
    this.#underWay = undefined;
    if (isLoaded && sha256 !== undefined && begunMs !== undefined) this.#record(sha256, nowMs - begunMs);
  }

  /** Until what is loaded now should be there, milliseconds; 0 where nothing is, or where it takes longer than it should. */
  remainingMs(nowMs: number): number {
    if (this.#underWay === undefined) return 0;
    const { sha256, begunMs } = this.#underWay;
    return Math.max(0, begunMs + this.expectedMs(sha256) - nowMs);
  }

  expectedMs(sha256: string): number {
    return this.#byFile.get(sha256) ?? this.#overallMs ?? loadMsGuess;
  }

  #record(sha256: string, ms: number): void {
    this.#byFile.set(sha256, mixed(this.#byFile.get(sha256), ms));
    this.#overallMs = mixed(this.#overallMs, ms);
  }
}

function mixed(before: number | undefined, newest: number): number {
  return before === undefined ? newest : before + newestPart * (newest - before);
}
