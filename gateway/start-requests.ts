/**
 * What a request goes through, wired together: the door, what may keep a request before it is queued (the response cache, the
 * thread for large bodies, sequences, cold models), and the dispatcher behind all of it.
 */
import { performance } from 'node:perf_hooks';
import type { WorkerPool } from '../runtime/pool/worker-pool.ts';
import { BodyLane } from './dispatch/bodies/body-lane.ts';
import { LateAnswers } from './dispatch/bodies/late-answer.ts';
import { LateRequests } from './dispatch/bodies/late-request.ts';
import { ResponseCache } from './dispatch/cache/response-cache.ts';
import { ColdStarts, type ColdStartsOptions } from './dispatch/cold-starts.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import type { TakenLater } from './dispatch/incoming-request.ts';
import { RequestDoor } from './dispatch/request-door.ts';
import { Sequences } from './dispatch/sequences/sequences.ts';
import type { TrialWatch } from './dispatch/trial.ts';
import { defaultKeySources, type GatewayOptions } from './gateway-options.ts';
import { RouteTable } from './route/route-table.ts';
import type { MetricsPage } from './telemetry/metrics-page.ts';

/** What it stands on, and who knows of models that are not in memory. */
export interface RequestLineParts extends Pick<ColdStartsOptions, 'wake' | 'expectedMs'> {
  readonly pool: WorkerPool;
  readonly metrics: MetricsPage;
  readonly onFault: (fault: unknown) => void;
  /** By the id of the rollout. */
  readonly watches: ReadonlyMap<string, TrialWatch>;
}

export interface RequestLine {
  readonly dispatcher: Dispatcher;
  readonly cache: ResponseCache | undefined;
  readonly bodyLane: BodyLane;
  readonly sequences: Sequences;
  readonly cold: ColdStarts<TakenLater>;
  readonly door: RequestDoor;
}

/** Ready for requests, which meet no model until `door` is given routes. */
export function startRequests(options: GatewayOptions, parts: RequestLineParts): RequestLine {
  const { limits, log } = options;
  const { pool, metrics, watches, wake, expectedMs } = parts;
  const dispatcher = dispatcherOf(options, parts);
  const cache = responseCacheOf(options, dispatcher);
  cache?.store.addTo(metrics);
  const bodyLane = new BodyLane({
    threadFile: bodyThreadFile(options.workerFile),
    arena: pool.arena,
    onLost: (detail) => {
      log.error({ detail }, 'thread for large bodies lost, the next one starts another');
    },
  });
  const sequences = new Sequences({ dispatcher, limits, nowMs: () => performance.now() });
  const cold = new ColdStarts<TakenLater>({
    limits,
    callers: dispatcher.callers,
    wake,
    expectedMs,
    reportFault: (fault) => dispatcher.reportFault(fault),
  });
  const door = new RequestDoor(
    {
      dispatcher,
      cache,
      sequences,
      cold,
      late: new LateRequests({ dispatcher, lane: bodyLane, limits }),
      lateAnswers: new LateAnswers(bodyLane, limits),
      limits,
      unrouted: metrics.unrouted,
      missingKey: options.missingKey ?? 'random',
      keySources: options.keySources ?? defaultKeySources,
      watches,
    },
    new RouteTable(new Map(), new Map()),
  );
  return { dispatcher, cache, bodyLane, sequences, cold, door };
}

function dispatcherOf(
  { limits, log }: GatewayOptions,
  { pool, onFault }: Pick<RequestLineParts, 'pool' | 'onFault'>,
): Dispatcher {
  return new Dispatcher({
    pool,
    batchRowsMax: limits.batchRowsMax,
    queueRowsMax: limits.queueRowsMax,
    callerRowsMax: limits.callerRowsMax,
    callerBytesMax: limits.callerBytesMax,
    onFailure: ({ modelName, modelVersion }, { cause, detail }) => {
      log.warn({ model: modelName, version: modelVersion, cause, detail }, 'request failed');
    },
    ...(log.isLevelEnabled('debug') && {
      onBatch: ({ modelName, modelVersion }, batch) => {
        log.debug({ model: modelName, version: modelVersion, ...batch }, 'batch answered');
      },
    }),
    onFault,
  });
}

function responseCacheOf(
  { responseCache, limits }: GatewayOptions,
  dispatcher: Dispatcher,
): ResponseCache | undefined {
  if (responseCache === undefined) return undefined;
  const { bytesMax, models } = responseCache;
  return new ResponseCache({
    dispatcher,
    bytesMax,
    models: models && new Set(models),
    followersMax: limits.queueRowsMax,
  });
}

/** Beside the worker module, in the compiled tree. */
function bodyThreadFile(workerFile: URL | undefined): URL {
  return workerFile === undefined
    ? new URL('./dispatch/bodies/body-thread.js', import.meta.url)
    : new URL('../../gateway/dispatch/bodies/body-thread.js', workerFile);
}
