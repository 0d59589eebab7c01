/**
 * How often an address may come without a valid token. It cannot stop guessing, which 256 random bits do; it keeps log
 * and audit from being flooded. So a valid token is let in all the same: a client that keeps sending an old one must
 * not lock out the others behind its address.
 */
import { addressKey } from '../socket/client-address.ts';

/** More addresses than this are not told apart from the oldest ones. */
const addressesMax = 4096;

interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

export class FailureLimit {
  readonly #max: number;
  readonly #windowMs: number;
  readonly #buckets = new Map<string, Bucket>();

  /** `max` at once, and again as many within each `windowMs`. */
  constructor({ max, windowMs }: { readonly max: number; readonly windowMs: number }) {
    this.#max = max;
    this.#windowMs = windowMs;
  }

  /** Counts a failure; false when there were too many. `nowMs` never goes back. */
  take(address: string, nowMs: number): boolean {
    const key = networkOf(address);
    const before = this.#buckets.get(key) ?? { left: this.#max, atMs: nowMs };
    const regained = ((nowMs - before.atMs) / this.#windowMs) * this.#max;
    const left = Math.min(this.#max, before.left + regained);
    const isAllowed = left >= 1;
    // Last used, last thrown out.
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: isAllowed ? left - 1 : left, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > addressesMax && oldest !== undefined) this.#buckets.delete(oldest);
    return isAllowed;
  }
}

/** One holder has a whole /64 of IPv6 addresses. */
function networkOf(address: string): string {
  const key = addressKey(address);
  return key.length === 32 ? key.slice(0, 16) : key;
}
