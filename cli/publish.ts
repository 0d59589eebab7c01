/** `tidegate publish`: signs an ONNX file and what is known about it into the store. It does not put it live. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { publishModel } from '../registry-store/main.ts';
import { type EntryStage, entryStages } from '../registry-store/manifest/stage.ts';
import { type Output, write } from './output.ts';
import { type StoreOptions, addStoreOptions, userName } from './store-options.ts';
import { tensorText, versionJson } from './version-text.ts';

interface PublishOptions extends StoreOptions {
  readonly version: string;
  readonly framework: string;
  readonly author: string;
  readonly description?: string;
  readonly metric?: ReadonlyMap<string, number>;
  readonly tag?: readonly string[];
  readonly stage: EntryStage;
}

export function registerPublish(program: Command, output: Output): void {
  addStoreOptions(program.command('publish'))
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
    .addOption(new Option('--stage <stage>', 'where it stands').choices(entryStages).default('staged'))
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate publish iris iris.onnx --version 1.0.0
  $ tidegate publish iris iris.onnx --version 2.0.0 --framework scikit-learn --author Ada \\
      --metric accuracy=0.97 --metric f1=0.96 --tag tabular`,
    )
    .action(async (model: string, file: string, options: PublishOptions) => {
      const { version } = await publishModel({
        folder: options.store,
        keysFolder: options.keys,
        nowMs: Date.now(),
        model,
        version: options.version,
        artifact: await readModelFile(file),
        framework: options.framework,
        author: options.author,
        description: options.description ?? '',
        metrics: options.metric ?? new Map(),
        tags: options.tag ?? [],
        stage: options.stage,
      });
      const { signature, artifact, onnx } = version;
      const lines = [
        `Published ${version.name} ${version.version}`,
        `  file     ${artifact.lengthBytes} bytes, sha256 ${artifact.sha256}`,
        `  size     ${onnx.parameterCount} parameters`,
        ...signature.inputs.map((tensor) => `  input    ${tensorText(tensor)}`),
        ...signature.outputs.map((tensor) => `  output   ${tensorText(tensor)}`),
        `  batching ${signature.batching === 'rows' ? 'rows of different requests share a run' : 'none, every request runs alone'}`,
        '',
        `Next: tidegate deploy ${version.name} --version ${version.version}`,
      ];
      write(output, { json: versionJson(version), lines }, options);
    });
}

async function readModelFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw new Error(`${file} cannot be read (${reason}).`, { cause: error });
  }
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
