/** Means of what was seen between two ticks. Looks are taken at even distances, so they all count alike. */

export interface Look {
  readonly rows: number;
  readonly work: number;
  /** Replicas that run it. */
  readonly running: number;
  /** Threads that hold it, and those of them that run something, whatever it is. */
  readonly lanes: number;
  readonly lanesBusy: number;
}

export interface Seen {
  readonly rows: number;
  readonly work: number;
  readonly busy: number;
  readonly busyShare: number;
}

export class LoadMeter {
  #looks = 0;
  #rows = 0;
  #work = 0;
  #running = 0;
  #lanes = 0;
  #lanesBusy = 0;

  look({ rows, work, running, lanes, lanesBusy }: Look): void {
    this.#looks += 1;
    this.#rows += rows;
    this.#work += work;
    this.#running += running;
    this.#lanes += lanes;
    this.#lanesBusy += lanesBusy;
  }

  /** And begins anew. Without a look there was nothing to see. */
  take(): Seen {
    const looks = Math.max(1, this.#looks);
    const seen = {
      rows: this.#rows / looks,
      work: this.#work / looks,
      busy: this.#running / looks,
      busyShare: this.#lanes === 0 ? 0 : this.#lanesBusy / this.#lanes,
    };
    this.#looks = this.#rows = this.#work = this.#running = this.#lanes = this.#lanesBusy = 0;
    return seen;
  }
}
