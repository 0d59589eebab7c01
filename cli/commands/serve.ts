/**
 * `tidegate serve`: opens a store and serves it until it is told to stop. With `--dev` it first makes a store with keys
 * of its own and the demo models, if there is none yet; that is what `npm start` does.
 *
 * Here is what comes first: the options, and the threads, which take longer to start than everything else. The rest is read
 * from disk beside that.
 */
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { requirePortsApart } from '../options/control-options.ts';
import { engineOf, threadsOf } from '../options/engine-options.ts';
import { memoryOf } from '../options/memory-options.ts';
import { responseCacheOf } from '../options/response-cache-options.ts';
import { routingOf } from '../options/routing-options.ts';
import { addServeOptions, limitsOf, type ServeOptions } from '../options/serve-options.ts';
import type { Output } from '../output.ts';
import { ProcessShare } from '../processes/process-share.ts';
import { holdState } from '../serving/state-hold.ts';

export function registerServe(program: Command, output: Output): void {
  const command = program
    .command('serve')
    .description('serve the deployed models of a store over HTTP and WebSocket');
  addServeOptions(command).action(async (options: ServeOptions) => {
    await serve(options, output);
  });
}

async function serve(options: ServeOptions, output: Output): Promise<void> {
  // What is wrong with the options is said before anything starts, and once where several processes would say it.
  const limits = limitsOf(options);
  const routing = routingOf(options);
  const responseCache = responseCacheOf(options);
  const memory = memoryOf(options);
  requirePortsApart(options);
  const threads = threadsOf(options, availableParallelism());
  const engine = await engineOf(options);
  if (options.dev === true && /^https?:/i.test(options.store)) {
    throw new InvalidArgumentError(
      '--dev makes a store of its own in a folder; leave it out to serve a URL.',
    );
  }
  const share = ProcessShare.ofThisProcess();
  if (share === undefined && options.processes > 1) {
    const { serveProcesses } = await import('../processes/serve-processes.ts');
    await serveProcesses({ ...options, limits }, output);
    return;
  }
  const { startPool } = await import('../../gateway/start-pool.ts');
  const { loadBeside: loadsBeside } = options;
  const pool = startPool({
    limits,
    engine,
    loadsBeside,
    inlineLater: true,
    ...(threads !== undefined && { threads }),
  });
  try {
    // The supervisor of several processes holds it for all of them.
    if (share === undefined) await holdState(options.state);
    const { serveHere } = await import('../serving/serve-here.ts');
    await serveHere({ options, output, share, limits, routing, responseCache, memory, pool });
  } catch (error) {
    // Threads would keep the process alive.
    await pool.close();
    throw error;
  }
}
