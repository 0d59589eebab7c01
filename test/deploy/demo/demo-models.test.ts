/** The committed files are what the guide says: signature, metadata, and metrics measured again on held-out rows. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digitRows } from '../../../deploy/demo/data/digits.ts';
import { irisRows } from '../../../deploy/demo/data/iris.ts';
import { demoModels, demoModelsFolder } from '../../../deploy/demo/demo-models.ts';
import { measure, runModel } from '../../../deploy/demo/measure.ts';
import { describeOnnxModel } from '../../../registry-store/onnx/describe-model.ts';

const models = demoModels();
const heldOut = { iris: irisRows().heldOut, digits: digitRows().heldOut };

const documented = {
  iris: { input: { name: 'features', datatype: 'FP32', shape: [-1, 4] }, classes: 3 },
  digits: { input: { name: 'image', datatype: 'FP32', shape: [-1, 1, 28, 28] }, classes: 10 },
};

function subjectOf(name: string): 'iris' | 'digits' {
  if (name !== 'iris' && name !== 'digits') throw new Error(`nothing is known of ${name}`);
  return name;
}

describe('the committed demo models', () => {
  it('are two versions of iris and two of digits, each with its metadata and a sample beside it', () => {
    expect(models.map(({ name, version }) => `${name} ${version}`)).toEqual([
      'digits 1.0.0',
      'digits 2.0.0',
      'iris 1.0.0',
      'iris 2.0.0',
    ]);
    expect(readdirSync(demoModelsFolder)).toHaveLength(4 + 4 + 2);
  });

  it('stay small', () => {
    for (const { file } of models) expect(readFileSync(file).length).toBeLessThan(300_000);
  });

  it.each(models)('$name $version has complete metadata', ({ file, name, version, metadata }) => {
    expect(file).toMatch(new RegExp(`/${name}-${version}\\.onnx$`));
    expect(Object.keys(metadata)).toEqual([
      'name',
      'version',
      'framework',
      'author',
      'description',
      'metrics',
      'tags',
    ]);
    for (const text of [metadata.framework, metadata.author, metadata.description])
      expect(text).toMatch(/^[ -~]+$/);
    for (const tag of metadata.tags) expect(tag).toMatch(/^[a-z]+$/);
    expect(Object.keys(metadata.metrics)).toEqual(['accuracy', 'log_loss', 'held_out_rows']);
  });

  it.each(models)('$name $version describes itself with the documented signature', ({ name, file }) => {
    const { input, classes } = documented[subjectOf(name)];
    expect(describeOnnxModel(readFileSync(file))).toMatchObject({
      ok: true,
      value: {
        signature: {
          inputs: [input],
          outputs: [
            { name: 'label', datatype: 'INT64', shape: [-1] },
            { name: 'probabilities', datatype: 'FP32', shape: [-1, classes] },
          ],
          batching: 'rows',
        },
        irVersion: 8,
        opsets: { '': 17 },
      },
    });
  });

  it.each(models)(
    '$name $version reaches its recorded metrics on the rows it has not seen',
    async (model) => {
      const rows = heldOut[subjectOf(model.name)];
      const rowShape = model.sample.shape;
      const predictions = await runModel(readFileSync(model.file), rowShape, rows);
      const measured = measure(predictions, rows);
      expect(measured.held_out_rows).toBe(model.metadata.metrics['held_out_rows']);
      // Another processor may round the last bit of a probability otherwise; a row or two is the most that can move.
      expect(measured.accuracy).toBeCloseTo(model.metadata.metrics['accuracy'] ?? NaN, 2);
      expect(measured.log_loss).toBeCloseTo(model.metadata.metrics['log_loss'] ?? NaN, 3);
    },
  );

  it.each(models)('$name $version gets its sample right', async ({ file, sample }) => {
    const row = {
      values: Float32Array.from(sample.values),
      width: sample.values.length,
      labels: Uint8Array.of(sample.label),
    };
    const { labels } = await runModel(readFileSync(file), sample.shape, row);
    expect(labels).toEqual([sample.label]);
  });

  it('improve from 1.0.0 to 2.0.0, and read digits well enough to be worth serving', () => {
    const metric = (name: string, version: string, key: string): number =>
      models.find((model) => model.name === name && model.version === version)?.metadata.metrics[key] ?? NaN;
    for (const name of ['iris', 'digits']) {
      expect(metric(name, '2.0.0', 'log_loss')).toBeLessThan(metric(name, '1.0.0', 'log_loss'));
    }
    expect(metric('digits', '2.0.0', 'accuracy')).toBeGreaterThan(0.97);
  });
});
