/** Options of `serve` about what runs the models: which library, and how many threads it may use for one run. */
import { type Command, Option } from 'commander';
import { findEngine } from '../runtime/pool/find-engine.ts';
import { type EngineChoice, type EngineName, engineNames } from '../runtime/protocol/engine-choice.ts';
import { CommandError } from './command-error.ts';

export interface EngineOptions {
  readonly engine: EngineName;
}

export function addEngineOptions(command: Command): Command {
  return command.addOption(
    new Option('--engine <name>', 'what runs the models: wasm, or native where onnxruntime-node is installed')
      .env('TIDEGATE_ENGINE')
      .choices(engineNames)
      .default('wasm' satisfies EngineName),
  );
}

/** Rejects with a `CommandError` that says what to install when it is not there. */
export async function engineOf({ engine: name }: EngineOptions): Promise<EngineChoice> {
  const found = await findEngine({ name, intraOpThreads: 1, folder: process.cwd() });
  if (found.ok) return found.engine;
  throw new CommandError(found.code, found.message);
}
