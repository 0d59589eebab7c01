/**
 * The headers of a WebSocket's handshake, kept for as long as the socket lives: a rollout that begins later may have rules
 * about any of them. Those that hold secrets are not kept, and no rule may name them.
 */
import type { HttpRequest } from 'uWebSockets.js';
import { cohortValueLengthMax, isSecretHeader } from '../../registry-store/manifest/cohorts.ts';
import type { HeaderValues } from '../route/caller.ts';

/** A socket with more headers is kept off every candidate that has rules about one of the others. */
const headersMax = 64;

export class HandshakeHeaders implements HeaderValues {
  readonly #values = new Map<string, string>();
  #isWhole = true;

  /** Only while the library's handler runs. */
  constructor(req: Pick<HttpRequest, 'forEach'>) {
    req.forEach((header, value) => {
      // Of several with one name the first counts, as for any request.
      if (isSecretHeader(header) || this.#values.has(header)) return;
      if (this.#values.size === headersMax) this.#isWhole = false;
      // Longer than every value of a rule: what is cut off decides nothing.
      else this.#values.set(header, value.slice(0, cohortValueLengthMax + 1));
    });
  }

  get(header: string): string | undefined {
    return this.#values.get(header) ?? (this.#isWhole ? '' : undefined);
  }
}
