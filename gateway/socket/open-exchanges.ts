/**
 * How many HTTP exchanges are open: from the headers of a request until the last byte of its answer is taken, or the
 * client is gone. Shutdown waits for these, so that neither half a body nor half an answer is lost.
 */

export class OpenExchanges {
  #count = 0;
  #draining = false;
  #onEmpty: (() => void) | undefined;

  get count(): number {
    return this.#count;
  }

  /** True once the gateway shuts down: exchanges that begin from then on are new work, those before are held. */
  get draining(): boolean {
    return this.#draining;
  }

  opened(): void {
    this.#count += 1;
  }

  /** Exactly once for each `opened`. */
  ended(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#onEmpty?.();
  }

  drain(): void {
    this.#draining = true;
  }

  /** Resolves when none is open; new ones may begin at any time. */
  async settled(): Promise<void> {
    while (this.#count > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }
}
