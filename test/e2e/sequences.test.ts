/**
 * Models with state: what they remember between the calls of one sequence, whatever the calls come by, and what their
 * callers are told when it is gone. The voice detection is held against the same model run in a loop, bit for bit.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { Form } from './callers.ts';
import { eventually } from './deadline.ts';
import { DirectSession } from './direct-session.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { ModelThreads } from './model-threads.ts';
import { slowModel } from './odd-models.ts';
import { speechCalls, vadModel, vadState } from './speech.ts';
import { growingModel, growingState, sumModel, sumState } from './stateful-models.ts';
import { differences, type Tensor, tensorOf } from './tensor.ts';
import type { Call, Outcome } from './wire-forms.ts';

let under: GatewayUnderTest;
afterEach(() => under.close());

const sumFile = { name: 'sum', version: '1', file: sumModel(1), state: sumState };

const x = (values: readonly number[]): Tensor =>
  tensorOf({ name: 'x', datatype: 'FP32', shape: [values.length / 2, 2] }, values);

type Place = Readonly<Record<string, string | number | boolean>>;

function sumCall(values: readonly number[], parameters: Place): Call {
  return { model: 'sum', inputs: [x(values)], parameters };
}

/** The running sum, or the code of the refusal. */
function total(outcome: Outcome): unknown {
  if (outcome.kind === 'error') return outcome.code;
  expect(outcome.outputs.map(({ name }) => name)).toEqual(['total', 'version']);
  return [...(outcome.outputs[0]?.data ?? [])];
}

/** Probabilities of one frame after the other, from the model alone. */
async function directly(calls: readonly (readonly Tensor[])[]): Promise<Tensor[]> {
  const session = await DirectSession.open(vadModel());
  const [{ shape }] = vadState;
  let state = tensorOf({ name: 'state', datatype: 'FP32', shape }, new Array<number>(256).fill(0));
  const found: Tensor[] = [];
  for (const inputs of calls) {
    const [output, next] = await session.run([...inputs, state]);
    state = { ...next!, name: 'state' };
    found.push(output!);
  }
  return found;
}

describe('voice detection on a recording', () => {
  const frames = 24;
  const sequences: readonly { readonly form: Form; readonly startMs: number; readonly ahead: boolean }[] = [
    { form: 'stream-msgpack', startMs: 100, ahead: true },
    { form: 'oip-binary', startMs: 700, ahead: false },
    { form: 'oip-json', startMs: 1500, ahead: false },
    { form: 'oip-msgpack', startMs: 100, ahead: false },
  ];

  /** By where in the recording they begin; the same for any number of threads. */
  const wanted = new Map<number, Tensor[]>();

  test.each([{ threads: 1 }, { threads: 2 }])(
    'gives the probabilities of a loop over the model on $threads threads, for sequences side by side',
    async ({ threads }) => {
      const vad = { name: 'vad', version: '5', file: vadModel(), state: vadState };
      under = await startTestGateway({ models: [vad], threads, limits: { sequenceWaitingMax: frames } });
      const answers = sequences.map(async ({ form, startMs, ahead }, number) => {
        const caller = under.caller(form);
        const calls = speechCalls(startMs, frames).map((inputs, index): Call => {
          const parameters = { sequence_id: `voice ${number}`, sequence_start: index === 0 };
          return { model: 'vad', inputs, parameters: { ...parameters, sequence_end: index === frames - 1 } };
        });
        if (ahead) return Promise.all(calls.map((call) => caller.call(call)));
        const outcomes: Outcome[] = [];
        for (const call of calls) outcomes.push(await caller.call(call));
        return outcomes;
      });
      for (const startMs of new Set(sequences.map((sequence) => sequence.startMs)))
        wanted.set(startMs, wanted.get(startMs) ?? (await directly(speechCalls(startMs, frames))));
      for (const [number, { startMs }] of sequences.entries()) {
        const found = (await answers[number]!).flatMap((outcome) =>
          outcome.kind === 'answer' ? outcome.outputs : [],
        );
        expect(differences(found, wanted.get(startMs) ?? [])).toEqual([]);
      }
      const probabilities = (wanted.get(100) ?? []).map(({ data }) => Number(data[0]));
      // There is a voice, and there is silence before it.
      expect(Math.min(...probabilities)).toBeLessThan(0.1);
      expect(Math.max(...probabilities)).toBeGreaterThan(0.8);
    },
    120_000,
  );
});

describe('a sequence', () => {
  const naming = [
    'oip-json',
    'oip-binary',
    'oip-msgpack',
    'stream-msgpack',
    'stream-msgpack-values',
  ] as const;

  test('remembers, starts again and ends, in every form that names it', async () => {
    under = await startTestGateway({ models: [sumFile] });
    for (const form of naming) await liveIn(form);
  });

  async function liveIn(form: Form): Promise<void> {
    const caller = under.caller(form);
    const send = async (values: readonly number[], place: Place): Promise<unknown> =>
      total(await caller.call(sumCall(values, place)));
    expect(await send([1, 2], { sequence_id: 7, sequence_start: true })).toEqual([1, 2]);
    expect(await send([1, 2], { sequence_id: 'other', sequence_start: true })).toEqual([1, 2]);
    expect(await send([10, 20], { sequence_id: 7 })).toEqual([11, 22]);
    // A number and its text are one id.
    expect(await send([100, 200], { sequence_id: '7' })).toEqual([111, 222]);
    expect(await send([5, 5], { sequence_id: 7, sequence_start: true })).toEqual([5, 5]);
    expect(await send([1, 1], { sequence_id: 7, sequence_end: true })).toEqual([6, 6]);
    expect(await send([1, 1], { sequence_id: 7 })).toBe('SEQUENCE_LOST');
    expect(await send([1, 1], { sequence_id: 'other', sequence_end: true })).toEqual([2, 3]);
    expect(await send([1, 1], { sequence_id: 8, sequence_start: true, sequence_end: true })).toEqual([1, 1]);
    expect(await send([1, 1], { sequence_id: 8 })).toBe('SEQUENCE_LOST');
    expect(await send([1, 1], {})).toBe('SEQUENCE_REQUIRED');
    expect(await send([1, 1], { sequence_start: true })).toBe('SEQUENCE_REQUIRED');
  }

  test('has several rows, always as many', async () => {
    under = await startTestGateway({ models: [sumFile] });
    const caller = under.caller('oip-json');
    const send = async (values: readonly number[], place: Place = {}): Promise<unknown> =>
      total(await caller.call(sumCall(values, { sequence_id: 1, ...place })));
    expect(await send([1, 2, 3, 4], { sequence_start: true })).toEqual([1, 2, 3, 4]);
    expect(await send([1, 1])).toBe('SHAPE_MISMATCH');
    expect(await send([1, 1, 1, 1])).toEqual([2, 3, 4, 5]);
  });

  test('shares runs with others, and each keeps its own state', async () => {
    const slow = { name: 'slow', version: '1', file: slowModel(50) };
    under = await startTestGateway({ models: [sumFile, slow], inlineRunUsMax: 0 });
    const caller = under.caller('stream-msgpack');
    // While the only thread is busy, what comes meanwhile joins one run.
    const busy = caller.call({
      model: 'slow',
      inputs: [
        tensorOf({ name: 'x', datatype: 'FP32', shape: [64, 256] }, new Array<number>(64 * 256).fill(1)),
      ],
    });
    const totals = await Promise.all(
      Array.from({ length: 20 }, async (_, id) => {
        const outcomes = await Promise.all(
          [0, 1, 2].map((step) =>
            caller.call(sumCall([id, step], { sequence_id: id + 1, sequence_start: step === 0 })),
          ),
        );
        return outcomes.map(total);
      }),
    );
    await busy;
    const wanted = Array.from({ length: 20 }, (_, id) => [
      [id, 0],
      [2 * id, 1],
      [3 * id, 3],
    ]);
    expect(totals).toEqual(wanted);
    const metrics = await under.metrics();
    expect(metrics.sum('nv_inference_count', { model: 'sum' })).toBe(60);
    expect(metrics.sum('nv_inference_exec_count', { model: 'sum' })).toBeLessThan(30);
  });

  test('is interrupted by a call that was not answered, and goes on from the one before', async () => {
    const slow = { name: 'slow', version: '1', file: slowModel(50) };
    under = await startTestGateway({ models: [sumFile, slow], inlineRunUsMax: 0 });
    const caller = under.caller('stream-msgpack');
    const rows = 256;
    const busy = caller.call({
      model: 'slow',
      inputs: [
        tensorOf({ name: 'x', datatype: 'FP32', shape: [rows, 256] }, new Array<number>(rows * 256).fill(1)),
      ],
    });
    const place = { sequence_id: 1 };
    const answers = await Promise.all([
      caller.call(sumCall([1, 1], { ...place, sequence_start: true })),
      // One microsecond: it waits for the one before, which waits for the thread.
      caller.call(sumCall([10, 10], { ...place, timeout: 1 })),
      caller.call(sumCall([100, 100], place)),
    ]);
    await busy;
    expect(answers.map(total)).toEqual([[1, 1], 'DEADLINE_EXCEEDED', 'SEQUENCE_INTERRUPTED']);
    expect(total(await caller.call(sumCall([10, 10], place)))).toEqual([11, 11]);
  }, 60_000);

  test('remembers what grows, until there is no room for it', async () => {
    const growing = { name: 'growing', version: '1', file: growingModel(), state: growingState };
    under = await startTestGateway({ models: [growing], limits: { sequenceBytesMax: 1024 } });
    const caller = under.caller('oip-json');
    const send = async (count: number, place: Place = {}): Promise<unknown> => {
      const inputs = [
        tensorOf({ name: 'x', datatype: 'FP32', shape: [1, count] }, new Array<number>(count).fill(1)),
      ];
      const outcome = await caller.call({
        model: 'growing',
        inputs,
        parameters: { sequence_id: 1, ...place },
      });
      return outcome.kind === 'error' ? outcome.code : outcome.outputs[0]?.data[0];
    };
    expect(await send(3, { sequence_start: true })).toBe(3);
    expect(await send(100)).toBe(103);
    expect(await send(153)).toBe(256);
    // One more number than fits: it is answered, and not remembered.
    expect(await send(1)).toBe(257);
    expect(await send(1)).toBe('SEQUENCE_LOST');
  });

  test('is forgotten when it is silent for too long', async () => {
    under = await startTestGateway({ models: [sumFile], limits: { sequenceIdleMsMax: 10 } });
    const caller = under.caller('oip-json');
    const start = { sequence_id: 1, sequence_start: true };
    expect(total(await caller.call(sumCall([1, 2], start)))).toEqual([1, 2]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(total(await caller.call(sumCall([1, 2], { sequence_id: 1 })))).toBe('SEQUENCE_LOST');
  });

  test('needs a place among those that are open', async () => {
    under = await startTestGateway({ models: [sumFile], limits: { sequencesMax: 1 } });
    const caller = under.caller('oip-json');
    const start = async (id: number): Promise<unknown> =>
      total(await caller.call(sumCall([1, 1], { sequence_id: id, sequence_start: true })));
    expect(await start(1)).toEqual([1, 1]);
    const metrics = await under.metrics();
    expect(metrics.sum('tidegate_sequences')).toBe(1);
    // Two numbers of 4 bytes.
    expect(metrics.sum('tidegate_sequence_bytes')).toBe(8);
    expect(await start(2)).toBe('TOO_MANY_SEQUENCES');
    await caller.call(sumCall([1, 1], { sequence_id: 1, sequence_end: true }));
    expect(await start(2)).toEqual([1, 1]);
  });

  test('goes on after its thread is lost', async () => {
    const threads = new ModelThreads();
    try {
      under = await startTestGateway({ models: [sumFile], inlineRunUsMax: 0 });
      const caller = under.caller('oip-json');
      const start = { sequence_id: 1, sequence_start: true };
      expect(total(await caller.call(sumCall([1, 2], start)))).toEqual([1, 2]);
      await threads.killOldest();
      const idle = async (): Promise<boolean> =>
        (await under.metrics()).sum('tidegate_threads', { state: 'idle' }) === 1;
      await eventually(idle, 'another thread', 20_000);
      expect(total(await caller.call(sumCall([10, 20], { sequence_id: 1 })))).toEqual([11, 22]);
    } finally {
      threads.restore();
    }
  }, 60_000);
});

test('a sequence stays on its version when another goes live, and ends when its version leaves', async () => {
  under = await startTestGateway({ models: [sumFile] });
  const caller = under.caller('oip-json');
  const send = async (place: Place): Promise<readonly unknown[]> => {
    const outcome = await caller.call(sumCall([1, 1], place));
    return outcome.kind === 'error'
      ? [outcome.code]
      : [outcome.modelVersion, ...outcome.outputs.map(({ data }) => data[0])];
  };
  const versionIs = (version: string): Promise<boolean> =>
    eventually(
      async () => (await send({ sequence_id: 'look', sequence_start: true }))[0] === version,
      `version ${version} to be live`,
      20_000,
    );
  expect(await send({ sequence_id: 'old', sequence_start: true })).toEqual(['1', 1, 1]);
  under.store.publish('sum', '2', sumModel(2), { state: sumState });
  under.store.deploy('sum', '2');
  await versionIs('2');
  expect(await send({ sequence_id: 'old' })).toEqual(['1', 2, 1]);
  expect(await send({ sequence_id: 'new', sequence_start: true })).toEqual(['2', 1, 2]);
  under.store.publish('sum', '3', sumModel(3), { state: sumState });
  under.store.deploy('sum', '3');
  await versionIs('3');
  expect(await send({ sequence_id: 'old' })).toEqual(['SEQUENCE_LOST']);
  expect(await send({ sequence_id: 'new' })).toEqual(['2', 2, 2]);
  expect(await send({ sequence_id: 'new', sequence_start: true })).toEqual(['3', 1, 3]);
}, 60_000);

test('a version with state cannot be a shadow, and the live version serves on', async () => {
  under = await startTestGateway({ models: [sumFile] });
  under.store.publish('sum', '2', sumModel(2), { state: sumState });
  under.store.deploy('sum', '1', {
    strategy: 'shadow',
    candidate: { version: '2', sha256: 'a'.repeat(64) },
    trafficBps: 5000,
  });
  const refusal = (): unknown =>
    under.log.find(({ msg }) => msg.startsWith('candidate not served'))?.['reason'];
  expect(await eventually(() => refusal() ?? false, 'the refusal', 20_000)).toMatch(/^STATEFUL_SHADOW: /);
  const start = sumCall([1, 2], { sequence_id: 1, sequence_start: true });
  expect(total(await under.caller('oip-json').call(start))).toEqual([1, 2]);
}, 60_000);

describe('what callers see of a model with state', () => {
  test('is neither its state among the inputs nor among the outputs', async () => {
    under = await startTestGateway({ models: [sumFile] });
    const metadata = (await (await fetch(`${under.url}/v2/models/sum`)).json()) as Record<string, object[]>;
    expect(metadata['inputs']).toMatchObject([{ name: 'x' }]);
    expect(metadata['outputs']).toMatchObject([{ name: 'total' }, { name: 'version' }]);
    expect(await (await fetch(`${under.url}/v2`)).json()).toMatchObject({
      extensions: expect.arrayContaining(['sequence']) as unknown,
    });
    expect(await (await fetch(`${under.url}/v2/models/sum/config`)).json()).toMatchObject({
      input: [{ name: 'x' }],
      sequence_batching: {
        max_sequence_idle_microseconds: 60_000_000,
        state: [{ input_name: 'sum', output_name: 'next', data_type: 'TYPE_FP32', dims: [2] }],
      },
    });
    const caller = under.caller('oip-json');
    const start = { sequence_id: 1, sequence_start: true };
    const wanted = await caller.call({ ...sumCall([1, 2], start), outputs: ['version', 'total'] });
    expect(wanted).toMatchObject({ outputs: [{ name: 'version' }, { name: 'total' }] });
    expect(await caller.call({ ...sumCall([1, 2], start), outputs: ['next'] })).toMatchObject({
      code: 'UNKNOWN_OUTPUT',
    });
    const sent = [x([1, 2]), { ...x([0, 0]), name: 'sum' }];
    expect(await caller.call({ ...sumCall([1, 2], start), inputs: sent })).toMatchObject({
      code: 'UNKNOWN_INPUT',
    });
    const body = JSON.stringify({ features: [[1, 2]] });
    const predicted = await fetch(`${under.url}/predict/sum`, { method: 'POST', body });
    expect(await predicted.json()).toMatchObject({ code: 'SEQUENCE_REQUIRED' });
  });

  test('is refused where there is no state, and where the JSON is too large to be read at once', async () => {
    const iris = { name: 'plain', version: '1', file: growingModel() };
    under = await startTestGateway({ models: [sumFile, iris], limits: { inlineJsonBytesMax: 400 } });
    const caller = under.caller('oip-json');
    const many = new Array<number>(200).fill(1);
    expect(total(await caller.call(sumCall(many, { sequence_id: 1, sequence_start: true })))).toBe(
      'BODY_TOO_LARGE',
    );
    for (const count of [1, 200]) {
      const values = new Array<number>(count).fill(1);
      const past = tensorOf({ name: 'past', datatype: 'FP32', shape: [1, count] }, values);
      const inputs = [{ ...past, name: 'x' }, past];
      const outcome = await caller.call({ model: 'plain', inputs, parameters: { sequence_id: 1 } });
      expect(outcome).toMatchObject({ status: 400, code: 'UNSUPPORTED_PARAMETER' });
    }
  });
});
