/**
 * The trained demo models as they are committed: where each file is, what is known about it, a real row to try it on.
 * Reading only, without the training data: this is what `tidegate serve --dev` publishes into its demo store.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface DemoModel {
  readonly name: string;
  readonly version: string;
  /** Absolute path of the ONNX file. */
  readonly file: string;
  readonly metadata: DemoMetadata;
  readonly sample: DemoSample;
}

/** The JSON beside each ONNX file, in the form in which a version is published. */
export interface DemoMetadata {
  readonly name: string;
  readonly version: string;
  readonly framework: string;
  readonly author: string;
  readonly description: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly tags: readonly string[];
}

/** One held-out row that every version of the model gets right. */
export interface DemoSample {
  /** Name of the model's input. */
  readonly input: string;
  /** Shape of one row, without the batch. */
  readonly shape: readonly number[];
  /** Values of the row, flat and row-major. */
  readonly values: readonly number[];
  readonly label: number;
  readonly labelName: string;
}

/** Absolute path; the folder exists in the sources only, also for code that runs from dist/. */
export const demoModelsFolder: string = join(packageRoot(), 'deploy', 'demo', 'models');

/** Sorted by name, then version. Reads the metadata files on each call; throws when one is damaged. */
export function demoModels(): readonly DemoModel[] {
  const files = readdirSync(demoModelsFolder).filter((name) => name.endsWith('.onnx'));
  return files.sort().map((fileName) => {
    const file = join(demoModelsFolder, fileName);
    const metadata = readJson(file.replace(/\.onnx$/, '.json')) as DemoMetadata;
    const sample = readJson(join(demoModelsFolder, `${metadata.name}.sample.json`)) as DemoSample;
    return { name: metadata.name, version: metadata.version, file, metadata, sample };
  });
}

/** The files are part of this package and a test checks their form, so parsing is all the validation there is. */
function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error('the demo models are part of the tidegate package, and it is not here');
    folder = parent;
  }
  return folder;
}
