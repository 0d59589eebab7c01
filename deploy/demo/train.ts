/**
 * Trains the demo models and writes them to deploy/demo/models: `node dist/deploy/demo/train.js [iris|digits]`.
 * Not needed to use them: the files are committed. Running it again gives the same models; `npm run format` then gives
 * the JSON beside them its usual form.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabelledRows } from './data/labelled-rows.ts';
import { demoModelsFolder } from './demo-models.ts';
import type { DemoMetadata, DemoSample } from './demo-models.ts';
import { subjects } from './recipes.ts';
import type { Recipe, Subject } from './recipes.ts';
import { trainModel } from './train-model.ts';
import type { TrainedModel } from './train-model.ts';

const [, , wanted] = process.argv;
const chosen = subjects.filter(({ shape }) => wanted === undefined || shape.name === wanted);
if (chosen.length === 0) {
  const names = subjects.map(({ shape }) => shape.name).join(' or ');
  console.error(`There is no demo model "${wanted ?? ''}"; it is ${names}, or nothing for all.`);
  process.exit(2);
}
mkdirSync(demoModelsFolder, { recursive: true });
for (const subject of chosen) await trainSubject(subject);

async function trainSubject(subject: Subject): Promise<void> {
  const split = subject.rows();
  const { name } = subject.shape;
  console.log(
    `${name}: ${split.train.labels.length} rows to train on, ${split.heldOut.labels.length} held out`,
  );
  const trained: TrainedModel[] = [];
  for (const recipe of subject.recipes) {
    const startedMs = performance.now();
    const model = await trainModel(subject, recipe, {
      split,
      onEpoch: ({ epoch, epochs, loss }) => {
        if (epoch === epochs || epoch % Math.ceil(epochs / 7) === 0) {
          console.log(`  ${name} ${recipe.version}: epoch ${epoch} of ${epochs}, loss ${loss.toFixed(4)}`);
        }
      },
    });
    trained.push(model);
    writeModel(subject, recipe, model);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(
      `  ${name} ${recipe.version}: ${JSON.stringify(model.metrics)}, ${model.file.length} bytes, ${seconds} s`,
    );
  }
  const sample = chooseSample(subject, split.heldOut, trained);
  writeFileSync(join(demoModelsFolder, `${name}.sample.json`), `${JSON.stringify(sample)}\n`);
}

function writeModel({ shape }: Subject, recipe: Recipe, { file, metrics }: TrainedModel): void {
  const metadata: DemoMetadata = {
    name: shape.name,
    version: recipe.version,
    framework: 'onnx',
    author: 'Tidegate',
    description: recipe.description,
    metrics: { ...metrics },
    tags: recipe.tags,
  };
  const path = join(demoModelsFolder, `${shape.name}-${recipe.version}`);
  writeFileSync(`${path}.onnx`, file);
  writeFileSync(`${path}.json`, `${JSON.stringify(metadata, undefined, 2)}\n`);
}

/**
 * The first held-out row that every version gets right, so that the example in the guide holds through a rollout. Its
 * class is above 1: an answer of 0 or 1 could be taken for a default.
 */
function chooseSample(
  { shape }: Subject,
  heldOut: LabelledRows,
  models: readonly TrainedModel[],
): DemoSample {
  const row = heldOut.labels.findIndex(
    (label, at) => label > 1 && models.every((model) => model.heldOutLabels[at] === label),
  );
  const label = heldOut.labels[row];
  if (label === undefined) throw new Error(`no held-out row of ${shape.name} is right in every version`);
  const values = heldOut.values.subarray(row * heldOut.width, (row + 1) * heldOut.width);
  return {
    input: shape.inputName,
    shape: shape.inputShape,
    // Back to the decimals of the data: 5.1 and not the nearest single-precision number.
    values: Array.from(values, (value) => Number(value.toPrecision(6))),
    label,
    labelName: shape.classNames[label] ?? '',
  };
}
