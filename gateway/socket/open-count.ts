/** How many of something are open, for those who wait until none is: exchanges, connections. */
export class OpenCount {
  #count = 0;
  #onEmpty: (() => void) | undefined;

  get count(): number {
    return this.#count;
  }

  opened(): void {
    this.#count += 1;
  }

  /** Exactly once for each `opened`. */
  ended(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#onEmpty?.();
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
