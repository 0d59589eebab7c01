/**
 * How many bytes of bodies are here that are still arriving: pieces that wait for the rest, and what compressed ones have
 * inflated to. A body that comes in one piece is read where it lies and is none of them. Bounded for all bodies together,
 * since many that never end would otherwise take all memory, each within its own limit; and for those of one caller together
 * with what he has waiting, where callers are bound.
 */
import type { CallerShare, CallerShares } from '../admission/caller-shares.ts';
import { callerLimits } from '../dispatch/failure-answers.ts';
import { fail, type WireError } from '../wire/error-code.ts';

/** One body, as far as it is here. */
export interface ArrivingBody extends CallerShare {
  /** They are not known before it is read. */
  readonly rows: 0;
  /** Kept by `ReceivingBytes`, 0 at first. */
  bytes: number;
}

const bodiesFull = fail(
  'QUEUE_FULL',
  'Too many bytes of bodies are arriving that are not whole yet. Send the request again later, or send smaller ones.',
);

export class ReceivingBytes {
  readonly #bytesMax: number;
  readonly #callers: CallerShares;
  #bytes = 0;

  /** `callers` count what each of them has here, arriving or not. */
  constructor(bytesMax: number, callers: CallerShares) {
    this.#bytesMax = bytesMax;
    this.#callers = callers;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes so many more bytes of a body; nothing of them when there is no room. The only body there is may always go on, and so
   * may the only one of a caller who has nothing else here. Codes: CALLER_LIMIT, QUEUE_FULL.
   */
  hold(body: ArrivingBody, more: number): WireError | undefined {
    const own = body.bytes;
    this.#callers.release(body);
    body.bytes = own + more;
    const lack = this.#callers.lackOf(body);
    const isFull = this.#bytes > own && this.#bytes + more > this.#bytesMax;
    if (lack !== undefined || isFull) body.bytes = own;
    else this.#bytes += more;
    this.#callers.take(body);
    if (lack !== undefined) return callerLimits[lack];
    return isFull ? bodiesFull : undefined;
  }

  /** The body is whole, or nobody wants it any more. */
  letGo(body: ArrivingBody): void {
    this.#callers.release(body);
    this.#bytes -= body.bytes;
    body.bytes = 0;
  }
}
