/**
 * The client over HTTP: one request for each call, repeated where that may help. It works with every server of the
 * Open Inference Protocol; `fetch` of the platform does the rest.
 */
import { CallGate } from './call-gate.ts';
import { CallScope } from './call-scope.ts';
import { type Clock, systemClock } from './clock.ts';
import { checkCall, type InferCall, type InferenceClient } from './infer-call.ts';
import type { InferResult } from './infer-result.ts';
import { type RetryOptions, RetryPolicy } from './retry-policy.ts';
import { asStepError } from './sequence-step.ts';
import {
  type ModelMetadata,
  readModelMetadata,
  readServerMetadata,
  type ServerMetadata,
} from './server-metadata.ts';
import { asTidegateError, TidegateError } from './tidegate-error.ts';
import {
  decodeHttpAnswer,
  encodeHttpRequest,
  type HttpAnswer,
  httpError,
  type HttpEncoding,
  type HttpMessage,
} from './wire/http-message.ts';
import { parseJsonObject } from './wire/json-message.ts';

export interface HttpClientOptions {
  /** Where the gateway is: `http://host:8000`, with a path before `/v2` if there is one. */
  readonly url: string;
  /** Milliseconds that a call may take unless it says otherwise; Infinity for no deadline. Default 30,000. */
  readonly deadlineMs?: number | undefined;
  readonly retry?: RetryOptions | undefined;
  /** How tensors travel. Default `binary`. */
  readonly encoding?: HttpEncoding | undefined;
  /** Sent with every request: a token, a tenant. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Calls that run at a time; further ones wait. Default 256. */
  readonly inflightMax?: number | undefined;
  /** Calls that may wait; beyond that they are refused with QUEUE_FULL. Default 4,096. */
  readonly waitingMax?: number | undefined;
  /** Default: `fetch` of the platform. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** For tests: numbers from 0 to below 1, and the time. */
  readonly random?: (() => number) | undefined;
  readonly clock?: Clock | undefined;
}

/** What the calls that run no model take. */
export interface AskOptions {
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ModelName {
  readonly model: string;
  readonly version?: string | undefined;
}

export class HttpClient implements InferenceClient {
  readonly #baseUrl: string;
  readonly #deadlineMs: number;
  readonly #retry: RetryPolicy;
  readonly #encoding: HttpEncoding;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #gate: CallGate;
  readonly #fetch: typeof globalThis.fetch;
  readonly #clock: Clock;
  /** Of the calls that are not settled. */
  readonly #scopes = new Set<CallScope>();
  #closed = false;

  /** Throws INVALID_ARGUMENT. */
  constructor(options: HttpClientOptions) {
    const { url, deadlineMs = 30_000, encoding = 'binary', inflightMax = 256, waitingMax = 4096 } = options;
    this.#baseUrl = checkedUrl(url);
    this.#deadlineMs = deadlineMs;
    this.#retry = new RetryPolicy(options.retry, options.random ?? Math.random);
    this.#encoding = encoding;
    this.#headers = { ...options.headers };
    this.#gate = new CallGate({ inflightMax, waitingMax });
    // Called as a plain function: browsers refuse a fetch that is the method of something else.
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#clock = options.clock ?? systemClock;
  }

  /** See {@link InferenceClient.infer}; over HTTP also HTTP_ERROR, when something answers that is no gateway. */
  async infer(call: InferCall): Promise<InferResult> {
    checkCall(call);
    return this.#run(call, async (scope) => {
      const { body, headers } = this.#encode(call, scope.remainingMs());
      const path = `${modelPath(call)}/infer`;
      try {
        const answer = await this.#exchange(path, { method: 'POST', body, headers }, scope);
        if (answer.status !== 200) throw httpError(answer, Date.now());
        return decodeHttpAnswer(answer);
      } catch (thrown) {
        throw thrown instanceof TidegateError ? asStepError(call, thrown) : thrown;
      }
    });
  }

  #encode(call: InferCall, remainingMs: number): HttpMessage {
    const fields = {
      model: call.model,
      version: call.version,
      inputs: Object.entries(call.inputs).map(([name, input]) => ({ name, ...input })),
      outputs: call.outputs ?? [],
      remainingMs,
      priority: call.priority,
      parameters: call.parameters ?? {},
    };
    try {
      return encodeHttpRequest(fields, this.#encoding);
    } catch (thrown) {
      throw asTidegateError(thrown, 'INVALID_ARGUMENT', 'The request could not be written');
    }
  }

  /** Whether the process answers, and whether every deployed model does. False for what cannot be reached. */
  async health(options: AskOptions = {}): Promise<{ readonly live: boolean; readonly ready: boolean }> {
    const [live, ready] = await Promise.all([
      this.#isOk('/v2/health/live', options),
      this.#isOk('/v2/health/ready', options),
    ]);
    return { live, ready };
  }

  /** Whether a version of the model, or that version, is loaded. */
  async isModelReady(name: ModelName, options: AskOptions = {}): Promise<boolean> {
    return this.#isOk(`${modelPath(name)}/ready`, options);
  }

  /** Name, version and protocol extensions of the server. Rejects as `infer` does. */
  async metadata(options: AskOptions = {}): Promise<ServerMetadata> {
    return readServerMetadata(await this.#getJson('/v2', options));
  }

  /** Inputs and outputs of a model; -1 in a shape is a dimension of any size. Rejects as `infer` does. */
  async modelMetadata(name: ModelName, options: AskOptions = {}): Promise<ModelMetadata> {
    return readModelMetadata(await this.#getJson(modelPath(name), options));
  }

  /** Ends all calls with CLIENT_CLOSED; there is no connection of its own to close. */
  close(): Promise<void> {
    this.#closed = true;
    for (const scope of this.#scopes) scope.end(closed());
    return Promise.resolve();
  }

  async #isOk(path: string, options: AskOptions): Promise<boolean> {
    try {
      return await this.#run(
        options,
        async (scope) => {
          const { status } = await this.#exchange(path, { method: 'GET', headers: {} }, scope);
          return status === 200;
        },
        1,
      );
    } catch (thrown) {
      if (thrown instanceof TidegateError && thrown.code === 'CONNECTION_LOST') return false;
      throw thrown;
    }
  }

  #getJson(path: string, options: AskOptions): Promise<Readonly<Record<string, unknown>>> {
    return this.#run(options, async (scope) => {
      const answer = await this.#exchange(path, { method: 'GET', headers: {} }, scope);
      if (answer.status !== 200) throw httpError(answer, Date.now());
      return parseJsonObject(new TextDecoder().decode(answer.body));
    });
  }

  /** One call with its place, its deadline and its attempts. */
  async #run<Value>(
    { deadlineMs = this.#deadlineMs, signal }: AskOptions,
    attempt: (scope: CallScope) => Promise<Value>,
    attemptsMax: number = this.#retry.attemptsMax,
  ): Promise<Value> {
    if (this.#closed) throw closed();
    const scope = new CallScope({ deadlineMs, signal, clock: this.#clock });
    this.#scopes.add(scope);
    try {
      const leave = await this.#gate.enter(scope);
      try {
        return await this.#repeat(scope, attempt, attemptsMax);
      } finally {
        leave();
      }
    } finally {
      this.#scopes.delete(scope);
      scope.dispose();
    }
  }

  async #repeat<Value>(
    scope: CallScope,
    attempt: (scope: CallScope) => Promise<Value>,
    attemptsMax: number,
  ): Promise<Value> {
    for (let made = 1; ; made++) {
      try {
        return await attempt(scope);
      } catch (thrown) {
        const error = asTidegateError(thrown, 'INVALID_RESPONSE', 'The answer could not be read');
        const delayMs = made < attemptsMax ? this.#retry.delayMs(error, made) : undefined;
        // Waiting past the deadline would only hide why the call fails.
        if (delayMs === undefined || delayMs >= scope.remainingMs()) throw error;
        await scope.sleep(delayMs);
      }
    }
  }

  /** One request and its whole answer. Rejects with CONNECTION_LOST or with why the call ended. */
  async #exchange(path: string, init: FetchInit, scope: CallScope): Promise<HttpAnswer> {
    const endedBefore = scope.whyEnded();
    if (endedBefore !== undefined) throw endedBefore;
    const abort = new AbortController();
    const forget = scope.onEnd(() => {
      abort.abort();
    });
    try {
      const headers = { ...this.#headers, ...init.headers };
      const response = await this.#fetch(this.#baseUrl + path, { ...init, headers, signal: abort.signal });
      const body = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, headers: response.headers, body };
    } catch (cause) {
      const ended = scope.whyEnded();
      if (ended !== undefined) throw ended;
      throw new TidegateError('CONNECTION_LOST', `No answer came from ${this.#baseUrl}: ${reasonOf(cause)}`, {
        cause,
      });
    } finally {
      forget();
    }
  }
}

interface FetchInit {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** Throws INVALID_ARGUMENT for a name that cannot stand in a path. */
function modelPath({ model, version }: ModelName): string {
  const versions = version === undefined ? '' : `/versions/${pathSegment(version)}`;
  return `/v2/models/${pathSegment(model)}${versions}`;
}

function pathSegment(name: string): string {
  // Addresses have these two resolved, however they are written, and then lead to something else.
  if (name === '.' || name === '..' || !name.isWellFormed()) {
    throw new TidegateError('INVALID_ARGUMENT', `${JSON.stringify(name)} is no name of a model or version.`);
  }
  return encodeURIComponent(name);
}

function checkedUrl(url: string): string {
  if (/^https?:\/\/[^/]/.test(url)) return url.replace(/\/+$/, '');
  throw new TidegateError('INVALID_ARGUMENT', `${url} is no address of a gateway; give http://host:port.`);
}

function closed(): TidegateError {
  return new TidegateError('CLIENT_CLOSED', 'The client is closed.');
}

/** Node says only "fetch failed" and puts the reason into `cause`. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.cause instanceof Error && thrown.cause.message !== '' ? thrown.cause.message : thrown.message;
}
