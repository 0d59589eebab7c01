/** Serves a store in this process, alone or as one of several: opens it, starts the gateway over it, stops on signals. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Limits } from '../../gateway/admission/limits.ts';
import type { Gateway, RepositoryControl, ResponseCacheOptions } from '../../gateway/main.ts';
import type { StoreSnapshot, VerifiedStore } from '../../registry-store/main.ts';
import { parseSizeBytes } from '../../registry-store/platform/quantity.ts';
import { openStore } from '../../registry-store/storage/open-store.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { memoryOf } from '../options/memory-options.ts';
import type { routingOf } from '../options/routing-options.ts';
import type { ServeOptions } from '../options/serve-options.ts';
import type { Output } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import type { ProcessShare } from '../processes/process-share.ts';
import { processStateFolder, takeOverNewestState } from '../processes/process-state.ts';
import { progressFor } from '../terminal/progress.ts';
import { devRepository } from './dev-repository.ts';
import { withControl } from './serve-control.ts';
import { welcome } from './welcome.ts';

export interface Serving {
  readonly options: ServeOptions;
  readonly output: Output;
  /** For one of several processes. */
  readonly share: ProcessShare | undefined;
  readonly limits: Limits;
  readonly routing: ReturnType<typeof routingOf>;
  readonly responseCache: ResponseCacheOptions | undefined;
  readonly memory: ReturnType<typeof memoryOf>;
  /** Starting; the gateway takes it over. */
  readonly pool: WorkerPool;
}

export async function serveHere({
  options: given,
  output,
  share,
  limits,
  routing,
  responseCache,
  memory,
  pool,
}: Serving): Promise<void> {
  const options = await optionsOf(given, share);
  if (options.dev === true) await prepareDev(options, output);
  // The server library reads this when it is loaded, which is why the gateway is only imported now.
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(limits.headerBytesMax);
  // The store is opened on a thread of its own, and both take about as long.
  const [store, { startGateway }, { createLogger }] = await Promise.all([
    openVerified(options, output),
    import('../../gateway/main.ts'),
    import('../../gateway/telemetry/logger.ts'),
  ]);
  const all = createLogger(options.logLevel ?? (options.dev === true ? 'warn' : 'info'));
  const log = share === undefined ? all : all.child({ process: share.slot });
  const gateway = await startGateway({
    host: options.host,
    port: options.port,
    store,
    limits,
    pool,
    identity: { name: options.serverName, version: packageVersion() },
    corsOrigins: options.corsOrigin,
    websocketCompression: options.websocketCompression,
    ...routing,
    ...memory,
    ...(responseCache !== undefined && { responseCache }),
    rolloutsFile: join(options.state, 'rollouts.json'),
    ...(options.dev === true ? { control: devControl(options, store) } : {}),
    ...(share !== undefined && { siblings: share }),
    log,
  });
  share?.carry(gateway);
  const current = (): StoreSnapshot => store.current;
  const graceMs = limits.shutdownGraceMs;
  const isStopping =
    share === undefined
      ? stopOnSignals(await withControl(options, { gateway, current, graceMs, output, log }), output)
      : (): boolean => false;
  await gateway.loaded;
  // Told to stop while it loaded, it never served.
  if (isStopping()) return;
  const { port, failures } = gateway;
  const text = welcome({ host: options.host, port, store: store.current, failures });
  if (share === undefined) output.out(text);
  else share.serves(text, failures.size === 0);
}

/** As given, or as they are for one of several processes: a port in common, a folder for each. */
async function optionsOf(given: ServeOptions, share: ProcessShare | undefined): Promise<ServeOptions> {
  const state = processStateFolder(given.state, share?.slot);
  await takeOverNewestState(given.state, state);
  if (share === undefined) return given;
  const { cache } = given;
  return {
    ...given,
    state,
    port: share.port,
    ...(cache !== undefined && { cache: processStateFolder(cache, share.slot) }),
  };
}

/** The code that makes a store is only read where one has to be made. */
async function prepareDev({ store, keys }: ServeOptions, output: Output): Promise<void> {
  if (existsSync(store)) return;
  const { prepareDevStore } = await import('./dev-store.ts');
  await prepareDevStore({
    store,
    keys,
    progress: (line) => {
      output.out(`${line}\n`);
    },
  });
}

/** A node that made its own keys may change its own store. */
function devControl(
  { store: folder, keys, root, state }: ServeOptions,
  store: VerifiedStore,
): RepositoryControl {
  return devRepository({
    store: folder,
    keys,
    pinnedRootPath: root ?? join(keys, 'root.json'),
    state,
    current: () => store.current,
  });
}

/** Models of a store with a URL come over the network when it is opened first; a person sees how far that is. */
async function openVerified(options: ServeOptions, output: Output): Promise<VerifiedStore> {
  const { cache, cacheSize, caFile, poll } = options;
  const cacheBytesMax = cacheSize === undefined ? undefined : parseSizeBytes(cacheSize);
  const progress = progressFor(output, {}, 'bytes');
  let opened = false;
  try {
    return await openStore({
      source: options.store,
      pinnedRootPath: options.root ?? join(options.keys, 'root.json'),
      stateFolder: options.state,
      ...(cache === undefined ? {} : { cacheFolder: cache }),
      ...(cacheBytesMax === undefined ? {} : { cacheBytesMax }),
      ...(caFile === undefined ? {} : { caFile }),
      ...(poll === undefined ? {} : { pollMs: poll * 1000 }),
      onProgress: ({ files, filesDone, bytes, bytesDone }) => {
        // Later downloads happen beside serving, where a bar would only disturb the logs.
        if (!opened) progress.step(`models ${filesDone}/${files}`, bytesDone, bytes);
      },
    });
  } finally {
    opened = true;
    progress.end();
  }
}

/**
 * The first signal finishes what is in flight, within the grace period; the second one does not wait. Returns whether one
 * came by now.
 */
function stopOnSignals(gateway: Pick<Gateway, 'close'>, output: Output): () => boolean {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(signal === 'SIGINT' ? 130 : 143);
    stopping = true;
    output.out('\nFinishing what is in flight; once more to stop at once.\n');
    gateway.close().then(
      () => process.exit(0),
      (error: unknown) => {
        output.err(`error: ${error instanceof Error ? error.message : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return () => stopping;
}
