/**
 * Which gateway to connect to next, how, and after what wait. It decides only; the stream client opens the sockets.
 *
 * A browser gives up on a server that does not choose one of the offered subprotocols, and cannot tell that from a
 * server that is not there. So after a failure the next attempt offers none, until a `hello` has shown that the
 * gateway knows `tidegate.v1`.
 */
import type { RetryPolicy } from '../retry-policy.ts';
import { TidegateError } from '../tidegate-error.ts';
import { subprotocol } from '../wire/stream-frame.ts';

export interface Dial {
  readonly url: string;
  readonly protocols: readonly string[];
}

interface Place {
  readonly url: string;
  offers: boolean;
  knowsHello: boolean;
}

const streamPath = '/v2/stream';

export class Dialer {
  readonly #places: readonly Place[];
  readonly #policy: RetryPolicy;
  #index: number;
  /** Since a socket was open last. */
  #failures = 0;
  /** Nothing to wait for before the very first attempt. */
  #fresh = true;

  /** Throws INVALID_ARGUMENT. */
  constructor(urls: readonly string[], policy: RetryPolicy, random: () => number) {
    if (urls.length === 0)
      throw new TidegateError('INVALID_ARGUMENT', 'url is empty; give http://host:port.');
    this.#places = urls.map((url) => ({ url: streamUrl(url), offers: true, knowsHello: false }));
    this.#policy = policy;
    // Many clients with one list should not all begin with its first entry.
    this.#index = Math.floor(random() * urls.length);
  }

  get current(): Dial {
    const { url, offers } = this.#place();
    return { url, protocols: offers ? [subprotocol] : [] };
  }

  /** Whether the last attempt was the last that the policy allows. */
  get exhausted(): boolean {
    return this.#failures >= this.#policy.attemptsMax;
  }

  /** Milliseconds to wait before the next attempt; random even after the first loss, since many lose at once. */
  delayMs(): number {
    return this.#fresh ? 0 : this.#policy.backoffMs(this.#failures);
  }

  opened(): void {
    this.#failures = 0;
  }

  greeted(): void {
    this.#place().knowsHello = true;
  }

  /** The socket never opened. */
  failed(): void {
    this.#fresh = false;
    this.#failures += 1;
    const place = this.#place();
    place.offers = place.knowsHello || !place.offers;
    this.#next();
  }

  /** The socket was open and ended, or its gateway asked to leave. */
  left(): void {
    this.#fresh = false;
    this.#place().offers = true;
    this.#next();
  }

  /** The caller has been told; whoever asks next starts from the beginning. */
  reset(): void {
    this.#failures = 0;
    this.#fresh = true;
  }

  #next(): void {
    this.#index = (this.#index + 1) % this.#places.length;
  }

  #place(): Place {
    const place = this.#places[this.#index];
    if (place === undefined) throw new RangeError('the dialer points at no gateway');
    return place;
  }
}

/** `http` and `https` become `ws` and `wss`; an address without the path of the stream gets it. */
function streamUrl(url: string): string {
  if (!/^(https?|wss?):\/\/[^/]/.test(url)) {
    throw new TidegateError('INVALID_ARGUMENT', `${url} is no address of a gateway; give http://host:port.`);
  }
  const base = url.replace(/^http/, 'ws').replace(/\/+$/, '');
  return base.endsWith(streamPath) ? base : base + streamPath;
}
