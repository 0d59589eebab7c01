/** Random requests that fit a signature, requests from a file, and the split of latency by the server's counts. */
import { describe, expect, it } from 'vitest';
import { callsOfFile, type Calls, randomCalls } from '../../../cli/bench/model-calls.ts';
import { readCounts, splitBetween } from '../../../cli/bench/server-statistics.ts';
import { datatypes } from '../../../client/tensor/datatype.ts';

const call = { model: 'm', version: undefined, deadlineMs: undefined };
const metadata = (...inputs: readonly { name: string; datatype: string; shape: readonly number[] }[]) => ({
  name: 'm',
  versions: ['1'],
  platform: 'onnx',
  inputs,
  outputs: [],
});
const problemOf = (calls: Calls): string => (calls.ok ? '' : calls.problem);

describe('random requests', () => {
  it('fill every input of every datatype with as many rows as are asked for', () => {
    const inputs = datatypes.map((datatype) => ({ name: datatype, datatype, shape: [-1, 3] }));
    const made = randomCalls(metadata(...inputs), { ...call, rows: 5, seed: 1 });
    if (!made.ok) throw new Error(made.problem);
    expect(made.calls).toHaveLength(16);
    for (const { inputs: tensors } of made.calls) {
      expect(Object.keys(tensors)).toEqual([...datatypes]);
      for (const { shape, data } of Object.values(tensors))
        expect([shape, data.length]).toEqual([[5, 3], 15]);
    }
  });

  it('differ from each other, and are the same for the same seed', () => {
    const image = metadata({ name: 'x', datatype: 'FP32', shape: [-1, 4] });
    const [one, two, other] = [1, 1, 2].map((seed) => randomCalls(image, { ...call, rows: 1, seed }));
    expect(one).toEqual(two);
    expect(one).not.toEqual(other);
    if (one?.ok !== true) throw new Error('none');
    expect(new Set(one.calls.map(({ inputs }) => String(inputs['x']?.data))).size).toBe(16);
  });

  it('are few where they are large', () => {
    const image = metadata({ name: 'x', datatype: 'FP32', shape: [1, 3, 600, 600] });
    const made = randomCalls(image, { ...call, rows: 1, seed: 1 });
    expect(made.ok && made.calls.length).toBe(3);
  });

  it.each([
    [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }, 1, /more than the rows is open. Give --input/],
    [{ name: 'x', datatype: 'BF16', shape: [-1] }, 1, /BF16; give --input/],
    [{ name: 'x', datatype: 'FP32', shape: [1, 4] }, 2, /takes 1 rows at a time, not 2/],
    [{ name: 'x', datatype: 'FP32', shape: [-1, 5_000_000] }, 1, /5000000 elements/],
  ])('cannot be made for %j with %i rows', (input, rows, message) => {
    expect(problemOf(randomCalls(metadata(input), { ...call, rows, seed: 1 }))).toMatch(message);
  });
});

describe('a file of requests', () => {
  const request = { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [[1, 2]] }] };

  it('holds one or several', () => {
    expect(callsOfFile(request, call)).toMatchObject({
      ok: true,
      calls: [{ model: 'm', inputs: { x: { shape: [1, 2] } } }],
    });
    expect(callsOfFile([request, request], call)).toMatchObject({ ok: true, calls: [{}, {}] });
  });

  it.each([
    [[], /1 to 1000/],
    [{}, /no inputs/],
    [{ inputs: [{ name: 'x' }] }, /no name, shape, datatype or data/],
    [{ inputs: [{ ...request.inputs[0], shape: [3] }] }, /Write \{"inputs"/],
  ])('is not %j', (value, message) => {
    expect(problemOf(callsOfFile(value, call))).toMatch(message);
  });
});

describe('the statistics of a server', () => {
  const stats = (version: string, requests: number, ns: number): object => ({
    version,
    execution_count: requests / 2,
    inference_count: requests,
    inference_stats: {
      success: { count: requests, ns: ns * 10 },
      queue: { count: requests, ns: ns * 2 },
      compute_input: { count: requests, ns },
      compute_infer: { count: requests, ns: ns * 3 },
      compute_output: { count: requests, ns },
    },
  });
  const page = (...models: readonly object[]): object => ({ model_stats: models });

  it('give means of what came between two readings', () => {
    const before = readCounts(page(stats('1', 100, 1e6), stats('2', 50, 1e6)), undefined);
    const after = readCounts(page(stats('1', 300, 3e6), stats('2', 50, 1e6)), undefined);
    expect(splitBetween(before, after, 250)).toEqual({
      requests: 200,
      requestUs: 100,
      queueUs: 20,
      computeUs: 50,
      overheadUs: 180,
      rowsPerRun: 2,
    });
  });

  it('are of one version where one is asked for', () => {
    expect(readCounts(page(stats('1', 10, 1), stats('2', 20, 1)), '2')?.requests).toBe(20);
    expect(readCounts(page(stats('1', 10, 1)), '3')).toBeUndefined();
  });

  it('are left out where a server has none, or was started anew meanwhile', () => {
    expect(readCounts({ error: 'not found' }, undefined)).toBeUndefined();
    const [more, less] = [stats('1', 10, 1), stats('1', 5, 1)].map((one) => readCounts(page(one), undefined));
    expect(splitBetween(more, less, 1)).toBeUndefined();
    expect(splitBetween(undefined, more, 1)).toBeUndefined();
  });
});
