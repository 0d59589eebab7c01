/**
 * Which web pages may call this gateway from a browser (the CORS protocol of the Fetch standard, section 3.2). Nothing is
 * allowed by default. There are no cookies and no sessions here, so credentials are never allowed.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { LocalNames } from '../admission/local-names.ts';

/** Headers of answers that a page may read besides those it always may. */
const exposedHeaders =
  'inference-header-content-length, retry-after, allow, accept-encoding, x-model-version, x-rollout-id, x-variant, x-cache';

/** How long a browser may remember the answer to a preflight, seconds; browsers cap it at two hours. */
const preflightSeconds = '7200';

/** As bytes, because infer answers carry them too. */
const names = {
  allowOrigin: Buffer.from('access-control-allow-origin'),
  exposeHeaders: Buffer.from('access-control-expose-headers'),
  vary: Buffer.from('vary'),
  origin: Buffer.from('origin'),
};

export class CrossOrigin {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #names: LocalNames;

  /**
   * Origins as browsers send them, for example `https://app.example.com`, or `*` for every page there is; `host` is the
   * address that is listened on.
   */
  constructor(origins: readonly string[], host: string) {
    this.#any = origins.includes('*');
    this.#origins = new Set(origins);
    this.#names = new LocalNames(host);
  }

  /** Whether there is any reason to look at the Origin header. */
  get isConfigured(): boolean {
    return this.#origins.size > 0;
  }

  /** What to allow for the value of an Origin header; undefined when that page may not read the answer. */
  allows(origin: string): string | undefined {
    if (origin === '') return undefined;
    if (this.#any) return '*';
    return this.#origins.has(origin) ? origin : undefined;
  }

  /**
   * Whether a web page of another site sent this, one that is not on the list. A browser keeps answers over HTTP from such
   * a page, but the request is here by then; and what a WebSocket says it lets any page read.
   */
  isForeign(req: HttpRequest): boolean {
    const origin = req.getHeader('origin');
    if (origin === '' || this.allows(origin) !== undefined) return false;
    const host = req.getHeader('host');
    return origin.replace(/^https?:\/\//, '') !== host || !this.#names.include(host);
  }

  /** Headers of an answer, also of one that the page may not read: a cache must not give it to another page. */
  write(res: HttpResponse, allowed: string | undefined): void {
    if (!this.#any) res.writeHeader(names.vary, names.origin);
    if (allowed === undefined) return;
    res.writeHeader(names.allowOrigin, allowed);
    res.writeHeader(names.exposeHeaders, exposedHeaders);
  }

  /** Headers of the answer to a preflight request, besides those of `write`. */
  preflightHeaders(methods: string, requestedHeaders: string): Readonly<Record<string, string>> {
    const requested = requestedHeaders.slice(0, 1024);
    return {
      'access-control-allow-methods': methods,
      // None of our routes acts on a header that a page must not send.
      ...(/^[\w\-, ]+$/.test(requested) ? { 'access-control-allow-headers': requested } : {}),
      'access-control-max-age': preflightSeconds,
      vary: 'Access-Control-Request-Method, Access-Control-Request-Headers',
    };
  }
}
