/**
 * Registers routes with the server library and remembers which methods a path knows, so that HEAD and OPTIONS work
 * everywhere, another method is told what would work (405 with Allow) and an unknown path gets 404, both in the body
 * format of every other error.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { fail } from '../wire/error-code.ts';
import { type AnswerServices, RouteAnswer } from './route-answer.ts';

export type Method = 'get' | 'post';

/** Takes the response object and everything that comes with it. */
export type RawHandler = (res: HttpResponse, req: HttpRequest) => void;

/** Answers through `answer`, now or later. */
export type Handler = (answer: RouteAnswer, req: HttpRequest) => void;

export interface RouteRegistryOptions extends AnswerServices {
  /** A route failed in a way it was not made for; the client is told INTERNAL. */
  readonly onFault: (fault: unknown) => void;
}

const internal = fail('INTERNAL', 'The gateway failed on this request. The log has the details.');

export class RouteRegistry {
  readonly #app: TemplatedApp;
  readonly #options: RouteRegistryOptions;
  readonly #methods = new Map<string, Set<Method>>();

  constructor(app: TemplatedApp, options: RouteRegistryOptions) {
    this.#app = app;
    this.#options = options;
  }

  /** Adds a route, with and without a trailing slash. A route for GET takes HEAD as well. */
  add(method: Method, path: string, handler: Handler): void {
    const raw: RawHandler = (res, req) => {
      this.#answer(res, req, handler);
    };
    this.addRaw(method, path, raw);
    if (method === 'get') for (const form of formsOf(path)) this.#app.head(form, raw);
  }

  /** The same for a route that speaks to the library itself. */
  addRaw(method: Method, path: string, handler: RawHandler): void {
    for (const form of formsOf(path)) {
      this.#app[method](form, handler);
      const methods = this.#methods.get(form) ?? new Set();
      this.#methods.set(form, methods.add(method));
    }
  }

  /** Answers everything that no route takes. Call once, last. */
  close(): void {
    for (const [path, methods] of this.#methods) {
      const allow = [...methods, ...(methods.has('get') ? ['head'] : []), 'options']
        .map((method) => method.toUpperCase())
        .join(', ');
      this.#app.any(path, (res, req) => {
        this.#answer(res, req, (answer) => {
          if (answer.method === 'OPTIONS') this.#answerOptions(answer, req, allow);
          else {
            const message = `${answer.method} is not possible on this path. Use ${allow}.`;
            answer.error(fail('METHOD_NOT_ALLOWED', message), { allow });
          }
        });
      });
    }
    this.#app.any('/*', (res, req) => {
      this.#answer(res, req, (answer) => {
        const path = req.getUrl().slice(0, 200);
        const message = `There is nothing at ${path}. Models are under /v2/models/{model} and /predict/{model}; /v2/docs shows everything.`;
        answer.error(fail('NOT_FOUND', message));
      });
    });
  }

  #answer(res: HttpResponse, req: HttpRequest, handler: Handler): void {
    const answer = new RouteAnswer(res, req, this.#options);
    try {
      handler(answer, req);
    } catch (fault) {
      this.#options.onFault(fault);
      answer.error(internal);
    }
  }

  /** Asked by a browser before a page may send something unusual, or by a person who wants to know. */
  #answerOptions(answer: RouteAnswer, req: HttpRequest, allow: string): void {
    const { crossOrigin } = this.#options;
    const isPreflight = req.getHeader('access-control-request-method') !== '';
    const isAllowed = crossOrigin.allows(req.getHeader('origin')) !== undefined;
    const requested = req.getHeader('access-control-request-headers');
    answer.noContent({
      allow,
      ...(isPreflight && isAllowed ? crossOrigin.preflightHeaders(allow, requested) : {}),
    });
  }
}

function formsOf(path: string): readonly string[] {
  return [path, `${path}/`];
}
