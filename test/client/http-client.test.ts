/** The HTTP client against a gateway moved by hand: what it sends, when it repeats, how it ends. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  HttpClient,
  type HttpClientOptions,
  type InferCall,
  tensor,
  TidegateError,
} from '../../client/main.ts';
import { eventually } from '../e2e/deadline.ts';
import { packed, unpacked } from '../e2e/wire-forms.ts';
import { FakeGateway, type HttpReply } from './fake-gateway.ts';
import { HandClock } from './hand-clock.ts';

let gateway: FakeGateway;
let clock: HandClock;

beforeEach(async () => {
  gateway = await FakeGateway.start();
  clock = new HandClock();
});

afterEach(async () => {
  await gateway.close();
});

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  return new HttpClient({ url: gateway.url, clock, random: () => 0.5, ...options });
}

const call = { model: 'iris', inputs: { x: tensor('FP32', [1, 2], [1, 2]) } };

const jsonAnswer: HttpReply = {
  headers: { 'content-type': 'application/json' },
  body: '{"model_name":"iris","model_version":"2","outputs":[{"name":"y","shape":[1],"datatype":"INT32","data":[5]}]}',
};

function refusal(status: number, code: string, headers: Record<string, string> = {}): HttpReply {
  return { status, headers, body: JSON.stringify({ error: `because ${code}`, code }) };
}

/** Answers in this order, the last one from then on. */
function script(...replies: HttpReply[]): void {
  gateway.onHttp = () => (replies.length > 1 ? replies.shift() : replies[0]) ?? {};
}

async function errorOf(promise: Promise<unknown>): Promise<TidegateError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (thrown instanceof TidegateError) return thrown;
  throw new Error(`no TidegateError but ${String(thrown)}`);
}

describe('a request', () => {
  test('goes in binary, with its time, and the answer comes as typed arrays', async () => {
    gateway.onHttp = ({ headers, body }) => {
      const headerBytes = Number(headers['inference-header-content-length']);
      const header = Buffer.from(
        '{"model_name":"iris","model_version":"2","outputs":[{"name":"y","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}',
      );
      return {
        headers: { 'inference-header-content-length': String(header.length) },
        body: Buffer.concat([header, body.subarray(headerBytes)]),
      };
    };
    const result = await client({ headers: { authorization: 'Bearer t' } }).infer({
      ...call,
      version: '2/1',
      deadlineMs: 100,
    });
    expect(result).toMatchObject({ model: 'iris', version: '2' });
    expect(result.output('y', 'FP32').data).toEqual(Float32Array.of(1, 2));
    const [sent] = gateway.calls;
    if (sent === undefined) throw new Error('nothing was sent');
    const { path, headers, body } = sent;
    expect(path).toBe('/v2/models/iris/versions/2%2F1/infer');
    expect(headers).toMatchObject({ authorization: 'Bearer t', 'content-type': 'application/octet-stream' });
    expect(body.subarray(0, Number(headers['inference-header-content-length'])).toString()).toContain(
      '"timeout":100000',
    );
  });

  test('goes as JSON or msgpack when that is asked for', async () => {
    script(jsonAnswer);
    await client({ encoding: 'json' }).infer(call);
    const answer = {
      model_name: 'iris',
      model_version: '2',
      outputs: [{ name: 'y', shape: [1], datatype: 'BYTES', data: ['a'] }],
    };
    script({ headers: { 'content-type': 'application/msgpack' }, body: packed(answer) });
    const result = await client({ encoding: 'msgpack' }).infer(call);
    expect(result.output('y').data).toEqual(['a']);
    expect(JSON.parse(gateway.calls[0]?.body.toString() ?? '')).toMatchObject({ inputs: [{ data: [1, 2] }] });
    expect(unpacked(gateway.calls[1]?.body ?? Buffer.of())).toMatchObject({
      inputs: [{ name: 'x', datatype: 'FP32' }],
    });
  });

  test.each<[what: string, wrong: unknown]>([
    ['no model', { ...call, model: '' }],
    ['a deadline of nothing', { ...call, deadlineMs: 0 }],
    ['a broken priority', { ...call, priority: -1 }],
    [
      'a tensor that was made by hand and does not fit',
      { model: 'm', inputs: { x: { ...call.inputs.x, shape: [3] } } },
    ],
    // What a compiler would have said.
    ['nothing', undefined],
    ['no inputs', { model: 'm' }],
    ['inputs that are null', { model: 'm', inputs: null }],
    ['plain numbers for a tensor', { model: 'm', inputs: { x: [1, 2] } }],
    ['nothing for a tensor', { model: 'm', inputs: { x: undefined } }],
    ['a tensor without data', { model: 'm', inputs: { x: { datatype: 'FP32', shape: [2] } } }],
    ['plain numbers as data', { model: 'm', inputs: { x: { datatype: 'FP32', shape: [2], data: [1, 2] } } }],
    ['numbers as BYTES', { model: 'm', inputs: { x: { datatype: 'BYTES', shape: [2], data: [1, 2] } } }],
    ['an unknown datatype', { model: 'm', inputs: { x: { ...call.inputs.x, datatype: 'FP33' } } }],
    ['one output as text', { ...call, outputs: 'y' }],
    ['a parameter that is no value', { ...call, parameters: { a: 1n } }],
    ['a signal that is none', { ...call, signal: {} }],
    ['a version that is a way up', { ...call, version: '..' }],
    ['a model whose name is no text', { ...call, model: '\ud800' }],
  ])('with %s is not sent', async (_, wrong) => {
    expect((await errorOf(client().infer(wrong as InferCall))).code).toBe('INVALID_ARGUMENT');
    expect(gateway.calls).toHaveLength(0);
  });

  test('asks about no model whose name leads elsewhere', async () => {
    for (const asked of [client().isModelReady({ model: '..' }), client().modelMetadata({ model: '.' })]) {
      expect((await errorOf(asked)).code).toBe('INVALID_ARGUMENT');
    }
    expect(gateway.calls).toHaveLength(0);
  });
});

describe('repeating', () => {
  test('waits as long as Retry-After says, and no more often than allowed', async () => {
    script(refusal(503, 'QUEUE_FULL', { 'retry-after': '2' }));
    const answer = errorOf(client({ retry: { attemptsMax: 3, baseMs: 100 } }).infer(call));
    for (const waitMs of [2050, 2100]) {
      await eventually(() => clock.waits[0] === waitMs, `a wait of ${waitMs} ms, not ${clock.waits.join()}`);
      clock.advance(waitMs);
    }
    expect(await answer).toMatchObject({
      code: 'QUEUE_FULL',
      status: 503,
      retryAfterMs: 2000,
      isRetryable: true,
    });
    expect(gateway.calls).toHaveLength(3);
  });

  test('helps when the server comes back, whoever sent the 429', async () => {
    script({ status: 429, body: '<html>' }, jsonAnswer);
    const answer = client().infer(call);
    await eventually(() => clock.waits[0] === 25, 'the backoff');
    clock.advance(25);
    expect((await answer).output('y', 'INT32').data).toEqual(Int32Array.of(5));
  });

  test.each([
    ['before the answer', { drop: true }],
    ['inside the answer', { ...jsonAnswer, drop: true }],
  ])('follows a connection lost %s', async (_, broken) => {
    script(broken, jsonAnswer);
    const answer = client({ retry: { baseMs: 0 } }).infer(call);
    await eventually(() => clock.waits[0] === 0, 'the backoff');
    clock.advance(0);
    expect((await answer).version).toBe('2');
  });

  test('does not begin a wait that the deadline would end', async () => {
    script(refusal(503, 'SHUTTING_DOWN', { 'retry-after': '60' }));
    expect(await errorOf(client().infer({ ...call, deadlineMs: 30_000 }))).toMatchObject({
      code: 'SHUTTING_DOWN',
    });
    expect(gateway.calls).toHaveLength(1);
  });

  test.each([
    ['a mistake of the caller', refusal(400, 'SHAPE_MISMATCH'), { code: 'SHAPE_MISMATCH', status: 400 }],
    ['a broken model', refusal(500, 'MODEL_FAILED'), { code: 'MODEL_FAILED', status: 500 }],
    ['a deadline that the gateway missed', refusal(504, 'DEADLINE_EXCEEDED'), { code: 'DEADLINE_EXCEEDED' }],
    ['an answer that is garbage', { body: 'garbage' }, { code: 'INVALID_RESPONSE' }],
    ['a server of another kind', { status: 404, body: '<html>' }, { code: 'HTTP_ERROR', status: 404 }],
    [
      'an error without a code',
      { status: 400, body: '{"error":"no"}' },
      { code: 'HTTP_ERROR', message: 'no' },
    ],
    [
      'an error in msgpack',
      {
        status: 400,
        headers: { 'content-type': 'application/msgpack' },
        body: packed({ error: 'e', code: 'UNKNOWN_INPUT' }),
      },
      { code: 'UNKNOWN_INPUT' },
    ],
    [
      'a binary answer whose header is hidden',
      { headers: { 'content-type': 'application/octet-stream' }, body: 'x' },
      { code: 'INVALID_RESPONSE' },
    ],
  ])('does not follow %s', async (_, reply, wanted) => {
    script(reply);
    expect(await errorOf(client().infer(call))).toMatchObject(wanted);
    expect(gateway.calls).toHaveLength(1);
  });

  test('a date in Retry-After is a wait too', async () => {
    script(refusal(503, 'QUEUE_FULL', { 'retry-after': new Date(Date.now() + 100_000).toUTCString() }));
    const error = await errorOf(client({ retry: { attemptsMax: 1 } }).infer(call));
    expect(error.retryAfterMs).toBeGreaterThan(50_000);
  });
});

describe('a step of a sequence', () => {
  const step = { ...call, parameters: { sequence_id: 'call 17' } };

  test.each([
    [{ status: 502, body: 'bad gateway' }, 'HTTP_ERROR'],
    [{ status: 504, body: 'no answer' }, 'HTTP_ERROR'],
  ] as const)('is not made again after %j, which leaves open whether it was run', async (reply, code) => {
    script(reply, jsonAnswer);
    expect(await errorOf(client().infer(step))).toMatchObject({ code, isRetryable: false });
    expect(gateway.calls).toHaveLength(1);
  });

  test('is not made again when the connection is lost', async () => {
    const nobody = client({ url: 'http://127.0.0.1:1' });
    expect(await errorOf(nobody.infer(step))).toMatchObject({ code: 'CONNECTION_LOST', isRetryable: false });
    expect(clock.waits).toEqual([]);
  });

  test('is made again where the gateway says that it was not taken', async () => {
    script(refusal(503, 'QUEUE_FULL'), jsonAnswer);
    const answer = client().infer(step);
    await eventually(() => clock.waits[0] === 25, 'the backoff');
    clock.advance(25);
    expect((await answer).model).toBe('iris');
  });
});

test('an answer says whether the gateway had it already', async () => {
  script({ ...jsonAnswer, headers: { ...jsonAnswer.headers, 'x-cache': 'hit' } }, jsonAnswer);
  expect((await client().infer(call)).cache).toBe('hit');
  expect((await client().infer(call)).cache).toBeUndefined();
});

describe('a call ends', () => {
  test('with DEADLINE_EXCEEDED when its time is over', async () => {
    gateway.onHttp = () => new Promise(() => undefined);
    const answer = errorOf(client().infer({ ...call, deadlineMs: 500 }));
    await eventually(() => gateway.calls.length === 1, 'the request');
    clock.advance(500);
    expect((await answer).code).toBe('DEADLINE_EXCEEDED');
    expect(clock.waits).toEqual([]);
  });

  test('with ABORTED when its signal fires, before or after it was sent', async () => {
    gateway.onHttp = () => new Promise(() => undefined);
    expect(await errorOf(client().infer({ ...call, signal: AbortSignal.abort('why') }))).toMatchObject({
      code: 'ABORTED',
      cause: 'why',
    });
    expect(gateway.calls).toHaveLength(0);
    const abort = new AbortController();
    const answer = errorOf(client().infer({ ...call, signal: abort.signal }));
    await eventually(() => gateway.calls.length === 1, 'the request');
    abort.abort();
    expect((await answer).code).toBe('ABORTED');
    expect(clock.waits).toEqual([]);
  });

  test('with ABORTED also while it waits to be repeated', async () => {
    script(refusal(503, 'QUEUE_FULL'));
    const abort = new AbortController();
    const answer = errorOf(client().infer({ ...call, signal: abort.signal }));
    await eventually(() => clock.waits[0] === 25, 'the backoff');
    abort.abort();
    expect((await answer).code).toBe('ABORTED');
  });

  test('with CONNECTION_LOST when nobody is there', async () => {
    const error = await errorOf(client({ url: 'http://127.0.0.1:1', retry: { attemptsMax: 1 } }).infer(call));
    expect(error).toMatchObject({ code: 'CONNECTION_LOST', isRetryable: true });
  });

  test('with CLIENT_CLOSED when the client is closed, waiting or not', async () => {
    gateway.onHttp = () => new Promise(() => undefined);
    const closing = client({ inflightMax: 1 });
    const answers = [errorOf(closing.infer(call)), errorOf(closing.infer(call))];
    await eventually(() => gateway.calls.length === 1, 'the request');
    await closing.close();
    expect((await Promise.all(answers)).map(({ code }) => code)).toEqual(['CLIENT_CLOSED', 'CLIENT_CLOSED']);
    expect((await errorOf(closing.infer(call))).code).toBe('CLIENT_CLOSED');
  });
});

test('only so many calls run, so many wait, and the rest are refused', async () => {
  const replies: (() => void)[] = [];
  gateway.onHttp = () =>
    new Promise((resolve) =>
      replies.push(() => {
        resolve(jsonAnswer);
      }),
    );
  const narrow = client({ inflightMax: 2, waitingMax: 1 });
  const answers = [narrow.infer(call), narrow.infer(call), narrow.infer(call)];
  expect(await errorOf(narrow.infer(call))).toMatchObject({ code: 'QUEUE_FULL', status: undefined });
  await eventually(() => replies.length === 2, 'two requests');
  replies.shift()?.();
  await eventually(() => gateway.calls.length === 3, 'the third request');
  for (const reply of replies) reply();
  expect(await Promise.all(answers)).toHaveLength(3);
});

describe('questions about the server', () => {
  test('health says what the status says, and false for nobody', async () => {
    gateway.onHttp = ({ path }) => ({ status: path.endsWith('/live') ? 200 : 503 });
    expect(await client().health()).toEqual({ live: true, ready: false });
    expect(await client().isModelReady({ model: 'iris' })).toBe(false);
    expect(await client({ url: 'http://127.0.0.1:1' }).health()).toEqual({ live: false, ready: false });
  });

  test('metadata comes typed, and is refused when it is something else', async () => {
    const port = { name: 'x', datatype: 'FP32', shape: [-1, 4] };
    gateway.onHttp = ({ path }) => ({
      body: JSON.stringify(
        path === '/v2'
          ? { name: 'fake', version: '1', extensions: ['binary_tensor_data'] }
          : { name: 'iris', versions: ['2'], platform: 'onnx', inputs: [port], outputs: [port] },
      ),
    });
    expect(await client().metadata()).toEqual({
      name: 'fake',
      version: '1',
      extensions: ['binary_tensor_data'],
    });
    expect(await client().modelMetadata({ model: 'iris', version: '2' })).toMatchObject({ inputs: [port] });
    expect(gateway.calls.at(-1)?.path).toBe('/v2/models/iris/versions/2');
    script({ body: '{"name":5}' });
    expect((await errorOf(client().metadata())).code).toBe('INVALID_RESPONSE');
  });
});

test('an address that is none is refused at once', () => {
  expect(() => client({ url: 'localhost:8000' })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});
