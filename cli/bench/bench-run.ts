/** A whole run: asks the server about the model, tries one request, then measures point after point or searches a rate. */
import { readFile } from 'node:fs/promises';
import type { InferCall } from '../../client/infer-call.ts';
import { HttpClient } from '../../client/http-client.ts';
import { TidegateError } from '../../client/tidegate-error.ts';
import { CommandError } from '../command-error.ts';
import { askGateway } from '../gateway-answer.ts';
import { encodingOf } from './load/prepared-requests.ts';
import { urlOf } from './load/target.ts';
import { generatorProblem } from './load/window-result.ts';
import { measurePoint, type SessionOptions } from './load-session.ts';
import { type LoadPoint, type MeasuredPoint, problemsOf } from './measured-point.ts';
import { type CallOptions, type Calls, callsOfFile, randomCalls } from './model-calls.ts';
import type { CheckedOptions, GivenOptions } from './options.ts';
import { RateSearch } from './plan/rate-search.ts';
import { type BenchRun, type LimitAnswer, shortNumber } from './report/bench-report.ts';
import { readCounts, type ServerCounts } from './server-statistics.ts';

export interface BenchRunOptions {
  readonly given: GivenOptions;
  readonly checked: CheckedOptions;
  readonly signal: AbortSignal;
  /** Tells a person what is going on, with how many points are done. */
  readonly progress: (step: string, done: number, total: number | undefined) => void;
  readonly tidegateVersion: string;
}

/** Rejects when the server cannot be reached, has no such model, or does not answer the first request well. */
export async function runBench(options: BenchRunOptions): Promise<BenchRun> {
  const { given, checked, signal } = options;
  const { target, plan, arrivals } = checked;
  const startedAt = new Date().toISOString();
  const url = urlOf(target);
  const calls = await callsFor(options);
  signal.throwIfAborted();
  const points: MeasuredPoint[] = [];
  const session: SessionOptions = {
    target,
    protocol: given.protocol,
    calls,
    connections: checked.connections,
    arrivals,
    seed: given.seed,
    warmUpSeconds: given.warmup,
    seconds: given.duration,
    stabilityShare: given.stability,
    percentile: given.percentile / 100,
    signal,
    counts: () => serverCounts(url, given),
    progress: (point, step) => {
      const load =
        point.kind === 'closed' ? `${point.value} under way` : `${shortNumber(point.value)} requests/s`;
      options.progress(
        `${load}, ${step}`,
        points.length,
        plan.kind === 'points' ? plan.points.length : undefined,
      );
    },
  };
  const measure = async (point: LoadPoint): Promise<MeasuredPoint | undefined> => {
    const isStopped = (): boolean => signal.aborted;
    const measured = isStopped() ? undefined : await measurePoint(session, point);
    if (measured !== undefined) points.push(measured);
    // A window that was cut short is shown, and nothing is concluded from it.
    return isStopped() ? undefined : measured;
  };
  const limit = plan.kind === 'search' ? await search(plan, { given, measure }) : undefined;
  if (plan.kind === 'points') for (const point of plan.points) await measure(point);
  const { model, version = null, protocol, duration, warmup, seed } = given;
  return {
    settings: {
      started_at: startedAt,
      tidegate: options.tidegateVersion,
      node: process.version,
      url,
      model,
      version,
      protocol,
      rows: given.input === undefined ? checked.rows : null,
      input: given.input ?? null,
      arrivals: plan.kind === 'search' || plan.points[0]?.kind === 'open' ? arrivals : null,
      connections: checked.connections,
      window_seconds: duration,
      warm_up_seconds: warmup,
      seed,
    },
    points,
    limit: limit ?? limitOfPoints(given, points),
    isInterrupted: signal.aborted,
  };
}

/** Also proves that the model answers: a load of errors is not worth a minute. */
async function callsFor({ given, checked }: BenchRunOptions): Promise<readonly InferCall[]> {
  const { model, version, protocol, header } = given;
  const client = new HttpClient({
    url: urlOf(checked.target),
    encoding: encodingOf(protocol),
    headers: header,
    retry: { attemptsMax: 1 },
  });
  try {
    const { calls, problem } = await makeCalls(client, { given, checked });
    const [first] = calls;
    if (first === undefined) throw new CommandError('BENCH_INPUT', problem);
    await client.infer({ ...first, deadlineMs: undefined });
    return calls;
  } catch (error) {
    if (!(error instanceof TidegateError)) throw error;
    if (error.code === 'CONNECTION_LOST') {
      const message = `Nothing answers at ${urlOf(checked.target)}. Is the gateway running, and is this its address?`;
      throw new CommandError('NODE_UNREACHABLE', message, { cause: error });
    }
    const name = version === undefined ? model : `${model} ${version}`;
    throw new CommandError('BENCH_REFUSED', `${name}: ${error.code}: ${error.message}`, { cause: error });
  } finally {
    await client.close();
  }
}

async function makeCalls(
  client: HttpClient,
  { given, checked }: Pick<BenchRunOptions, 'given' | 'checked'>,
): Promise<{ readonly calls: readonly InferCall[]; readonly problem: string }> {
  const { model, version, deadline, input, seed } = given;
  const call: CallOptions = {
    model,
    version,
    deadlineMs: deadline === undefined ? undefined : deadline * 1000,
  };
  const metadata = await client.modelMetadata({ model, version });
  const made: Calls =
    input === undefined
      ? randomCalls(metadata, { ...call, rows: checked.rows, seed })
      : callsOfFile(await readRequests(input), call);
  return made.ok ? { calls: made.calls, problem: '' } : { calls: [], problem: made.problem };
}

async function readRequests(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError('BENCH_INPUT', `${file} cannot be read as JSON: ${reason}`);
  }
}

/** Undefined from servers that have no statistics, and while they do not answer. */
async function serverCounts(
  address: string,
  { model, version }: GivenOptions,
): Promise<ServerCounts | undefined> {
  const of = version === undefined ? '' : `/versions/${encodeURIComponent(version)}`;
  const path = `v2/models/${encodeURIComponent(model)}${of}/stats`;
  try {
    return readCounts(await askGateway({ address, path }), version);
  } catch {
    return undefined;
  }
}

/** Neither refused nor failed, and fast enough: what a limit asks of a rate. */
function holds(measured: MeasuredPoint, limitSeconds: number, percentile: number): boolean {
  const { result } = measured;
  const isFast = result.latency.percentileUs(percentile / 100) <= limitSeconds * 1e6;
  return isFast && result.refused === 0 && problemsOf(measured).length === 0;
}

interface SearchWork {
  readonly given: GivenOptions;
  readonly measure: (point: LoadPoint) => Promise<MeasuredPoint | undefined>;
}

/** Windows that are repeated because the generator was late, for one answer about a rate. */
const lateWindowsMax = 2;

function isLate(measured: MeasuredPoint | undefined): boolean {
  return measured !== undefined && generatorProblem(measured.result) !== undefined;
}

async function search(
  range: { readonly from: number; readonly to: number },
  { given, measure }: SearchWork,
): Promise<LimitAnswer> {
  const { latencyLimit = 0, percentile } = given;
  const state = new RateSearch(range);
  /** Lowest rate at which the generator could not keep its times. */
  let lateAt = Infinity;
  for (let rate = state.next; rate !== undefined; rate = state.next) {
    let measured = await measure({ kind: 'open', value: rate });
    // A late generator says nothing of the server: the window is repeated before it counts against the rate.
    for (let again = 0; again < lateWindowsMax && isLate(measured); again++) {
      measured = await measure({ kind: 'open', value: rate });
    }
    if (measured === undefined) break;
    if (isLate(measured)) lateAt = Math.min(lateAt, rate);
    state.told(holds(measured, latencyLimit, percentile));
  }
  const what = `p${percentile} at most ${latencyLimit * 1000} ms`;
  const { result } = state;
  const common = { limitMs: latencyLimit * 1000, percentile };
  const late =
    lateAt === Infinity
      ? ''
      : ` At ${shortNumber(lateAt)} requests/s the load generator itself was too late.`;
  switch (result?.kind) {
    case 'found': {
      const more = result.isBounded ? ', the end of the range: more was not tried' : '';
      const words = `${what} holds up to ${shortNumber(result.rate)} requests/s${more}.${late}`;
      return { ...common, rate: result.rate, isHeld: true, words };
    }
    case 'none':
      return {
        ...common,
        rate: undefined,
        isHeld: false,
        words: `${what} does not hold, not even at ${range.from} requests/s.${late}`,
      };
    case 'unstable':
      return {
        ...common,
        rate: undefined,
        isHeld: false,
        words: `${what}: no rate held it twice; the machine or the server is not steady.${late}`,
      };
    case undefined:
      return { ...common, rate: undefined, isHeld: false, words: `${what}: the search was not finished.` };
  }
}

/** Every rate that was named must hold. */
function limitOfPoints(
  { latencyLimit, percentile }: GivenOptions,
  points: readonly MeasuredPoint[],
): LimitAnswer | undefined {
  if (latencyLimit === undefined) return undefined;
  const held = points.filter((measured) => holds(measured, latencyLimit, percentile));
  const missed = points
    .filter((measured) => !held.includes(measured))
    .map(({ point }) => shortNumber(point.value));
  const what = `p${percentile} at most ${latencyLimit * 1000} ms`;
  return {
    limitMs: latencyLimit * 1000,
    percentile,
    rate: held.length === 0 ? undefined : Math.max(...held.map(({ point }) => point.value)),
    isHeld: missed.length === 0,
    words:
      missed.length === 0 ? `${what} holds.` : `${what} does not hold at ${missed.join(', ')} requests/s.`,
  };
}
