/**
 * The pool that a gateway runs its models on. On its own, because a thread with its runtime takes longer to start than
 * everything else together: whoever starts a process begins with it, before the gateway is read from disk.
 */
import { availableParallelism } from 'node:os';
import { runsAtOnce } from '../runtime/pool/core-room.ts';
import type { PoolSettings } from '../runtime/pool/pool-options.ts';
import { prepareThreadPolicy } from '../runtime/pool/thread-policy.ts';
import { WorkerPool } from '../runtime/pool/worker-pool.ts';
import { wasmChoice } from '../runtime/protocol/engine-choice.ts';
import { faultOptions } from './fault-options.ts';
import type { GatewayOptions } from './gateway-options.ts';

/** Each lane has two regions of this size for results, the event loop's own has one; larger results are moved between threads instead. Bytes. */
const resultBytes = 512 * 1024;

/**
 * Handing a batch to a thread and back costs the caller 100 to 300 microseconds on a small virtual machine, most of it
 * for waking a core; up to about that, running it here is faster for everybody. docs/benchmarks.md, November 2026.
 */
const inlineRunUsMaxDefault = 200;

export type GatewayPoolOptions = Pick<
  GatewayOptions,
  'limits' | 'threads' | 'engine' | 'inlineRunUsMax' | 'loadsBeside' | 'workerFile'
> &
  Pick<PoolSettings, 'inlineLater'>;

/** Its threads are starting. Who started it closes it, unless a gateway has taken it over. */
export function startPool(options: GatewayPoolOptions): WorkerPool {
  const { limits, engine = wasmChoice } = options;
  const { intraOpThreads } = engine;
  prepareThreadPolicy();
  // One core is for the event loop.
  const threads = options.threads ?? runsAtOnce({ cores: availableParallelism() - 1, intraOpThreads });
  return WorkerPool.start({
    threads,
    workerFile: workerFileOf(options),
    engine,
    arenaBytes: limits.queueBytesMax + (threads * 2 + 1) * resultBytes,
    resultBytes,
    inlineRunUsMax: options.inlineRunUsMax ?? inlineRunUsMaxDefault,
    ...faultOptions(limits),
    loadsBeside: options.loadsBeside ?? true,
    inlineLater: options.inlineLater ?? false,
  });
}

/** The compiled worker module. */
export function workerFileOf({ workerFile }: Pick<GatewayOptions, 'workerFile'>): URL {
  return workerFile ?? new URL('../runtime/worker/main.js', import.meta.url);
}
