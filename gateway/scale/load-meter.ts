/** Means of what was seen between two ticks. Looks are taken at even distances, so they all count alike. */

export interface Look {
  readonly rows: number;
  /** Over what one replica should have in hand: see `ReplicaPlan`. */
  readonly work: number;
  /** What those rows take of a replica's time in batches as planned, milliseconds. */
  readonly workMs: number;
  /** Threads that hold it, and those of them that run something, whatever it is. */
  readonly lanes: number;
  readonly lanesBusy: number;
}

export interface Seen {
  readonly rows: number;
  /** By how many they are more than the time before; fewer is negative. */
  readonly rowsGrown: number;
  readonly work: number;
  readonly busyShare: number;
  /** Threads that held it. */
  readonly ready: number;
  /** What a row takes of a replica's time in batches as planned, milliseconds; of the last rows that were seen. */
  readonly rowMs: number;
}

export class LoadMeter {
  #looks = 0;
  #rows = 0;
  #work = 0;
  #workMs = 0;
  #lanes = 0;
  #lanesBusy = 0;
  #rowMs = 0;
  #rowsBefore = 0;

  look({ rows, work, workMs, lanes, lanesBusy }: Look): void {
    this.#looks += 1;
    this.#rows += rows;
    this.#work += work;
    this.#workMs += workMs;
    this.#lanes += lanes;
    this.#lanesBusy += lanesBusy;
  }

  /** And begins anew. Without a look there was nothing to see. */
  take(): Seen {
    const looks = Math.max(1, this.#looks);
    // Rows of other shapes may cost something else, so those that were seen count.
    if (this.#rows > 0) this.#rowMs = this.#workMs / this.#rows;
    const rows = this.#rows / looks;
    const seen = {
      rows,
      rowsGrown: rows - this.#rowsBefore,
      work: this.#work / looks,
      busyShare: this.#lanes === 0 ? 0 : this.#lanesBusy / this.#lanes,
      ready: this.#lanes / looks,
      rowMs: this.#rowMs,
    };
    this.#rowsBefore = rows;
    this.#looks = this.#rows = this.#work = this.#workMs = this.#lanes = this.#lanesBusy = 0;
    return seen;
  }
}
