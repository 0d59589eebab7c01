/**
 * Models of other shapes than rows in and rows out, computing something: as scikit-learn converters write them, with
 * sequences of any length, two inputs and two outputs, words, a scalar beside the rows, and requests of no rows at all.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOnnxModel } from '../../registry-store/onnx/describe-model.ts';
import { publishModel } from '../../registry-store/main.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../registry-store/onnx/write-model.ts';
import { TemporaryStore } from '../registry-store/temporary-store.ts';
import { type Form, forms } from './callers.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { encoderModel, forestModel, logistic, logisticModel } from './scikit-models.ts';
import { differences, type Tensor, tensorOf } from './tensor.ts';
import type { Call } from './wire-forms.ts';

/** The mean of a sequence of any length. */
function sequenceModel(): Uint8Array {
  const graph = new GraphBuilder('sequence');
  const x = graph.input('tokens', tensorType('FP32', ['batch', 'length']));
  graph.node('ReduceMean', [x], {
    outputs: ['mean'],
    attributes: { axes: { ints: [1] }, keepdims: { int: 0 } },
  });
  graph.output('mean', tensorType('FP32', ['batch']));
  return writeOnnxModel(graph);
}

/** Two in, two out, of two datatypes. */
function pairModel(): Uint8Array {
  const graph = new GraphBuilder('pair');
  const a = graph.input('a', tensorType('FP32', ['batch', 2]));
  const b = graph.input('b', tensorType('FP32', ['batch', 2]));
  graph.node('Add', [a, b], { outputs: ['sum'] });
  graph.node('Greater', [a, b], { outputs: ['greater'] });
  graph.output('sum', tensorType('FP32', ['batch', 2]));
  graph.output('greater', tensorType('BOOL', ['batch', 2]));
  return writeOnnxModel(graph);
}

/** A scalar beside the rows, as thresholds and temperatures are. */
function scalarModel(): Uint8Array {
  const graph = new GraphBuilder('scalar');
  const x = graph.input('x', tensorType('FP32', ['batch', 2]));
  const factor = graph.input('factor', tensorType('FP32', []));
  graph.node('Mul', [x, factor], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', 2]));
  return writeOnnxModel(graph);
}

let under: GatewayUnderTest;
beforeAll(async () => {
  const files = {
    logistic: logisticModel({ zipmap: false }),
    forest: forestModel(),
    pairOfClasses: forestModel([3, 7]),
    encoder: encoderModel(),
    sequence: sequenceModel(),
    pair: pairModel(),
    scalar: scalarModel(),
  };
  const models = Object.entries(files).map(([name, file]) => ({ name, version: '1.0.0', file }));
  under = await startTestGateway({ models });
});
afterAll(() => under.close());

type Numbers = readonly number[];

const floats = (name: string, shape: readonly number[], values: Numbers): Tensor =>
  tensorOf({ name, datatype: 'FP32', shape }, values);

const words = (name: string, values: readonly string[]): Tensor =>
  tensorOf({ name, datatype: 'BYTES', shape: [values.length, 1] }, values);

async function answer(call: Call, form: Form): Promise<readonly Tensor[]> {
  const outcome = await under.caller(form).call(call);
  if (outcome.kind === 'error') throw new Error(`${outcome.code}: ${outcome.message}`);
  return outcome.outputs;
}

/** Forms that name tensors and give them back as they are; /predict has words of its own for outputs. */
const naming = forms.filter((form) => form !== 'predict-json');

describe.each(naming)('as %s', (form) => {
  test('a pipeline of StandardScaler and LogisticRegression gives its words and probabilities', async () => {
    const rows = [
      [5, 2],
      [1, 4],
      [-3, 0],
    ] as const;
    const [label, probabilities] = await answer(
      { model: 'logistic', inputs: [floats('X', [3, 2], rows.flat())] },
      form,
    );
    expect(label).toMatchObject({ datatype: 'BYTES', shape: [3], data: logistic.classes });
    const wanted = rows.flatMap((row) => softmax(row));
    expect(probabilities?.shape).toEqual([3, 3]);
    for (const [index, found] of [...(probabilities?.data ?? [])].entries()) {
      expect(found).toBeCloseTo(wanted[index] ?? NaN, 5);
    }
  });

  test('a forest gives its classes', async () => {
    const inputs = [floats('X', [2, 2], [9, 1, 0, 2])];
    expect(
      differences(await answer({ model: 'forest', inputs }, form), [
        tensorOf({ name: 'label', datatype: 'INT64', shape: [2] }, [0n, 7n]),
        floats('probabilities', [2, 3], [1, 0, 0, 0.25, 0.75, 0]),
      ]),
    ).toEqual([]);
  });

  test('a forest of two classes gives 0 and 1 whatever they are called, which is onnxruntime', async () => {
    const inputs = [floats('X', [2, 2], [9, 1, 0, 2])];
    expect(
      differences(await answer({ model: 'pairOfClasses', inputs }, form), [
        tensorOf({ name: 'label', datatype: 'INT64', shape: [2] }, [0n, 1n]),
        floats('probabilities', [2, 2], [1, 0, 0.25, 0.75]),
      ]),
    ).toEqual([]);
  });

  test('words go in, numbers and words come out', async () => {
    const inputs = [words('word', ['zwei', 'grün', 'drei', ''])];
    expect(
      differences(await answer({ model: 'encoder', inputs }, form), [
        tensorOf({ name: 'code', datatype: 'INT64', shape: [4, 1] }, [2n, 3n, -1n, -1n]),
        words('translated', ['deux', 'vert \u{1f7e2}', '', '']),
      ]),
    ).toEqual([]);
  });

  test('sequences of any length are answered, those of one request together', async () => {
    const lengths = [1, 2, 5, 2, 1, 7];
    const answers = await Promise.all(
      lengths.map((length) => {
        const values = Array.from({ length: 2 * length }, (_, at) => (at < length ? length : 10));
        return answer({ model: 'sequence', inputs: [floats('tokens', [2, length], values)] }, form);
      }),
    );
    const wanted = lengths.map((length) => floats('mean', [2], [length, 10]));
    expect(answers.flatMap((outputs, at) => differences(outputs, [wanted[at]!]))).toEqual([]);
  });

  test('two inputs in any order give two outputs', async () => {
    const a = floats('a', [2, 2], [1, 2, 3, 4]);
    const b = floats('b', [2, 2], [4, 3, 2, 1]);
    const wanted = [
      floats('sum', [2, 2], [5, 5, 5, 5]),
      tensorOf({ name: 'greater', datatype: 'BOOL', shape: [2, 2] }, [0, 0, 1, 1]),
    ];
    for (const inputs of [
      [a, b],
      [b, a],
    ]) {
      expect(differences(await answer({ model: 'pair', inputs }, form), wanted)).toEqual([]);
    }
  });

  test('a scalar beside rows is what this request says, never that of a neighbour', async () => {
    const answers = await Promise.all(
      [2, 3, 4].map((factor) =>
        answer(
          { model: 'scalar', inputs: [floats('x', [1, 2], [1, 10]), floats('factor', [], [factor])] },
          form,
        ),
      ),
    );
    const wanted = [2, 3, 4].map((factor) => floats('y', [1, 2], [factor, 10 * factor]));
    expect(answers.flatMap((outputs, at) => differences(outputs, [wanted[at]!]))).toEqual([]);
  });

  test('no rows are refused where requests share runs, and answered with none where they do not', async () => {
    const none = floats('x', [0, 2], []);
    const refused = await under.caller(form).call({ model: 'logistic', inputs: [{ ...none, name: 'X' }] });
    expect(refused).toMatchObject({ kind: 'error', code: 'SHAPE_MISMATCH' });
    const inputs = [none, floats('factor', [], [2])];
    expect(differences(await answer({ model: 'scalar', inputs }, form), [floats('y', [0, 2], [])])).toEqual(
      [],
    );
  });
});

test('/predict gives labels and probabilities of a scikit-learn model', async () => {
  const response = await fetch(`${under.url}/predict/logistic`, {
    method: 'POST',
    body: JSON.stringify({ features: [[5, 2]] }),
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ prediction: ['setosa'], model_version: '1.0.0' });
});

test('whether requests share runs is told in the log', () => {
  const batching = (model: string): unknown =>
    under.log.find((line) => line.msg === 'version loaded' && line['model'] === model)?.['batching'];
  const found = ['logistic', 'forest', 'encoder', 'sequence', 'pair', 'scalar'].map(batching);
  expect(found).toEqual(['rows', 'rows', 'rows', 'rows', 'rows', 'none']);
});

test('with ZipMap a model is refused at publish, which says how to turn it off', async () => {
  const artifact = logisticModel({ zipmap: true });
  expect(describeOnnxModel(artifact)).toMatchObject({ ok: false, code: 'OUTPUT_NOT_TENSOR' });
  const store = await TemporaryStore.makeWithIris();
  const published = publishModel({
    folder: store.folder,
    keysFolders: [store.keysFolder],
    nowMs: Date.now(),
    actor: 'test',
    model: 'logistic',
    version: '1.0.0',
    artifact,
    framework: 'scikit-learn',
    author: 'test',
  });
  await expect(published).rejects.toMatchObject({
    code: 'MODEL_REFUSED',
    message: expect.stringContaining("options={id(model): {'zipmap': False}}") as unknown,
  });
});

function softmax(row: Numbers): Numbers {
  const scaled = row.map((value, at) => (value - logistic.offset[at]!) * logistic.scale[at]!);
  const scores = logistic.coefficients.map((weights, at) =>
    Math.exp(weights.reduce<number>((sum, weight, i) => sum + weight * scaled[i]!, logistic.intercepts[at]!)),
  );
  const total = scores.reduce((sum, score) => sum + score, 0);
  return scores.map((score) => score / total);
}
