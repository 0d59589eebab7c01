/**
 * How long loads take here: a moving mean for each file, and one over all for those that were never loaded. It decides whether
 * a request waits for a model or is told when to come again. Pure.
 */

/** Weight of the newest load: about the last five count. */
const newestPart = 0.3;

/** Before anything was loaded, milliseconds: a small model takes less, and who comes too early is told again. */
const loadMsGuess = 1000;

export class LoadTimes {
  /** By digest. */
  readonly #byFile = new Map<string, number>();
  #overallMs: number | undefined;

  /** A load of the file with this digest took so long. */
  record(sha256: string, ms: number): void {
    this.#byFile.set(sha256, mixed(this.#byFile.get(sha256), ms));
    this.#overallMs = mixed(this.#overallMs, ms);
  }

  expectedMs(sha256: string): number {
    return this.#byFile.get(sha256) ?? this.#overallMs ?? loadMsGuess;
  }
}

function mixed(before: number | undefined, newest: number): number {
  return before === undefined ? newest : before + newestPart * (newest - before);
}
