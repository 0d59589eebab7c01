/**
 * Models whose files fix the first dimension, on a running gateway: many callers of one row each share runs where the
 * publisher declared the rows to be independent and loading did not show otherwise; everybody gets the answer to his own row,
 * and nobody that to a row which only fills a run up.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forms } from './callers.ts';
import { DirectSession } from './direct-session.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { fixedBatchModel, fixedLookupModel, fixedMixingModel } from './odd-models.ts';
import { differences, type Tensor, tensorOf } from './tensor.ts';
import type { Call, Outcome } from './wire-forms.ts';

const rows = 8;
const width = 64;
const files = {
  declared: fixedBatchModel(rows, width),
  undeclared: fixedBatchModel(rows, width),
  mixing: fixedMixingModel(rows),
  lookup: fixedLookupModel(rows),
};

let under: GatewayUnderTest;
beforeAll(async () => {
  const models = Object.entries(files).map(([name, file]) => {
    return { name, version: '1', file, ...(name !== 'undeclared' && { fixedRows: rows }) };
  });
  under = await startTestGateway({ models, inlineRunUsMax: 0, logLevel: 'debug' });
});
afterAll(() => under.close());

function numbers(seed: number, count: number): Tensor {
  const values = Array.from({ length: count * width }, (_, at) => Math.sin((at + 1) * (seed + 2)) * 3);
  return tensorOf({ name: 'x', datatype: 'FP32', shape: [count, width] }, values);
}

/** Rows `[from, from + count)` of the answers to a full run in which the rows of `input` come first. */
async function direct(session: DirectSession, input: Tensor): Promise<Tensor[]> {
  const count = input.shape[0] ?? 0;
  const filler = Array.from({ length: (rows - count) * width }, () => 0.5);
  const data = [...(input.data as Float32Array), ...filler];
  const full = await session.run([tensorOf({ ...input, shape: [rows, width] }, data)]);
  return full.map((output) => {
    const perRow = output.data.length / rows;
    const values = [...output.data.slice(0, count * perRow)];
    return tensorOf({ ...output, shape: [count, ...output.shape.slice(1)] }, values);
  });
}

function outputsOf(outcome: Outcome): readonly Tensor[] {
  if (outcome.kind === 'error') throw new Error(`${outcome.code}: ${outcome.message}`);
  return outcome.outputs;
}

function codeOf(outcome: Outcome): string {
  return outcome.kind === 'error' ? outcome.code : 'OK';
}

async function fields(path: string): Promise<unknown> {
  return (await fetch(`${under.url}${path}`)).json();
}

test('callers of a row or a few share runs, each with the answer to his own rows', async () => {
  const session = await DirectSession.open(files.declared);
  const labels = { model: 'declared' };
  const before = under.log.length;
  const calls = Array.from({ length: 96 }, async (_, index) => {
    const input = numbers(index, index % 12 === 0 ? 3 : 1);
    const form = forms[index % forms.length] ?? 'oip-json';
    const outcome = await under.caller(form).call({ model: 'declared', inputs: [input] });
    return { input, outputs: outputsOf(outcome) };
  });
  const answers = await Promise.all(calls);
  for (const { input, outputs } of answers) {
    expect(differences(outputs, await direct(session, input))).toEqual([]);
  }
  const metrics = await under.metrics();
  const [count, runs] = [
    metrics.sum('nv_inference_count', labels),
    metrics.sum('nv_inference_exec_count', labels),
  ];
  expect(count).toBe(96 + 8 * 2);
  expect(runs).toBeLessThan(96 / 2);
  expect(metrics.sum('tidegate_padded_rows_total', labels)).toBe(runs * rows - count);
  expect(metrics.sum('tidegate_padded_rows_total', { model: 'undeclared' })).toBe(0);
  const batches = under.log.slice(before).filter(({ msg }) => msg === 'batch answered');
  expect(batches.length).toBe(runs);
  for (const batch of batches) expect(Number(batch['rows']) + Number(batch['paddedRows'])).toBe(rows);
});

test('they are told of as any number of rows, 8 at most', async () => {
  expect(await fields('/v2/models/declared')).toMatchObject({
    inputs: [{ name: 'x', shape: [-1, width] }],
    outputs: [
      { name: 'shares', shape: [-1, width] },
      { name: 'largest', shape: [-1] },
    ],
  });
  expect(await fields('/v2/models/declared/config')).toMatchObject({
    max_batch_size: rows,
    input: [{ dims: [width] }],
    dynamic_batching: { preferred_batch_size: [rows] },
  });
  const refused = await under.caller('oip-json').call({ model: 'declared', inputs: [numbers(1, rows + 1)] });
  expect(refused).toMatchObject({
    code: 'TOO_MANY_ROWS',
    message: 'The request has 9 rows; a run of this model has 8. Send several requests.',
  });
  const full = numbers(5, rows);
  const answer = await under.caller('stream-msgpack').call({ model: 'declared', inputs: [full] });
  expect(
    differences(outputsOf(answer), await direct(await DirectSession.open(files.declared), full)),
  ).toEqual([]);
});

test('a row that makes a run fail fails alone, and words come back as they are', async () => {
  const words = ['zero', 'one', 'two'];
  const calls = Array.from({ length: 40 }, async (_, index) => {
    const value = index === 17 ? 9 : index % 3;
    const input = tensorOf({ name: 'index', datatype: 'INT64', shape: [1] }, [BigInt(value)]);
    const outcome = await under.caller('oip-json').call({ model: 'lookup', inputs: [input] });
    return outcome.kind === 'error' ? outcome.code : outcome.outputs[0]?.data[0];
  });
  expect(await Promise.all(calls)).toEqual(
    Array.from({ length: 40 }, (_, index) => (index === 17 ? 'MODEL_FAILED' : words[index % 3])),
  );
});

test.each([
  { model: 'mixing', why: 'loading showed that its rows depend on each other', columns: 3 },
  { model: 'undeclared', why: 'nobody vouched for its rows', columns: width },
])('$model takes exactly 8 rows, one request a run, since $why', async ({ model, columns }) => {
  expect(await fields(`/v2/models/${model}`)).toMatchObject({ inputs: [{ shape: [rows, columns] }] });
  expect(await fields(`/v2/models/${model}/config`)).toMatchObject({ max_batch_size: 0 });
  const session = await DirectSession.open(model === 'mixing' ? files.mixing : files.undeclared);
  const calls = Array.from({ length: 12 }, async (_, index): Promise<string[]> => {
    const values = Array.from({ length: rows * columns }, (_value, at) => Math.cos(at * (index + 1)));
    const input = tensorOf({ name: 'x', datatype: 'FP32', shape: [rows, columns] }, values);
    const call: Call = { model, inputs: [input] };
    const outcome = await under.caller('oip-msgpack').call(call);
    return differences(outputsOf(outcome), await session.run([input]));
  });
  expect((await Promise.all(calls)).flat()).toEqual([]);
  const one = tensorOf({ name: 'x', datatype: 'FP32', shape: [1, columns] }, Array<number>(columns).fill(1));
  expect(codeOf(await under.caller('oip-json').call({ model, inputs: [one] }))).toBe('SHAPE_MISMATCH');
  const metrics = await under.metrics();
  expect(metrics.sum('nv_inference_exec_count', { model })).toBe(12);
  expect(metrics.sum('tidegate_padded_rows_total', { model })).toBe(0);
});

test('the log says why a declared batch is none', () => {
  const loaded = under.log.filter(({ msg }) => msg === 'version loaded');
  expect(loaded.find(({ model }) => model === 'mixing')).toMatchObject({
    batching: 'none',
    note: 'output shares gives a row another answer at another place or beside other rows',
  });
  expect(loaded.find(({ model }) => model === 'declared')).toMatchObject({ batching: 'rows' });
});
