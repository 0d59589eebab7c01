/**
 * Asks a running gateway for a prediction over its `/predict` form. The store knows nothing of serving; this is an HTTP
 * client like any other, here so that a pipeline can try what it has just deployed.
 */

/** Rows of numbers or texts as the model takes them, `[rows, columns, ...]`; or one such array for each input by name. */
export type PredictionRows = readonly unknown[] | Readonly<Record<string, readonly unknown[]>>;

export interface PredictOptions {
  /** Default: the version that is live on the gateway. */
  readonly version?: string;
  /**
   * Who asks, such as the id of a user: during a rollout the same key meets the same version. It goes into the query as
   * `routing_key`, where a gateway looks unless it was told to look elsewhere. Default: no key.
   */
  readonly routingKey?: string;
  /** Gives the request up; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Prediction {
  /** One entry for each row. */
  readonly prediction: readonly unknown[];
  /** One entry for each row, when the model gives them. */
  readonly probabilities?: readonly unknown[];
  /** The version that answered. */
  readonly modelVersion: string;
}

/**
 * A gateway that refused, or none that answered. `code` is the gateway's own (the table in docs/protocol.md), or
 * GATEWAY_NOT_NAMED, GATEWAY_UNREACHABLE, GATEWAY_TIMEOUT, GATEWAY_UNREADABLE.
 */
export class PredictionError extends Error {
  readonly code: string;
  /** HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;

  constructor(code: string, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'PredictionError';
    this.code = code;
    this.status = options.status;
  }
}

export interface GatewayAddress {
  /** `http://localhost:8080`; undefined when the caller named none. */
  readonly url: string | undefined;
  /** How long to wait for the whole answer. */
  readonly timeoutMs: number;
}

export async function predictOverHttp(
  gateway: GatewayAddress,
  request: { readonly model: string; readonly rows: PredictionRows } & PredictOptions,
): Promise<Prediction> {
  const url = addressOf(gateway, request);
  const timeout = AbortSignal.timeout(gateway.timeoutMs);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ features: request.rows }),
      signal,
      // A gateway never redirects; whoever does is not it.
      redirect: 'error',
    });
    return readAnswer(answer.status, await answer.text());
  } catch (error) {
    if (error instanceof PredictionError) throw error;
    if (request.signal?.aborted === true) throw error;
    if (timeout.aborted) {
      throw new PredictionError('GATEWAY_TIMEOUT', `${url} did not answer within ${gateway.timeoutMs} ms.`);
    }
    throw new PredictionError('GATEWAY_UNREACHABLE', `${url} cannot be reached: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}

function addressOf(
  gateway: GatewayAddress,
  { model, version, routingKey }: { readonly model: string } & PredictOptions,
): string {
  if (gateway.url === undefined) {
    throw new PredictionError(
      'GATEWAY_NOT_NAMED',
      'No gateway to ask: give gatewayUrl, such as http://localhost:8080, to the platform.',
    );
  }
  const path = ['predict', model, ...(version === undefined ? [] : [version])];
  const query = routingKey === undefined ? '' : `?routing_key=${encodeURIComponent(routingKey)}`;
  return `${gateway.url.replace(/\/+$/, '')}/${path.map(encodeURIComponent).join('/')}${query}`;
}

function readAnswer(status: number, text: string): Prediction {
  const body = parsed(text);
  if (status !== 200) {
    const { error, code } = body;
    throw new PredictionError(
      typeof code === 'string' ? code : 'GATEWAY_UNREADABLE',
      typeof error === 'string' ? error : `The gateway answered with status ${status} and no reason.`,
      { status },
    );
  }
  const { prediction, probabilities, model_version: modelVersion } = body;
  if (!Array.isArray(prediction) || typeof modelVersion !== 'string') {
    throw new PredictionError('GATEWAY_UNREADABLE', 'The answer is not one of a Tidegate gateway.', {
      status,
    });
  }
  return {
    prediction,
    ...(Array.isArray(probabilities) && { probabilities }),
    modelVersion,
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function reasonOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
