/**
 * The sockets in front of everything, and what they tell of it: health, metrics, rollouts, the repository of models.
 */
import type { WorkerPool } from '../runtime/pool/worker-pool.ts';
import { defaultKeySources, type GatewayOptions } from './gateway-options.ts';
import { rolloutReport } from './live/rollouts/rollout-states.ts';
import { type KeyPlan, planKeys } from './route/routing-key.ts';
import { TrustedProxies } from './socket/client-address.ts';
import { ReceivingBytes } from './socket/receiving-bytes.ts';
import { GatewayServer } from './socket/server.ts';
import type { LiveParts } from './start-live.ts';
import type { RequestLine } from './start-requests.ts';
import { addGatewayGauges } from './telemetry/gateway-gauges.ts';
import { MemoryReport } from './telemetry/memory-report.ts';
import type { MetricsPage } from './telemetry/metrics-page.ts';
import { scalingHealth } from './telemetry/scaling-report.ts';
import type { StoreReport } from './telemetry/store-report.ts';
import { engineFields } from './wire/oip-metadata.ts';

export interface ServerParts {
  readonly pool: WorkerPool;
  readonly metrics: MetricsPage;
  readonly requests: RequestLine;
  readonly live: LiveParts;
  readonly report: StoreReport;
  readonly keys: KeyPlan;
  readonly ready: () => boolean;
  readonly onFault: (fault: unknown) => void;
}

/** Made, and not listening yet. */
export function startServer(options: GatewayOptions, parts: ServerParts): GatewayServer {
  const { limits, store, identity, siblings } = options;
  const { pool, metrics, report, keys, ready, onFault } = parts;
  const { dispatcher, cache, sequences, cold, door } = parts.requests;
  const { live, replicas, modelMemory, shadows } = parts.live;
  const { engine } = pool;
  const threads = pool.lanes.length;
  const receiving = new ReceivingBytes(limits.receivingBytesMax, dispatcher.callers);
  const inMemory = new MemoryReport({
    models: modelMemory,
    versions: () => live.versions,
    pool,
    cache: cache?.store,
    sequences,
    cold,
    receiving,
  });
  inMemory.addTo(metrics);
  const health = (): object => ({
    ...engineFields(engine),
    ...report.health(),
    ...inMemory.health(),
    ...scalingHealth(replicas.scaling),
    ...shadows.health(),
  });
  const bindsCallers = limits.callerRowsMax > 0 || limits.callerBytesMax > 0;
  const server = new GatewayServer({
    identity,
    engine,
    limits,
    receiving,
    door,
    dispatcher,
    metrics,
    ready,
    health,
    rollouts: () =>
      rolloutReport({
        divided: live.rollouts(Date.now()),
        deployments: store.current.deployments,
        routes: live.routes,
      }),
    scaling: () => replicas.scaling,
    memoryOf: (generation) => modelMemory.bytesOf(generation),
    repository: {
      snapshot: () => store.current,
      problemOf: (model) => live.problems.get(model)?.reason,
      shortfalls: () => live.shortfalls,
    },
    control: options.control,
    host: options.host,
    corsOrigins: options.corsOrigins ?? [],
    websocketCompression: options.websocketCompression ?? false,
    keys,
    callers: bindsCallers ? [...(options.callerSources ?? []), { kind: 'address' }] : [],
    proxies: new TrustedProxies(options.trustedProxies),
    forceVersion: options.forceVersion ?? 'any',
    threads,
    sharesPort: siblings !== undefined,
    onFault,
  });
  addGatewayGauges(metrics, { pool, dispatcher, sequences, server, store, ready });
  return server;
}

/** How routing keys are read. Throws RangeError where the sources cannot be read in one go. */
export function keysOf({ keySources = defaultKeySources }: GatewayOptions): KeyPlan {
  const keys = planKeys(keySources);
  if (keys === undefined) throw new RangeError('key sources in the body must stand side by side');
  return keys;
}
