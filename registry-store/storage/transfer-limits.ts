/**
 * How slow a server may be before a transfer is given up. There is no limit on the whole, because a large model over a
 * thin line may take an hour; but a server that sends nothing, or a byte now and then, must not hold a node for ever.
 */

export interface TransferLimits {
  /** Until the connection stands, milliseconds. */
  readonly connectMs: number;
  /** Without any byte, while waiting for the answer or in the middle of it, milliseconds. */
  readonly stallMs: number;
  /** Over each window of this length, milliseconds, ... */
  readonly rateWindowMs: number;
  /** ... a transfer that is not finished must have brought this many bytes. */
  readonly rateBytesMin: number;
}

/** 16 KiB in 30 s is 4 kbit/s: less than any line that could ever bring a model. Chosen, not measured. */
export const transferLimits: TransferLimits = {
  connectMs: 10_000,
  stallMs: 30_000,
  rateWindowMs: 30_000,
  rateBytesMin: 16 * 1024,
};

/** Watches one transfer and calls `giveUp` once, with the reason, when it is slower than the limits allow. */
export class TransferWatch {
  readonly #limits: TransferLimits;
  readonly #giveUp: (reason: string) => void;
  #stall: NodeJS.Timeout;
  #window: NodeJS.Timeout | undefined;
  #windowBytes = 0;

  constructor(limits: TransferLimits, giveUp: (reason: string) => void) {
    this.#limits = limits;
    this.#giveUp = giveUp;
    this.#stall = this.#after(limits.connectMs, `no connection within ${limits.connectMs} ms`);
  }

  /** The connection stands; from now on bytes must come. */
  connected(): void {
    clearTimeout(this.#stall);
    const { stallMs, rateWindowMs, rateBytesMin } = this.#limits;
    this.#stall = this.#after(stallMs, `nothing came for ${stallMs} ms`);
    if (this.#window !== undefined) return;
    this.#window = setInterval(() => {
      if (this.#windowBytes < rateBytesMin) {
        this.#end(`less than ${rateBytesMin} bytes came in ${rateWindowMs} ms`);
      }
      this.#windowBytes = 0;
    }, rateWindowMs);
  }

  moved(bytes: number): void {
    this.#windowBytes += bytes;
    this.#stall.refresh();
  }

  close(): void {
    clearTimeout(this.#stall);
    clearInterval(this.#window);
  }

  #after(ms: number, reason: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.#end(reason);
    }, ms);
  }

  #end(reason: string): void {
    this.close();
    this.#giveUp(reason);
  }
}
