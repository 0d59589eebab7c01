/**
 * Models and requests of unusual shape: any rank, several tensors, outputs by choice, open and fixed dimensions, empty
 * tensors, and rows that are not independent. Whether requests were joined or not, the answers are those of a direct run.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../deploy/demo/seeded-random.ts';
import type { Datatype } from '../../runtime/tensor/dtype.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { type Form, forms } from './callers.ts';
import { DirectSession } from './direct-session.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { collapsingModel, echoModel, mixingModel } from './odd-models.ts';
import { differences, relativeDifference, type Tensor, tensorOf } from './tensor.ts';
import type { Call, Outcome } from './wire-forms.ts';

const three = [
  { datatype: 'FP32', shape: ['batch', 2] },
  { datatype: 'INT64', shape: ['batch'] },
  { datatype: 'BYTES', shape: ['batch', 1, 2] },
] as const;

const files = {
  scalar: echoModel([{ datatype: 'FP32', shape: [] }]),
  rank5: echoModel([{ datatype: 'INT16', shape: ['batch', 2, 1, 3, 2] }]),
  three: echoModel(three),
  free: echoModel([{ datatype: 'FP32', shape: ['batch', 'n', 'm'] }]),
  fixed: echoModel([{ datatype: 'FP32', shape: [2, 3] }]),
  unlike: echoModel([
    { datatype: 'FP32', shape: ['rows', 2] },
    { datatype: 'FP32', shape: ['others', 2] },
  ]),
  mixing: mixingModel(),
  collapsing: collapsingModel(),
  wide: echoModel([{ datatype: 'FP64', shape: ['batch', 100_000] }]),
};

let under: GatewayUnderTest;
beforeAll(async () => {
  const models = Object.entries(files).map(([name, file]) => ({ name, version: '1.0.0', file }));
  under = await startTestGateway({ models, threads: 2 });
});
afterAll(() => under.close());

/** Counts up from `first`, in whatever the datatype has for numbers. */
function counted(
  head: { readonly name: string; readonly datatype: Datatype; readonly shape: number[] },
  first = 1,
): Tensor {
  return tensorOf(
    head,
    Array.from({ length: elementCount(head.shape) }, (_, index) => first + index),
  );
}

function outputsOf(outcome: Outcome): readonly Tensor[] {
  if (outcome.kind === 'error') throw new Error(`${outcome.code}: ${outcome.message}`);
  return outcome.outputs;
}

function echoOf(inputs: readonly Tensor[]): Tensor[] {
  return inputs.map((input) => ({ ...input, name: input.name.replace('x', 'y') }));
}

function tensors(rows: number, first = 1): Tensor[] {
  return [
    counted({ name: 'x0', datatype: 'FP32', shape: [rows, 2] }, first),
    counted({ name: 'x1', datatype: 'INT64', shape: [rows] }, first),
    counted({ name: 'x2', datatype: 'BYTES', shape: [rows, 1, 2] }, first),
  ];
}

const shaped: readonly { readonly what: string; readonly call: Call; readonly not?: readonly Form[] }[] = [
  {
    what: 'a scalar',
    call: { model: 'scalar', inputs: [counted({ name: 'x0', datatype: 'FP32', shape: [] })] },
    // A list of rows is what /predict takes.
    not: ['predict-json'],
  },
  {
    what: 'rank 5',
    call: { model: 'rank5', inputs: [counted({ name: 'x0', datatype: 'INT16', shape: [3, 2, 1, 3, 2] })] },
  },
  { what: 'three inputs of three datatypes', call: { model: 'three', inputs: tensors(4) } },
  {
    what: 'a fixed batch dimension',
    call: { model: 'fixed', inputs: [counted({ name: 'x0', datatype: 'FP32', shape: [2, 3] })] },
  },
  {
    what: 'first dimensions that differ',
    call: {
      model: 'unlike',
      inputs: [
        counted({ name: 'x0', datatype: 'FP32', shape: [1, 2] }),
        counted({ name: 'x1', datatype: 'FP32', shape: [3, 2] }),
      ],
    },
  },
  {
    what: 'open dimensions',
    call: { model: 'free', inputs: [counted({ name: 'x0', datatype: 'FP32', shape: [2, 5, 3] })] },
  },
  {
    what: 'rows without elements',
    call: { model: 'free', inputs: [counted({ name: 'x0', datatype: 'FP32', shape: [2, 0, 3] })] },
    // Its lists cannot say what is in lists that are empty.
    not: ['predict-json'],
  },
  {
    what: 'a result too large for the shared region',
    call: { model: 'wide', inputs: [counted({ name: 'x0', datatype: 'FP64', shape: [1, 100_000] })] },
  },
];

describe.each(shaped)('$what', ({ call, not = [] }) => {
  test.each(forms.filter((form) => !not.includes(form)))('comes back as it went, as %s', async (form) => {
    const outcome = await under.caller(form).call(call);
    expect(differences(outputsOf(outcome), echoOf(call.inputs))).toEqual([]);
  });
});

const choosing = forms.filter((form) => form !== 'predict-json');

test.each(choosing)(
  'outputs come by choice and in the order asked for, inputs in any order, as %s',
  async (form) => {
    const caller = under.caller(form);
    const inputs = tensors(2, 10);
    const echoed = echoOf(inputs);
    const reversed = inputs.toReversed();
    for (const wanted of [[0], [1], [2], [2, 0], [1, 2, 0], [0, 1, 2]]) {
      const outputs = wanted.map((index) => `y${index}`);
      const outcome = await caller.call({ model: 'three', inputs: reversed, outputs });
      expect(
        differences(
          outputsOf(outcome),
          wanted.map((index) => echoed[index]!),
        ),
      ).toEqual([]);
    }
  },
);

describe('at the same time', () => {
  const random = seededRandom(5);
  const float = (shape: number[]): Tensor =>
    counted({ name: 'x0', datatype: 'FP32', shape }, random.below(1_000_000));

  test.each([
    {
      what: 'requests of different open dimensions',
      calls: () =>
        Array.from({ length: 300 }, () => ({
          model: 'free',
          inputs: [float([1 + random.below(4), random.below(4), 1 + random.below(3)])],
        })),
    },
    {
      what: 'requests of a fixed batch',
      calls: () => Array.from({ length: 300 }, () => ({ model: 'fixed', inputs: [float([2, 3])] })),
    },
    {
      what: 'requests for different outputs',
      calls: () =>
        Array.from({ length: 300 }, (_, index) => ({
          model: 'three',
          inputs: tensors(1 + (index % 3), index * 10),
          outputs: [['y0'], ['y1', 'y0'], ['y2'], ['y0', 'y1', 'y2']][index % 4]!,
        })),
    },
    {
      what: 'results too large for the shared region',
      calls: () =>
        Array.from({ length: 12 }, (_, index) => ({
          model: 'wide',
          inputs: [counted({ name: 'x0', datatype: 'FP64', shape: [1, 100_000] }, index * 1e6)],
        })),
    },
  ])('$what get their own rows', async ({ calls }) => {
    const callers = ['stream-msgpack', 'stream-msgpack-values'].map((form) => under.caller(form as Form));
    const wrong = await Promise.all(
      calls().map(async (call: Call, index) => {
        const outputs = outputsOf(await callers[index % 2]!.call(call));
        const echoed = echoOf(call.inputs);
        const wanted = call.outputs?.map((name) => echoed.find((tensor) => tensor.name === name)!) ?? echoed;
        return differences(outputs, wanted);
      }),
    );
    expect(wrong.flat().slice(0, 3)).toEqual([]);
    await expectNothingHeld();
  });
});

/** Queues of odd shapes give their memory back; idle slabs and result regions stay. */
async function expectNothingHeld(): Promise<void> {
  const metrics = await under.metrics();
  expect(metrics.sum('tidegate_inflight_requests')).toBe(0);
  // Two threads with two result regions, the event loop with one, and one small idle slab for each common queue.
  expect(metrics.sum('tidegate_arena_bytes')).toBeLessThanOrEqual(5 * 512 * 1024 + 9 * 64 * 1024);
}

describe.each([
  { model: 'mixing', why: 'gives a row another answer when a second row rides along' },
  { model: 'collapsing', why: 'its first dimension is not the batch' },
] as const)('rows that are not independent ($model)', ({ model, why }) => {
  test('turn batching off, with the reason in the log', () => {
    const loaded = under.log.find((line) => line.msg === 'version loaded' && line['model'] === model);
    expect(loaded).toMatchObject({ batching: 'none', note: expect.stringContaining(why) as unknown });
  });

  test('are answered as a direct run, however many ask', async () => {
    const direct = await DirectSession.open(files[model]);
    const caller = under.caller('stream-msgpack');
    const random = seededRandom(11);
    const differ = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const rows = 1 + random.below(5);
        const inputs = [counted({ name: 'x', datatype: 'FP32', shape: [rows, 3] }, random.below(1000))];
        const [found] = outputsOf(await caller.call({ model, inputs }));
        const [wanted] = await direct.run(inputs);
        return relativeDifference(found, wanted!);
      }),
    );
    expect(Math.max(...differ)).toBe(0);
  });
});
