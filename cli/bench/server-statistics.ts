/**
 * Where the time of a request went, as the server says: the statistics of a model (`/v2/models/{m}/stats`) before and
 * after, and their difference. The server counts in sums, so what is told is means. Pure.
 */

/** Sums since the server started. */
export interface ServerCounts {
  readonly requests: number;
  readonly requestNs: number;
  readonly queueNs: number;
  readonly inputNs: number;
  readonly inferNs: number;
  readonly outputNs: number;
  /** Runs of the model: several requests may share one. */
  readonly executions: number;
  readonly rows: number;
}

/** Means of a request between two readings. Microseconds. */
export interface ServerSplit {
  /** Requests that the server answered well meanwhile, from whomever they came. */
  readonly requests: number;
  readonly requestUs: number;
  /** Until its run began. */
  readonly queueUs: number;
  /** The run itself, shared with the others of its batch, and handing tensors in and out. */
  readonly computeUs: number;
  /** What of the latency that the client saw lies in neither: network, protocol, event loops on both sides. */
  readonly overheadUs: number;
  readonly rowsPerRun: number;
}

/** Of the version, or of all versions together. Undefined where the server has no statistics that can be read. */
export function readCounts(answer: unknown, version: string | undefined): ServerCounts | undefined {
  const list = fieldOf(answer, 'model_stats');
  if (!Array.isArray(list)) return undefined;
  const wanted = list.filter((one) => version === undefined || fieldOf(one, 'version') === version);
  const counts = wanted.map(countsOf);
  if (counts.length === 0) return undefined;
  return counts.reduce((left, right) => combine(left, right, (a, b) => a + b));
}

/** Undefined when nothing was answered meanwhile. `clientMeanUs`: mean latency that the client saw. */
export function splitBetween(
  before: ServerCounts | undefined,
  after: ServerCounts | undefined,
  clientMeanUs: number,
): ServerSplit | undefined {
  if (before === undefined || after === undefined) return undefined;
  const { requests, requestNs, queueNs, inputNs, inferNs, outputNs, executions, rows } = combine(
    after,
    before,
    (a, b) => a - b,
  );
  // A server that was started anew counts from 0.
  if (requests <= 0) return undefined;
  const meanUs = (ns: number): number => ns / requests / 1000;
  const [queueUs, computeUs] = [meanUs(queueNs), meanUs(inputNs + inferNs + outputNs)];
  return {
    requests,
    requestUs: meanUs(requestNs),
    queueUs,
    computeUs,
    overheadUs: Math.max(0, clientMeanUs - queueUs - computeUs),
    rowsPerRun: executions <= 0 ? 0 : rows / executions,
  };
}

function countsOf(model: unknown): ServerCounts {
  const stats = fieldOf(model, 'inference_stats');
  const ns = (name: string): number => numberOf(fieldOf(fieldOf(stats, name), 'ns'));
  return {
    requests: numberOf(fieldOf(fieldOf(stats, 'success'), 'count')),
    requestNs: ns('success'),
    queueNs: ns('queue'),
    inputNs: ns('compute_input'),
    inferNs: ns('compute_infer'),
    outputNs: ns('compute_output'),
    executions: numberOf(fieldOf(model, 'execution_count')),
    rows: numberOf(fieldOf(model, 'inference_count')),
  };
}

function combine(
  left: ServerCounts,
  right: ServerCounts,
  of: (left: number, right: number) => number,
): ServerCounts {
  return {
    requests: of(left.requests, right.requests),
    requestNs: of(left.requestNs, right.requestNs),
    queueNs: of(left.queueNs, right.queueNs),
    inputNs: of(left.inputNs, right.inputNs),
    inferNs: of(left.inferNs, right.inferNs),
    outputNs: of(left.outputNs, right.outputNs),
    executions: of(left.executions, right.executions),
    rows: of(left.rows, right.rows),
  };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
