/** `tidegate publish`: signs an ONNX file and what is known about it into the store. It does not put it live. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { withExternalData } from '../../registry-store/lifecycle/external-files.ts';
import { type EntryStage, publishModel } from '../../registry-store/main.ts';
import { entryStages } from '../../registry-store/manifest/stage.ts';
import { type StateDeclaration, parseStateDeclaration } from '../../registry-store/manifest/state-tensor.ts';
import { versionJson } from '../../registry-store/manifest/version-facts.ts';
import { readModelFile } from '../model-file.ts';
import { sizeText } from '../options/quantity.ts';
import {
  type ChangeOptions,
  addChangeOptions,
  placeText,
  userName,
  withChange,
} from '../options/store-options.ts';
import { type Output, write } from '../output.ts';
import { progressFor } from '../terminal/progress.ts';
import { tensorLines } from '../text/version-text.ts';

interface PublishOptions extends ChangeOptions {
  readonly version: string;
  readonly framework: string;
  readonly author: string;
  readonly description?: string;
  readonly metric?: ReadonlyMap<string, number>;
  readonly tag?: readonly string[];
  readonly state?: readonly StateDeclaration[];
  readonly fixedBatch?: true;
  readonly stage: EntryStage;
}

export function registerPublish(program: Command, output: Output): void {
  addChangeOptions(program.command('publish').alias('register'))
    .description('add a version of a model to the store')
    .argument('<model>', 'name of the model')
    .argument('<file>', 'ONNX file')
    .requiredOption('--version <version>', 'version of the model; a version is published once')
    .option('--framework <name>', 'what it was trained with', 'onnx')
    .option('--author <name>', 'who made it', userName())
    .option('--description <text>', 'one line about it')
    .option('--metric <name=number>', 'a measured quality; may be repeated', collectMetric)
    .option('--tag <tag>', 'a label; may be repeated', (tag, before?: readonly string[]) => [
      ...(before ?? []),
      tag,
    ])
    .option(
      '--state <input=output>',
      'an input that is the output of the call before; may be repeated',
      collectState,
    )
    .option('--fixed-batch', 'the fixed first dimension is a batch of rows that do not depend on each other')
    .addOption(new Option('--stage <stage>', 'where it stands').choices(entryStages).default('staged'))
    .addHelpText(
      'after',
      `
Ctrl-C before the version is in force leaves the store as it was.

Examples:
  $ tidegate publish iris iris.onnx --version 1.0.0
  $ tidegate publish iris iris.onnx --version 2.0.0 --framework scikit-learn --author Ada \\
      --metric accuracy=0.97 --metric f1=0.96 --tag tabular --why "trained on longer petals"
  $ tidegate publish vad silero_vad.onnx --version 5 --state state=stateN,2x1x128
  $ tidegate publish ranker ranker-8x512.onnx --version 1.0.0 --fixed-batch

State begins as zeros. Sizes that the model leaves open are said behind a comma. With --fixed-batch requests
share runs of a model whose file says 8 x 512, say: you vouch for its rows, and nodes try them when they load it.`,
    )
    .action(async (model: string, file: string, options: PublishOptions) => {
      const { version, snapshot } = await publishFile({ model, file }, options, output);
      const { artifact, onnx } = version;
      const lines = [
        `Published ${version.name} ${version.version} (revision ${version.published.revision})`,
        `  file       ${sizeText(artifact.lengthBytes)}, ${onnx.parameterCount} parameters`,
        `  sha256     ${artifact.sha256}`,
        ...tensorLines(version),
        '',
        version.stage === 'staged'
          ? `Next: tidegate deploy ${version.name} --version ${version.version}${placeText(options)}`
          : `Next: tidegate stage ${version.name} ${version.version}${placeText(options)}`,
      ];
      write(output, { json: { ...versionJson(version), revision: snapshot.revision }, lines }, options);
    });
}

async function publishFile(
  { model, file }: { readonly model: string; readonly file: string },
  options: PublishOptions,
  output: Output,
): ReturnType<typeof publishModel> {
  const bar = progressFor(output, options, 'bytes');
  try {
    return await withChange(options, output, async (change) => {
      const alone = await readModelFile(file, {
        signal: change.signal,
        progress: (done, total) => {
          bar.step('reading', done, total);
        },
      });
      const artifact = await withExternalData(file, alone, change.signal);
      return publishModel({
        ...change,
        model,
        version: options.version,
        artifact,
        framework: options.framework,
        author: options.author,
        description: options.description ?? '',
        metrics: options.metric ?? new Map(),
        tags: options.tag ?? [],
        state: options.state ?? [],
        fixedBatch: options.fixedBatch === true,
        stage: options.stage,
        progress: (done, total) => {
          bar.step('writing', done, total);
        },
      });
    });
  } finally {
    bar.end();
  }
}

function collectState(text: string, before: readonly StateDeclaration[] = []): readonly StateDeclaration[] {
  const declared = parseStateDeclaration(text);
  if (declared === undefined)
    throw new InvalidArgumentError('Write a state as input=output or input=output,2x1x128.');
  return [...before, declared];
}

function collectMetric(text: string, before?: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const split = text.indexOf('=');
  const name = text.slice(0, split);
  const number = text.slice(split + 1).trim();
  if (split < 1 || number === '') throw new InvalidArgumentError('Write a metric as name=number.');
  if (!Number.isFinite(Number(number))) throw new InvalidArgumentError(`${number} is not a number.`);
  if (before?.has(name) === true) throw new InvalidArgumentError(`${name} is given twice.`);
  return new Map(before ?? []).set(name, Number(number));
}
