/**
 * The one place where the gateway is wired together and started: threads (start-pool.ts), what a request goes through
 * (start-requests.ts), what the store says made to run (start-live.ts), and in front of them the sockets (start-server.ts).
 * How it stops is in gateway-stop.ts.
 */
import type { Gateway, GatewayOptions } from './gateway-options.ts';
import { GatewayStop } from './gateway-stop.ts';
import type { RolloutWatch } from './live/rollouts/rollout-watch.ts';
import { type LiveParts, startLive } from './start-live.ts';
import { startPool } from './start-pool.ts';
import { startRequests } from './start-requests.ts';
import { keysOf, startServer } from './start-server.ts';
import { MetricsPage } from './telemetry/metrics-page.ts';
import { StoreReport } from './telemetry/store-report.ts';

export type { Gateway, ResponseCacheOptions, Siblings } from './gateway-options.ts';
export type { RepositoryControl } from './socket/repository-routes.ts';
export type { RolloutArm, RolloutDecision, RolloutReport, RolloutState } from './telemetry/rollout-report.ts';

/** Whoever waited for the start is answered before the event loop gets a runtime of its own, milliseconds. */
const inlineDelayMs = 300;

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { limits, log, store, siblings } = options;
  const keys = keysOf(options);
  const metrics = new MetricsPage(siblings && (() => siblings.metrics()));
  const onFault = (fault: unknown): void => {
    log.error({ err: fault }, 'fault while a request was answered');
  };
  const pool = options.pool ?? startPool(options);
  const watches = new Map<string, RolloutWatch>();
  const requests = startRequests(options, {
    pool,
    metrics,
    watches,
    onFault,
    wake: (generation) => live.wake(generation),
    expectedMs: (generation) => live.expectedMs(generation),
  });
  const { dispatcher, bodyLane, door } = requests;
  const parts = startLive(options, { pool, metrics, requests, watches });
  const { live, shadows, replicas, counts } = parts;
  let started = false;
  const ready = (): boolean => started && !stop.isBegun && live.complete && pool.alive;
  const report = new StoreReport({
    store,
    problems: () => new Map([...live.shortfalls, ...live.problems]),
    log,
  });
  report.addTo(metrics);
  const server = startServer(options, { pool, metrics, requests, live: parts, report, keys, ready, onFault });

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
    const { name, intraOpThreads } = pool.engine;
    const { revision } = store.current;
    log.info({ port, threads: pool.lanes.length, engine: name, intraOpThreads, revision }, 'gateway started');
    const unknown = parts.modelMemory.pinned.filter((model) => !store.current.models.has(model));
    if (unknown.length > 0) log.warn({ models: unknown }, 'pinned models that the store does not have');
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
    ...agreementOf(options, parts, watches),
  };
}

/** What the other processes of this node tell it. */
function agreementOf(
  { store }: GatewayOptions,
  { live, memory, agreement }: LiveParts,
  watches: ReadonlyMap<string, RolloutWatch>,
): Pick<Gateway, 'goBack' | 'countedByOthers' | 'lead' | 'follow'> {
  return {
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
