/**
 * What counts once. The hash that divides traffic divides callers, so the requests of one caller are not independent:
 * who is busy and always fails would condemn whichever version he meets. By default a caller counts once in each window
 * of a minute, in three windows at most, and no more once it is plain that the trouble is his own.
 *
 * Fixed memory, indexed by another hash than the one that divides. Two keys in one seat are one caller: a sample is lost,
 * which never makes evidence, since whose turn it is in a seat does not depend on the version.
 */
import type { SeatTable } from './kept.ts';

/**
 * `key-first`: the first event of each caller in the whole rollout; exact. `key-window`: the first in each window;
 * finds small differences with fewer callers, and is kept near its nominal error by the limits below. `request`: each
 * one; right only where callers do not come back.
 */
export type Unit = 'key-first' | 'key-window' | 'request';

export interface UnitOptions {
  readonly unit: Unit;
  readonly windowMs: number;
  /** Windows in which one caller counts. */
  readonly windowsPerKeyMax: number;
  /** A caller with a larger share of events among its own requests counts once only. */
  readonly chronicShare: number;
}

const seatBits = 16;
const seats = 2 ** seatBits;
const countMax = 255;

/** The seat of a key. `keyHash` is an unsigned 32-bit number. */
export function seatOf(keyHash: number): number {
  return Math.imul(keyHash ^ (keyHash >>> 15), 0x9e3779b1) >>> (32 - seatBits);
}

export class UnitLedger {
  readonly #options: UnitOptions;
  readonly #channels: number;
  readonly #windows = new Uint32Array(seats);
  readonly #windowsSampled = new Uint8Array(seats);
  readonly #requests = new Uint8Array(seats);
  /** One bit for each kind of event that the caller had in this window. */
  readonly #isCounted = new Uint8Array(seats);
  /** For each caller and kind: all events, and those that counted. */
  readonly #events: Uint8Array;
  readonly #counted: Uint8Array;

  /** `channels` is the number of kinds of events, 8 at most. */
  constructor(channels: number, options: UnitOptions) {
    this.#options = options;
    this.#channels = channels;
    this.#events = new Uint8Array(seats * channels);
    this.#counted = new Uint8Array(seats * channels);
  }

  /** Who counted when and how often, for what outlives a restart. */
  get tables(): readonly SeatTable[] {
    return [
      this.#windows,
      this.#windowsSampled,
      this.#requests,
      this.#isCounted,
      this.#events,
      this.#counted,
    ];
  }

  /**
   * Notes a request. True if it is the one by which its caller is judged in this window whatever happens to it: such
   * requests are a fair sample of both versions, which those that something happened to are not.
   */
  isSample(seat: number, nowMs: number): boolean {
    const { unit, windowMs, windowsPerKeyMax } = this.#options;
    if (unit === 'request') return true;
    this.#countRequest(seat);
    // Not from the first request: the windows of all nodes are the same.
    const window = unit === 'key-first' ? 1 : 1 + Math.floor(nowMs / windowMs);
    if (this.#windows[seat] === window) return false;
    this.#windows[seat] = window;
    this.#isCounted[seat] = 0;
    const sampled = this.#windowsSampled[seat] ?? 0;
    if (sampled >= windowsPerKeyMax) return false;
    this.#windowsSampled[seat] = sampled + 1;
    return true;
  }

  /** Notes that something of this kind happened to the request that was noted last; true if it counts. */
  isEvent(seat: number, channel: number): boolean {
    const { unit, windowsPerKeyMax, chronicShare } = this.#options;
    if (unit === 'request') return true;
    const place = seat * this.#channels + channel;
    const before = this.#events[place] ?? 0;
    if (before < countMax) this.#events[place] = before + 1;
    const mask = 1 << channel;
    const counted = this.#isCounted[seat] ?? 0;
    if ((counted & mask) !== 0) return false;
    this.#isCounted[seat] = counted | mask;
    const windows = this.#counted[place] ?? 0;
    if (windows >= windowsPerKeyMax) return false;
    // The first one always counts: the rule asks how the caller did before this request.
    if (before > chronicShare * ((this.#requests[seat] ?? 1) - 1)) return false;
    this.#counted[place] = windows + 1;
    return true;
  }

  /** When the count is full, it and the events are halved: what matters is their ratio. */
  #countRequest(seat: number): void {
    const requests = this.#requests[seat] ?? 0;
    if (requests < countMax) {
      this.#requests[seat] = requests + 1;
      return;
    }
    this.#requests[seat] = (requests >>> 1) + 1;
    const end = (seat + 1) * this.#channels;
    // Rounded up: one event is never forgotten.
    for (let place = seat * this.#channels; place < end; place += 1) {
      this.#events[place] = ((this.#events[place] ?? 0) + 1) >>> 1;
    }
  }
}
