/**
 * Which web pages may call this gateway from a browser (the CORS protocol of the Fetch standard, section 3.2). Nothing is
 * allowed by default. There are no cookies and no sessions here, so credentials are never allowed.
 */
import type { HttpResponse } from 'uWebSockets.js';

/** Headers of answers that a page may read besides those it always may. */
const exposedHeaders =
  'inference-header-content-length, retry-after, allow, accept-encoding, x-model-version, x-rollout-id, x-variant';

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

  /** Origins as browsers send them, for example `https://app.example.com`, or `*` for every page there is. */
  constructor(origins: readonly string[]) {
    this.#any = origins.includes('*');
    this.#origins = new Set(origins);
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
