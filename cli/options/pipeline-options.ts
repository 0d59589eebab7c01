/** Options of `deploy` that name the models which run before and after the deployed one. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PipelineModelRequest, PipelineRequest } from '../../registry-store/main.ts';
import { pipelineModelsMax } from '../../registry-store/manifest/pipeline.ts';

export interface PipelineOptions {
  readonly before?: readonly PipelineModelRequest[];
  readonly after?: readonly PipelineModelRequest[];
  /** False for `--no-pipeline`. */
  readonly pipeline: boolean;
}

export function addPipelineOptions(command: Command): Command {
  const before = 'a published model that runs before it; repeatable, in order';
  const after = `one that runs after it; ${pipelineModelsMax} in all; with wires as top@1.0.0:output=input`;
  return command
    .addOption(new Option('--before <model@version>', before).argParser(modelOption))
    .addOption(new Option('--after <model@version>', after).argParser(modelOption))
    .addOption(new Option('--no-pipeline', 'let it run alone, whatever runs with the live version'));
}

/** Undefined when nothing was said. */
export function pipelineOf({ before, after, pipeline }: PipelineOptions): PipelineRequest | undefined {
  const isNamed = before !== undefined || after !== undefined;
  if (!isNamed) return pipeline ? undefined : {};
  if (!pipeline) throw new InvalidArgumentError('--no-pipeline goes without --before and --after.');
  return { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
}

/** `top-digits@1.0.0:probabilities=scores`; names with a comma or `=` in them are for the control API. */
function modelOption(
  text: string,
  named: readonly PipelineModelRequest[] = [],
): readonly PipelineModelRequest[] {
  const [, model, version, wires] = /^([^@:]+)@([^@:]+)(?::(.+))?$/.exec(text) ?? [];
  if (model === undefined || version === undefined) throw new InvalidArgumentError(howToWrite);
  if (wires === undefined) return [...named, { model, version }];
  return [...named, { model, version, wires: wires.split(',').map(wireOf) }];
}

function wireOf(text: string): { readonly output: string; readonly input: string } {
  const [, output, input] = /^([^=]+)=([^=]+)$/.exec(text) ?? [];
  if (output === undefined || input === undefined) throw new InvalidArgumentError(howToWrite);
  return { output, input };
}

const howToWrite =
  'Write a model like scale@1.0.0 or, to say which output goes into which input, top@1.0.0:probabilities=scores.';
