/**
 * `tidegate serve`: opens a store and serves it until it is told to stop. With `--dev` it first makes a store with keys
 * of its own and the demo models, if there is none yet; that is what `npm start` does.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Gateway, RepositoryControl } from '../gateway/main.ts';
import { createLogger } from '../gateway/telemetry/logger.ts';
import { type StoreSnapshot, type VerifiedStore, openStore } from '../registry-store/main.ts';
import { parseSizeBytes } from '../registry-store/platform/quantity.ts';
import { devRepository } from './dev-repository.ts';
import { prepareDevStore } from './dev-store.ts';
import type { Output } from './output.ts';
import { packageVersion } from './package-version.ts';
import { ProcessShare } from './processes/process-share.ts';
import { processStateFolder, takeOverNewestState } from './processes/process-state.ts';
import { serveProcesses } from './processes/serve-processes.ts';
import { responseCacheOf } from './response-cache-options.ts';
import { routingOf } from './routing-options.ts';
import { addServeOptions, limitsOf, type ServeOptions } from './serve-options.ts';
import { progressFor } from './terminal/progress.ts';
import { withControl } from './token.ts';
import { welcome } from './welcome.ts';

export function registerServe(program: Command, output: Output): void {
  const command = program
    .command('serve')
    .description('serve the deployed models of a store over HTTP and WebSocket');
  addServeOptions(command).action(async (options: ServeOptions) => {
    await serve(options, output);
  });
}

async function serve(options: ServeOptions, output: Output): Promise<void> {
  const share = ProcessShare.ofThisProcess();
  if (share !== undefined || options.processes === 1) await serveHere(options, output, share);
  else {
    // What is wrong with the options is said once, before anything starts.
    limitsOf(options);
    routingOf(options);
    responseCacheOf(options);
    await serveProcesses(options, { output, log: createLogger(options.logLevel ?? 'info') });
  }
}

/** Serves in this process, alone or as one of several. */
async function serveHere(
  given: ServeOptions,
  output: Output,
  share: ProcessShare | undefined,
): Promise<void> {
  const options = await optionsOf(given, share);
  const limits = limitsOf(options);
  const routing = routingOf(options);
  const responseCache = responseCacheOf(options);
  const all = createLogger(options.logLevel ?? (options.dev === true ? 'warn' : 'info'));
  const log = share === undefined ? all : all.child({ process: share.slot });
  if (options.dev === true && /^https?:/i.test(options.store)) {
    throw new InvalidArgumentError(
      '--dev makes a store of its own in a folder; leave it out to serve a URL.',
    );
  }
  if (options.dev === true) {
    const { store: folder, keys } = options;
    await prepareDevStore({
      store: folder,
      keys,
      progress: (line) => {
        output.out(`${line}\n`);
      },
    });
  }
  // The server library reads this when it is loaded, which is why the gateway is only imported now.
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(limits.headerBytesMax);
  // The store is opened on a thread of its own, and both take about as long.
  const [store, { startGateway }] = await Promise.all([
    openVerified(options, output),
    import('../gateway/main.ts'),
  ]);
  const gateway = await startGateway({
    host: options.host,
    port: options.port,
    store,
    limits,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    identity: { name: options.serverName, version: packageVersion() },
    corsOrigins: options.corsOrigin,
    loadsBeside: options.loadBeside,
    websocketCompression: options.websocketCompression,
    ...routing,
    ...(responseCache !== undefined && { responseCache }),
    rolloutsFile: join(options.state, 'rollouts.json'),
    ...(options.dev === true ? { control: devControl(options, store) } : {}),
    ...(share !== undefined && { siblings: share }),
    log,
  });
  share?.carry(gateway);
  const current = (): StoreSnapshot => store.current;
  const graceMs = limits.shutdownGraceMs;
  if (share === undefined)
    stopOnSignals(await withControl(options, { gateway, current, graceMs, output, log }), output);
  await gateway.loaded;
  const { port, failures } = gateway;
  const text = welcome({ host: options.host, port, store: store.current, failures });
  if (share === undefined) output.out(text);
  else share.serves(text, failures.size === 0);
}

/** As given, or as they are for one of several processes: a port in common, a folder and a part of the cores for each. */
async function optionsOf(given: ServeOptions, share: ProcessShare | undefined): Promise<ServeOptions> {
  const state = processStateFolder(given.state, share?.slot);
  await takeOverNewestState(given.state, state);
  if (share === undefined) return given;
  const { cache, threads, processes } = given;
  return {
    ...given,
    state,
    port: share.port,
    threads: threads ?? Math.max(1, Math.floor(availableParallelism() / processes)),
    ...(cache !== undefined && { cache: processStateFolder(cache, share.slot) }),
  };
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

/** The first signal finishes what is in flight, within the grace period; the second one does not wait. */
function stopOnSignals(gateway: Pick<Gateway, 'close'>, output: Output): void {
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
}
