/** Options of `serve` about what runs the models: which library, and how many threads it may use for one run. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { runsAtOnce } from '../../runtime/pool/core-room.ts';
import { findEngine } from '../../runtime/pool/find-engine.ts';
import { type EngineChoice, type EngineName, engineNames } from '../../runtime/protocol/engine-choice.ts';
import { CommandError } from '../command-error.ts';

export interface EngineOptions {
  readonly engine: EngineName;
  readonly intraOpThreads: number;
  readonly threads?: number;
  readonly processes: number;
}

export function addEngineOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--engine <name>',
        'what runs the models: wasm, or native where onnxruntime-node is installed',
      )
        .env('TIDEGATE_ENGINE')
        .choices(engineNames)
        .default('wasm' satisfies EngineName),
    )
    .addOption(
      new Option('--intra-op-threads <number>', 'threads for one run of a large model; see docs/engines.md')
        .env('TIDEGATE_INTRA_OP_THREADS')
        .default(1)
        .argParser(parseIntraOpThreads),
    );
}

/** Rejects with a `CommandError` that says what to install when it is not there. */
export async function engineOf({ engine: name, intraOpThreads }: EngineOptions): Promise<EngineChoice> {
  const found = await findEngine({ name, intraOpThreads, folder: process.cwd() });
  if (found.ok) return found.engine;
  throw new CommandError(found.code, found.message);
}

/**
 * Threads that run models, in each process, where that was asked for or several processes share the cores; undefined for
 * what the gateway takes by default. Throws a `CommandError` when their runs, or one alone, want more cores than there are. With one
 * thread a run that is not checked: such threads only take turns.
 */
export function threadsOf(options: EngineOptions, cores: number): number | undefined {
  const { threads, processes, intraOpThreads } = options;
  if (intraOpThreads > Math.max(1, cores)) {
    throw new CommandError(
      'TOO_MANY_THREADS',
      `--intra-op-threads ${intraOpThreads} keep ${intraOpThreads} cores at work for one run, and there are ${cores} in all: runs would wait for their own threads. Give --intra-op-threads ${cores} or fewer.`,
    );
  }
  const room = runsAtOnce({ cores: Math.floor(cores / processes), intraOpThreads });
  if (threads === undefined) return processes > 1 ? room : undefined;
  if (intraOpThreads === 1 || threads <= room) return threads;
  const inEach = processes > 1 ? ` in each of ${processes} processes` : '';
  throw new CommandError(
    'TOO_MANY_THREADS',
    `--threads ${threads} with --intra-op-threads ${intraOpThreads} keep ${threads * intraOpThreads} cores at work${inEach}, and there are ${cores} in all: runs would wait for their own threads. Give --threads ${room}, or fewer --intra-op-threads.`,
  );
}

/** More threads than this only wait for each other. */
const intraOpThreadsMax = 64;

function parseIntraOpThreads(text: string): number {
  const threads = Number(text);
  if (!/^\d+$/.test(text) || threads < 1 || threads > intraOpThreadsMax) {
    throw new InvalidArgumentError(`Threads for one run are a number from 1 to ${intraOpThreadsMax}.`);
  }
  return threads;
}
