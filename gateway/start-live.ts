/**
 * What the store says made to run, wired together: versions in memory, their threads, rollouts and shadows, and what of
 * them is kept on disk.
 */
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { workBehind } from '../runtime/pool/behind-others.ts';
import type { WorkerPool } from '../runtime/pool/worker-pool.ts';
import type { GatewayOptions } from './gateway-options.ts';
import type { GenerationLoaderOptions } from './live/generation-loader.ts';
import { LiveModels } from './live/live-models.ts';
import { ModelMemory } from './live/model-memory.ts';
import { LiveReplicas } from './live/replicas/live-replicas.ts';
import { KeptCounts } from './live/rollouts/kept-counts.ts';
import { NodeAgreement } from './live/rollouts/node-agreement.ts';
import { RolloutMemory } from './live/rollouts/rollout-memory.ts';
import type { RolloutWatch } from './live/rollouts/rollout-watch.ts';
import { LiveShadows } from './live/shadows/live-shadows.ts';
import { workerFileOf } from './start-pool.ts';
import type { RequestLine } from './start-requests.ts';
import type { MetricsPage } from './telemetry/metrics-page.ts';

export interface LivePartsNeeded {
  readonly pool: WorkerPool;
  readonly metrics: MetricsPage;
  readonly requests: RequestLine;
  /** Filled here, by the id of the rollout. */
  readonly watches: Map<string, RolloutWatch>;
}

export interface LiveParts {
  readonly live: LiveModels;
  readonly shadows: LiveShadows;
  readonly replicas: LiveReplicas;
  readonly modelMemory: ModelMemory;
  readonly memory: RolloutMemory;
  readonly counts: KeptCounts;
  readonly agreement: NodeAgreement;
}

/** Serves nothing until the first snapshot of the store is applied. */
export function startLive(
  options: GatewayOptions,
  { pool, metrics, requests, watches }: LivePartsNeeded,
): LiveParts {
  const { limits, log, store, siblings } = options;
  const { dispatcher, cache, door, sequences } = requests;
  const readArtifact: GenerationLoaderOptions['readArtifact'] = (version, isAwaited) =>
    workBehind(() => store.readArtifact(version), {
      thread: store.osThread,
      msMax: isAwaited ? 0 : limits.loadBehindMsMax,
    });
  const shadows = new LiveShadows({
    workerFile: workerFileOf(options),
    engine: pool.engine,
    limits,
    log,
    // The request that is copied is among those that wait, until its turn ends.
    doCallersWait: () => dispatcher.queuedRows > limits.batchRowsMax,
    readArtifact,
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
    makeWay: (bytes) => modelMemory.makeWay(bytes),
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
    readArtifact,
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
  return { live, shadows, replicas, modelMemory, memory, counts, agreement };
}
