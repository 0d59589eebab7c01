/**
 * Pipelines as callers meet them: one model in every format, bit for bit what its models give one after the other; another
 * one when the pipeline is another; candidates that run through it; and one of its models that fails.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Deployment } from '../../registry-store/main.ts';
import type { Pipeline } from '../../registry-store/manifest/pipeline.ts';
import type { Form } from './callers.ts';
import { eventually } from './deadline.ts';
import { DirectSession } from './direct-session.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { lookupModel } from './odd-models.ts';
import { fourPixels, linearModel, offsetModel, scaleModel, topDigitsModel } from './pipeline-models.ts';
import { differences, type Tensor, tensorOf } from './tensor.ts';
import type { Outcome } from './wire-forms.ts';

const patienceMs = 30_000;
let under: GatewayUnderTest;

function part(model: string, version: string, wires: string): Pipeline['before'][number] {
  const sha256 = under.store.current.models.get(model)?.get(version)?.artifact.sha256 ?? '';
  const [output = '', input = ''] = wires.split('=');
  return { model, version, sha256, wires: [{ output, input }] };
}

function digitsPipeline(scale = '1'): Pipeline {
  return {
    before: [part('scale', scale, 'scaled=image')],
    after: [part('top-digits', '1', 'probabilities=scores')],
  };
}

function pin(model: string, version: string): { readonly version: string; readonly sha256: string } {
  return { version, sha256: under.store.current.models.get(model)?.get(version)?.artifact.sha256 ?? '' };
}

function logged(message: string, facts: object): boolean {
  return under.log.some((line) => {
    return line.msg === message && Object.entries(facts).every(([name, value]) => line[name] === value);
  });
}

/** Deploys, and resolves when it is loaded. */
async function deploy(model: string, version: string, more: Partial<Deployment>): Promise<void> {
  const loads = (): number => under.log.filter(({ msg }) => msg === 'version loaded').length;
  const before = loads();
  under.store.deploy(model, version, more);
  await eventually(() => loads() > before, `${model} ${version} to load`, patienceMs);
}

const noise = Array.from({ length: 28 * 28 }, (_, index) => (index * 37) % 256);

function pixels(rows: readonly (readonly number[])[]): Tensor[] {
  return [tensorOf({ name: 'pixels', datatype: 'UINT8', shape: [rows.length, 28, 28] }, rows.flat())];
}

function ask(form: Form, rows = [fourPixels], version?: string): Promise<Outcome> {
  const inputs = pixels(rows);
  return under.caller(form).call({ model: 'digits', inputs, ...(version !== undefined && { version }) });
}

async function json(path: string): Promise<Readonly<Record<string, unknown>>> {
  return (await (await fetch(`${under.url}${path}`)).json()) as Record<string, unknown>;
}

beforeAll(async () => {
  under = await startTestGateway({ models: [], responseCache: { bytesMax: 1 << 20 } });
  under.store.publish('scale', '1', scaleModel(255, { opset: 13 }));
  under.store.publish('scale', '2', scaleModel(-255));
  under.store.publish('top-digits', '1', topDigitsModel());
  for (const version of ['1', '2'])
    under.store.publish('digits', version, demoModel(`digits-${version}.0.0`));
  await deploy('digits', '1', { pipeline: digitsPipeline() });
});
afterAll(() => under.close());

describe('a pipeline around a real model', () => {
  test.each<Form>(['oip-json', 'oip-binary', 'oip-msgpack', 'stream-msgpack'])(
    'answers what its models give one after the other, as %s',
    async (form) => {
      const rows = [noise, fourPixels, noise.toReversed()];
      const files = [scaleModel(255, { opset: 13 }), demoModel('digits-1.0.0'), topDigitsModel()];
      const [scale, digits, top] = await Promise.all(files.map((file) => DirectSession.open(file)));
      const [scaled] = (await scale?.run(pixels(rows))) ?? [];
      const [, scores] = (await digits?.run([{ ...scaled!, name: 'image' }])) ?? [];
      const wanted = (await top?.run([{ ...scores!, name: 'scores' }])) ?? [];
      const outcome = await ask(form, rows);
      if (outcome.kind === 'error') throw new Error(outcome.message);
      expect(differences(outcome.outputs, wanted)).toEqual([]);
      expect(outcome.outputs[1]?.data[1]).toBe('four');
    },
  );

  test('is one model to whoever asks what it is, and only to those', async () => {
    expect(await json('/v2/models/digits')).toMatchObject({
      versions: ['1'],
      inputs: [{ name: 'pixels', datatype: 'UINT8', shape: [-1, 28, 28] }],
      outputs: [
        { name: 'digits', datatype: 'INT64', shape: [-1, 3] },
        { name: 'word', datatype: 'BYTES', shape: [-1] },
      ],
    });
    expect(await json('/v2/models/digits/config')).toMatchObject({
      parameters: { pipeline: { string_value: 'scale@1 -> digits@1 -> top-digits@1' } },
      dynamic_batching: {},
    });
    expect(await json('/v2/models/scale')).toMatchObject({ code: 'UNKNOWN_MODEL' });
  });

  test('and what the model alone takes is not what it takes', async () => {
    const image = tensorOf({ name: 'image', datatype: 'FP32', shape: [1, 1, 28, 28] }, fourPixels);
    const outcome = await under.caller('oip-binary').call({ model: 'digits', inputs: [image] });
    expect(outcome).toMatchObject({ kind: 'error', status: 400 });
  });
});

test('a candidate runs through it too, and both answer in their turn', async () => {
  const candidate = { ...pin('digits', '2'), pipeline: digitsPipeline() };
  await deploy('digits', '1', {
    pipeline: digitsPipeline(),
    strategy: 'canary',
    candidate,
    trafficBps: 5000,
  });
  const body = JSON.stringify({
    features: [Array.from({ length: 28 }, (_, y) => fourPixels.slice(y * 28, y * 28 + 28))],
  });
  const served = new Set<unknown>();
  for (let key = 0; key < 40; key++) {
    const headers = { 'x-routing-key': `user-${key}` };
    const answer = await fetch(`${under.url}/predict/digits`, { method: 'POST', body, headers });
    const { outputs, model_version: version } = (await answer.json()) as Record<string, unknown>;
    expect(outputs).toMatchObject({ word: ['four'] });
    served.add(version);
  }
  expect([...served].sort()).toEqual(['1', '2']);
});

test('a candidate whose pipeline cannot be leaves the live version with the traffic, and the reason is told', async () => {
  const broken = { before: [part('top-digits', '1', 'word=image')], after: [] };
  under.store.deploy('digits', '1', {
    pipeline: digitsPipeline(),
    strategy: 'canary',
    candidate: { ...pin('digits', '2'), pipeline: broken },
    trafficBps: 5000,
  });
  await eventually(
    () => logged('candidate not served, the live version takes all requests', { model: 'digits' }),
    'it to be told',
    patienceMs,
  );
  expect(await json('/v2/health/ready')).toMatchObject({
    ready: true,
    problems: [{ model: 'digits', problem: 'NOT_CURRENT', reason: 'PIPELINE_REFUSED' }],
  });
  expect(await ask('oip-json')).toMatchObject({ kind: 'answer', modelVersion: '1' });
});

test('another pipeline around the same version is loaded anew, answers anew, and the one before is let go', async () => {
  await eventually(
    () => logged('version released', { model: 'digits', version: '2' }),
    'the canary to go',
    patienceMs,
  );
  const word = async (): Promise<unknown> => {
    const outcome = await ask('oip-json');
    return outcome.kind === 'answer' ? outcome.outputs[1]?.data[0] : outcome.code;
  };
  // Twice, so that the response cache has it.
  expect([await word(), await word()]).toEqual(['four', 'four']);
  await deploy('digits', '1', { pipeline: digitsPipeline('2') });
  await eventually(
    () => logged('version released', { model: 'digits', version: '1' }),
    'the old to go',
    patienceMs,
  );
  expect(await word()).not.toBe('four');
  expect(await json('/v2/models/digits/config')).toMatchObject({
    parameters: { pipeline: { string_value: 'scale@2 -> digits@1 -> top-digits@1' } },
  });
  await deploy('digits', '1', {});
  expect(await json('/v2/models/digits')).toMatchObject({ inputs: [{ name: 'image' }] });
});

test('a shadow runs through its pipeline on its own thread and is compared', async () => {
  const candidate = { ...pin('digits', '2'), pipeline: digitsPipeline() };
  await deploy('digits', '1', { pipeline: digitsPipeline() });
  under.store.deploy('digits', '1', {
    ...{
      pipeline: digitsPipeline(),
      strategy: 'shadow',
      candidate,
      trafficBps: 10_000,
      rolloutId: 'digits:1',
    },
  });
  await eventually(() => logged('requests copied to a shadow', { candidate: '2' }), 'the shadow', patienceMs);
  const agreeing = async (): Promise<boolean> => {
    await ask('oip-binary');
    return (await under.metrics()).sum('tidegate_shadow_rows_agreeing_total', { model: 'digits' }) > 0;
  };
  await eventually(agreeing, 'a comparison', patienceMs);
  under.store.deploy('digits', '1', { pipeline: digitsPipeline() });
  await eventually(() => logged('shadow ended', { model: 'digits' }), 'its end', patienceMs);
});

describe('inputs and failures in the middle', () => {
  const vector = (name: string, values: readonly number[]): Tensor =>
    tensorOf({ name, datatype: 'FP32', shape: [values.length / 2, 2] }, values);

  test('what no model gives comes from the caller, and rows of several callers are not mixed up', async () => {
    under.store.publish('double', '1', linearModel({ a: 2, b: 0 }));
    under.store.publish('offset', '1', offsetModel());
    await deploy('offset', '1', { pipeline: { before: [part('double', '1', 'y=y')], after: [] } });
    const caller = under.caller('stream-msgpack');
    const asked = Array.from({ length: 50 }, (_, index) => index);
    const outcomes = await Promise.all(
      asked.map((at) => {
        const inputs = [vector('x', [at, 1]), vector('offset', [0.5, 100])];
        return caller.call({ model: 'offset', inputs, outputs: ['sum'] });
      }),
    );
    const sums = outcomes.map(
      (outcome) => outcome.kind === 'answer' && [...(outcome.outputs[0]?.data ?? [])],
    );
    expect(sums).toEqual(asked.map((at) => [2 * at + 0.5, 102]));
  });

  test('a model that fails is told as the model, the log names it, and the next request is answered', async () => {
    under.store.publish('index', '1', lookupModel());
    under.store.publish('root', '1', linearModel({ a: 1, b: 0 }, ['batch']));
    await deploy('root', '1', { pipeline: { before: [part('index', '1', 'square=x')], after: [] } });
    const look = (at: number): Promise<Outcome> =>
      under.caller('oip-json').call({
        model: 'root',
        inputs: [tensorOf({ name: 'index', datatype: 'INT64', shape: [1] }, [at])],
      });
    expect(await look(99)).toMatchObject({ kind: 'error', code: 'MODEL_FAILED' });
    const line = under.log.find(({ msg, model }) => msg === 'request failed' && model === 'root');
    expect(line).toMatchObject({ detail: expect.stringMatching(/index 1: /) as unknown });
    expect(await look(3)).toMatchObject({ kind: 'answer', outputs: [{ data: Float32Array.of(9) }] });
  });
});
