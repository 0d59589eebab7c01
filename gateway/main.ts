/**
 * The one place where the gateway is wired together: store, pool, batcher, routes, sockets. Starting and stopping are
 * each one readable function; everything else is elsewhere.
 */
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ColdStarts } from './dispatch/cold-starts.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import type { TakenLater } from './dispatch/incoming-request.ts';
import { BodyLane } from './dispatch/bodies/body-lane.ts';
import { KeptCounts } from './live/rollouts/kept-counts.ts';
import { LateAnswers } from './dispatch/bodies/late-answer.ts';
import { LateRequests } from './dispatch/bodies/late-request.ts';
import { LiveModels } from './live/live-models.ts';
import { LiveReplicas } from './live/replicas/live-replicas.ts';
import { LiveShadows } from './live/shadows/live-shadows.ts';
import { ModelMemory } from './live/model-memory.ts';
import { NodeAgreement } from './live/rollouts/node-agreement.ts';
import { RequestDoor } from './dispatch/request-door.ts';
import { ResponseCache } from './dispatch/cache/response-cache.ts';
import { Sequences } from './dispatch/sequences/sequences.ts';
import { RouteTable } from './route/route-table.ts';
import { RolloutMemory } from './live/rollouts/rollout-memory.ts';
import { rolloutReport } from './live/rollouts/rollout-states.ts';
import type { RolloutWatch } from './live/rollouts/rollout-watch.ts';
import { defaultKeySources, type Gateway, type GatewayOptions } from './gateway-options.ts';
import { GatewayStop } from './gateway-stop.ts';
import { planKeys } from './route/routing-key.ts';
import { TrustedProxies } from './socket/client-address.ts';
import { GatewayServer } from './socket/server.ts';
import { startPool, workerFileOf } from './start-pool.ts';
import { MetricsPage } from './telemetry/metrics-page.ts';
import { addGatewayGauges } from './telemetry/gateway-gauges.ts';
import { MemoryReport } from './telemetry/memory-report.ts';
import { scalingHealth } from './telemetry/scaling-report.ts';
import { StoreReport } from './telemetry/store-report.ts';
import { engineFields } from './wire/oip-metadata.ts';

export type { Gateway, ResponseCacheOptions, Siblings } from './gateway-options.ts';
export type { RepositoryControl } from './socket/repository-routes.ts';
export type { RolloutArm, RolloutDecision, RolloutReport, RolloutState } from './telemetry/rollout-report.ts';

/** Whoever waited for the start is answered before the event loop gets a runtime of its own, milliseconds. */
const inlineDelayMs = 300;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { limits, log, store, identity } = options;
  const keySources = options.keySources ?? defaultKeySources;
  const keys = planKeys(keySources);
  if (keys === undefined) throw new RangeError('key sources in the body must stand side by side');
  const { siblings } = options;
  const metrics = new MetricsPage(siblings && (() => siblings.metrics()));
  const onFault = (fault: unknown): void => {
    log.error({ err: fault }, 'fault while a request was answered');
  };
  const pool = options.pool ?? startPool(options);
  const threads = pool.lanes.length;
  const { engine } = pool;
  const dispatcher = new Dispatcher({
    pool,
    batchRowsMax: limits.batchRowsMax,
    queueRowsMax: limits.queueRowsMax,
    callerRowsMax: limits.callerRowsMax,
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
  const cache = responseCacheOf(options, dispatcher);
  cache?.store.addTo(metrics);
  const bodyLane = new BodyLane({
    threadFile: bodyThreadFile(options.workerFile),
    arena: pool.arena,
    onLost: (detail) => {
      log.error({ detail }, 'thread for large bodies lost, the next one starts another');
    },
  });
  const late = new LateRequests({ dispatcher, lane: bodyLane, limits });
  const lateAnswers = new LateAnswers(bodyLane, limits);
  const watches = new Map<string, RolloutWatch>();
  const sequences = new Sequences({ dispatcher, limits, nowMs: () => performance.now() });
  const cold = new ColdStarts<TakenLater>({
    limits,
    callers: dispatcher.callers,
    wake: (generation) => live.wake(generation),
    expectedMs: (generation) => live.expectedMs(generation),
    reportFault: (fault) => dispatcher.reportFault(fault),
  });
  const door = new RequestDoor(
    {
      dispatcher,
      cache,
      sequences,
      cold,
      late,
      lateAnswers,
      limits,
      unrouted: metrics.unrouted,
      missingKey: options.missingKey ?? 'random',
      keySources,
      watches,
    },
    new RouteTable(new Map(), new Map()),
  );
  const shadows = new LiveShadows({
    workerFile: workerFileOf(options),
    engine,
    limits,
    log,
    // The request that is copied is among those that wait, until its turn ends.
    doCallersWait: () => dispatcher.queuedRows > limits.batchRowsMax,
    readArtifact: (version) => store.readArtifact(version),
  });
  shadows.addTo(metrics);
  const memory = new RolloutMemory({
    file: options.rolloutsFile,
    onTrouble: (trouble) => {
      log.error({ err: trouble }, 'memory of rollouts cannot be read or written');
    },
    onAdded: siblings?.rolledBack.bind(siblings),
  });
  const modelMemory = new ModelMemory({
    pool,
    limits,
    bytesMax: options.modelMemoryBytesMax,
    pinned: new Set(options.pinnedModels),
    isUsed: (generation) => sequences.isOpenOn(generation),
  });
  const counts = new KeptCounts({
    folder: options.rolloutsFile && join(dirname(options.rolloutsFile), 'rollout-counts'),
    onTrouble: (trouble) => {
      log.warn({ err: trouble }, 'counts of a rollout cannot be read or written, they are gathered anew');
    },
  });
  const replicas = new LiveReplicas({
    pool,
    metrics,
    log,
    loads: () => dispatcher.loads(),
    nowMs: () => performance.now(),
    scaling: options.scaling,
    affordable: (generation) => modelMemory.affordable(generation),
  });
  const agreement = new NodeAgreement(siblings);
  const live = new LiveModels({
    pool,
    metrics,
    log,
    limits,
    modelMemory,
    watches,
    shadows,
    memory,
    counts,
    agreement,
    warmRows: [limits.batchRowsMax],
    readArtifact: (version) => store.readArtifact(version),
    replicas,
    tune: (model, settings) => {
      dispatcher.tune(model, settings.batching);
      cache?.tune(model, settings.cache);
    },
    forget: (generation) => {
      dispatcher.forget(generation);
    },
    setRoutes: (routes) => {
      door.setRoutes(routes);
    },
  });
  pool.listen({
    onQuarantine: (quarantine) => {
      live.quarantined(quarantine);
    },
    onRelease: (session) => {
      live.released(session);
    },
    onIdle: (lane) => {
      dispatcher.laneIdle(lane);
    },
    onLost: (lane, { cause, detail }) => {
      log.error({ lane: lane.index, cause, detail }, 'worker thread lost, starting another');
    },
    onInlineLost: (detail) => {
      log.error({ detail }, 'inline lane lost, its models run on the threads from now on');
    },
  });
  let started = false;
  const ready = (): boolean => started && !stop.isBegun && live.complete && pool.alive;
  const report = new StoreReport({
    store,
    problems: () => new Map([...live.shortfalls, ...live.problems]),
    log,
  });
  report.addTo(metrics);
  const inMemory = new MemoryReport({
    models: modelMemory,
    versions: () => live.versions,
    pool,
    cache: cache?.store,
    sequences,
    cold,
  });
  inMemory.addTo(metrics);
  const health = (): object => ({
    ...engineFields(engine),
    ...report.health(),
    ...inMemory.health(),
    ...scalingHealth(replicas.scaling),
  });
  const server = new GatewayServer({
    identity,
    engine,
    limits,
    door,
    dispatcher,
    metrics,
    ready,
    health,
    rollouts: () =>
      rolloutReport({
        divided: live.rollouts(Date.now()),
        deployments: store.current.deployments,
        routes: door.routes.models,
      }),
    scaling: () => replicas.scaling,
    repository: {
      snapshot: () => store.current,
      problemOf: (model) => live.problems.get(model)?.reason,
    },
    control: options.control,
    host: options.host,
    corsOrigins: options.corsOrigins ?? [],
    websocketCompression: options.websocketCompression ?? false,
    keys,
    callers: limits.callerRowsMax === 0 ? [] : [...(options.callerSources ?? []), { kind: 'address' }],
    proxies: new TrustedProxies(options.trustedProxies),
    forceVersion: options.forceVersion ?? 'any',
    threads,
    sharesPort: siblings !== undefined,
    onFault,
  });
  addGatewayGauges(metrics, { pool, dispatcher, sequences, server, store, ready });

  const unsubscribe = store.subscribe((event) => {
    report.take(event);
    if (event.kind === 'snapshot') void live.apply(event.snapshot, event.changedModels);
  });
  const release = async (): Promise<void> => {
    unsubscribe();
    live.close();
    replicas.close();
    server.close();
    await Promise.all([counts.close(), pool.close(), shadows.close(), bodyLane.close(), store.close()]);
  };
  const stop = new GatewayStop({ server, dispatcher, door, limits, log, release });
  let port: number;
  // Where others answer on the port, this one joins them when it can answer too.
  if (siblings !== undefined) await live.apply(store.current);
  try {
    port = await server.listen(options.host, options.port);
  } catch (error) {
    await release();
    throw error;
  }
  const loaded = live.apply(store.current).then(() => {
    if (stop.isBegun) return;
    started = true;
    const { name, intraOpThreads } = engine;
    const { revision } = store.current;
    log.info({ port, threads, engine: name, intraOpThreads, revision }, 'gateway started');
    setTimeout(startInline, inlineDelayMs).unref();
  });

  const startInline = (): void => {
    if (stop.isBegun) return;
    pool.startInline().catch((error: unknown) => {
      log.error({ err: error }, 'models cannot be run on the event loop');
    });
  };
  return {
    port,
    loaded,
    failures: live.failures,
    memoryRefusalOf: (artifact) => live.memoryRefusalOf(artifact),
    close: () => stop.close(),
    retire: () => stop.retire(),
    ownMetrics: () => metrics.own(),
    goBack: (rolloutId, reason = 'another process of this node went back from it') => {
      watches.get(rolloutId)?.giveUp(reason);
      memory.add(rolloutId, reason);
    },
    countedByOthers: (rollouts) => {
      agreement.countedByOthers(rollouts);
    },
    lead: (isLeading) => {
      agreement.lead(isLeading);
    },
    follow: ({ model, rolloutId, state, flip, decisions }) => {
      for (const decision of decisions) memory.note(decision);
      if (state !== undefined) memory.setStep(rolloutId, state);
      if (flip !== undefined) memory.setFlip(rolloutId, flip);
      if ((state ?? flip) === undefined) return;
      void live.apply(store.current, new Set([model]));
    },
  };
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
