/**
 * Requests that cannot be answered are refused with the code the protocol declares for them, in every format; the
 * message tells a person what to do and nothing about the machine; and the next good request is answered.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ErrorCode, errorTable } from '../../gateway/wire/error-code.ts';
import { badOipJson, badPredict, datatypeModels, smallLimits } from './bad-bodies.ts';
import { badMsgpackElements, badOipMsgpack } from './bad-msgpack.ts';
import { within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection, type RequestParts } from './http-connection.ts';
import { echoModel } from './odd-models.ts';
import { clientFrame, opcode, StreamClient, type StreamMessage } from './stream-client.ts';
import { fieldsOf, packed, unpacked } from './wire-forms.ts';

const models = [
  { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') },
  {
    name: 'pair',
    version: '1.0.0',
    file: echoModel(Array(2).fill({ datatype: 'FP32', shape: ['batch', 2] })),
  },
  ...datatypeModels.map((datatype) => ({
    name: datatype,
    version: '1.0.0',
    file: echoModel([{ datatype, shape: ['batch'] }]),
  })),
];

const json = { 'content-type': 'application/json' };
const msgpack = { 'content-type': 'application/msgpack' };
const goodBody = '{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}]}';
const load = { method: 'POST', path: '/v2/repository/models/iris/load' };
const good = { method: 'POST', path: '/v2/models/iris/infer', headers: json, body: goodBody };

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({ models, limits: smallLimits });
});
afterAll(() => under.close());

/** The test of the tests: after whatever a case did, the gateway answers, and nothing of the case is left. */
afterEach(async () => {
  const answer = await ask(good);
  expect(answer.status).toBe(200);
  expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
});

async function ask(parts: RequestParts): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(under.port);
  try {
    return await within(connection.exchange(parts), 'an answer');
  } finally {
    connection.destroy();
  }
}

function expectRefusal(fields: Readonly<Record<string, unknown>>, code: ErrorCode): void {
  expect(fields).toMatchObject({ code });
  const { error } = fields;
  // A sentence for people, and no path, stack or name of a source file.
  expect(error).toMatch(/^[^\n]{15,600}\.$/);
  expect(error).not.toMatch(/\.[tj]s\b|node_modules|\/(work|home|usr|tmp|mnt)\/|\bat .+:\d+:\d+|Error:/);
}

function expectHttpRefusal(answer: HttpAnswer, code: ErrorCode): void {
  const type = answer.headers.get('content-type');
  const body =
    type === 'application/msgpack' ? unpacked(answer.body) : (JSON.parse(answer.body.toString()) as unknown);
  expectRefusal(fieldsOf(body), code);
  expect(answer.status).toBe(errorTable[code].status);
  expect(answer.headers.has('retry-after')).toBe(errorTable[code].retry === 'later');
}

describe('a body of OIP JSON is refused when it is', () => {
  test.each(badOipJson)('$what ($code)', async ({ model, body, code }) => {
    expectHttpRefusal(
      await ask({ method: 'POST', path: `/v2/models/${model}/infer`, headers: json, body }),
      code,
    );
  });
});

describe('a body of OIP msgpack is refused when it is', () => {
  test.each([...badOipMsgpack, ...badMsgpackElements])('$what ($code)', async ({ model, body, code }) => {
    const answer = await ask({ method: 'POST', path: `/v2/models/${model}/infer`, headers: msgpack, body });
    expect(answer.headers.get('content-type')).toBe('application/msgpack');
    expectHttpRefusal(answer, code);
  });
});

describe('a body of /predict is refused when it is', () => {
  test.each(badPredict)('$what ($code)', async ({ model, body, code }) => {
    expectHttpRefusal(await ask({ method: 'POST', path: `/predict/${model}`, headers: json, body }), code);
  });
});

describe('a request is refused by its line and headers when it has', () => {
  const big = 'x'.repeat(300 * 1024);
  const cases: readonly (RequestParts & { readonly what: string; readonly code: ErrorCode })[] = [
    { what: 'the path /', path: '/', code: 'NOT_FOUND' },
    { what: 'an unknown path', path: '/v1/models', code: 'NOT_FOUND' },
    { what: 'an unknown path and POST', method: 'POST', path: '/infer', body: goodBody, code: 'NOT_FOUND' },
    { what: 'a path with two slashes', path: '//v2//models', code: 'NOT_FOUND' },
    { what: 'a very long path', path: `/${'x'.repeat(3000)}`, code: 'NOT_FOUND' },
    { what: 'an unknown model', ...good, path: '/v2/models/nobody/infer', code: 'UNKNOWN_MODEL' },
    { what: 'an empty model', ...good, path: '/v2/models//infer', code: 'NOT_FOUND' },
    { what: 'a model that does not decode', ...good, path: '/v2/models/%zz/infer', code: 'UNKNOWN_MODEL' },
    { what: 'a model cut off', ...good, path: '/v2/models/iris%/infer', code: 'UNKNOWN_MODEL' },
    { what: 'a model not in UTF-8', ...good, path: '/v2/models/%ff%fe/infer', code: 'UNKNOWN_MODEL' },
    { what: 'a model with a NUL', ...good, path: '/v2/models/iris%00/infer', code: 'UNKNOWN_MODEL' },
    { what: 'a model that climbs', ...good, path: '/v2/models/..%2f..%2firis/infer', code: 'UNKNOWN_MODEL' },
    { what: 'a property as model', ...good, path: '/v2/models/__proto__/infer', code: 'UNKNOWN_MODEL' },
    {
      what: 'an unknown version',
      ...good,
      path: '/v2/models/iris/versions/9.9.9/infer',
      code: 'UNKNOWN_VERSION',
    },
    {
      what: 'a version that does not decode',
      ...good,
      path: '/v2/models/iris/versions/%zz/infer',
      code: 'UNKNOWN_VERSION',
    },
    { what: 'an unknown model and /predict', ...good, path: '/predict/nobody', code: 'UNKNOWN_MODEL' },
    { what: 'an unknown version and /predict', ...good, path: '/predict/iris/3', code: 'UNKNOWN_VERSION' },
    { what: 'an unknown model and metadata', path: '/v2/models/nobody', code: 'UNKNOWN_MODEL' },
    { what: 'an unknown model and readiness', path: '/v2/models/nobody/ready', code: 'UNKNOWN_MODEL' },
    { what: 'GET for a prediction', path: '/v2/models/iris/infer', code: 'METHOD_NOT_ALLOWED' },
    { what: 'PUT', ...good, method: 'PUT', code: 'METHOD_NOT_ALLOWED' },
    { what: 'DELETE', ...good, method: 'DELETE', code: 'METHOD_NOT_ALLOWED' },
    { what: 'POST for metadata', ...good, path: '/v2/models/iris', code: 'METHOD_NOT_ALLOWED' },
    { what: 'POST for metrics', ...good, path: '/metrics', code: 'METHOD_NOT_ALLOWED' },
    { what: 'no upgrade for the stream', path: '/v2/stream', code: 'UPGRADE_REQUIRED' },
    { what: 'no body', ...good, body: '', code: 'EMPTY_BODY' },
    ...['application/xml', 'multipart/form-data; boundary=x', 'image/png', 'json'].map((type) => ({
      what: `the content type ${type}`,
      ...good,
      headers: { 'content-type': type },
      code: 'UNSUPPORTED_MEDIA_TYPE' as const,
    })),
    ...['application/json; charset=utf-16', 'text/plain; format=flowed; charset="ISO-8859-1"'].map(
      (type) => ({
        what: `the content type ${type}`,
        ...good,
        headers: { 'content-type': type },
        code: 'UNSUPPORTED_MEDIA_TYPE' as const,
      }),
    ),
    ...['zstd', 'compress', 'deflate, gzip'].map((encoding) => ({
      what: `the content encoding ${encoding}`,
      ...good,
      headers: { ...json, 'content-encoding': encoding },
      code: 'UNSUPPORTED_ENCODING' as const,
    })),
    {
      what: 'msgpack for /predict',
      ...good,
      path: '/predict/iris',
      headers: msgpack,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    },
    {
      what: 'a body that is not what its content encoding says',
      ...good,
      headers: { ...json, 'content-encoding': 'gzip' },
      code: 'MALFORMED_COMPRESSION',
    },
    { what: 'a load on a node that may not', ...load, code: 'STORE_READ_ONLY' },
    { what: 'a load that is no JSON', ...load, body: '{', code: 'MALFORMED_JSON' },
    {
      what: 'a repository with a name',
      ...load,
      path: '/v2/repository/main/index',
      code: 'NOT_SUPPORTED',
    },
    { what: 'a body beyond the limit', ...good, body: big, code: 'BODY_TOO_LARGE' },
    { what: 'a msgpack body beyond the limit', ...good, headers: msgpack, body: big, code: 'BODY_TOO_LARGE' },
  ];
  test.each(cases)('$what ($code)', async ({ code, ...parts }) => {
    const answer = await ask(parts);
    expectHttpRefusal(answer, code);
    expect(answer.headers.has('allow')).toBe(code === 'METHOD_NOT_ALLOWED');
    // RFC 9110, section 12.5.3: only where an encoding was the reason.
    expect(answer.headers.has('accept-encoding')).toBe(code === 'UNSUPPORTED_ENCODING');
    if (code === 'METHOD_NOT_ALLOWED') {
      expect(answer.body.toString()).toContain(`${parts.method ?? 'GET'} is not possible`);
    }
  });
});

describe('a frame is refused when it is', () => {
  const bodies = [...badOipMsgpack, ...badMsgpackElements];
  const asFrame = (model: string, body: string | Uint8Array): Uint8Array => {
    const bytes = Buffer.from(body);
    // The same map with two more pairs; what is no map goes as it is.
    const first = bytes[0] ?? 0;
    if (first < 0x81 || first > 0x8d) return bytes;
    const address = packed({ id: 'f', model }).subarray(1);
    return Buffer.concat([Buffer.of(first + 2), address, bytes.subarray(1)]);
  };

  const skipped = new Set(['an id that is a list', 'an id that is a fraction']);
  test.each(bodies.filter(({ what }) => !skipped.has(what)))(
    '$what ($code)',
    async ({ model, body, code }) => {
      const answer = unpacked((await sendFrames(clientFrame(asFrame(model, body)))).payload);
      expectRefusal(answer, code);
    },
  );

  const input = { name: 'features', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4] };
  const frames: readonly { what: string; frame: unknown; code: ErrorCode; id: unknown }[] = [
    { what: 'without an id', frame: { model: 'iris', inputs: [input] }, code: 'INVALID_REQUEST', id: null },
    {
      what: 'with a nil id',
      frame: { id: null, model: 'iris', inputs: [input] },
      code: 'INVALID_REQUEST',
      id: null,
    },
    {
      what: 'with a list as id',
      frame: { id: [], model: 'iris', inputs: [] },
      code: 'INVALID_REQUEST',
      id: null,
    },
    { what: 'without a model', frame: { id: 4, inputs: [input] }, code: 'INVALID_REQUEST', id: 4 },
    {
      what: 'with a number as model',
      frame: { id: 4, model: 4, inputs: [] },
      code: 'INVALID_REQUEST',
      id: 4,
    },
    { what: 'without inputs', frame: { id: 'a', model: 'iris' }, code: 'INVALID_REQUEST', id: 'a' },
    { what: 'for nobody', frame: { id: 'a', model: 'nobody', inputs: [] }, code: 'UNKNOWN_MODEL', id: 'a' },
    {
      what: 'for an unknown version',
      frame: { id: 'a', model: 'iris', version: '7', inputs: [input] },
      code: 'UNKNOWN_VERSION',
      id: 'a',
    },
  ];
  test.each(frames)('$what ($code)', async ({ frame, code, id }) => {
    const answer = unpacked((await sendFrames(clientFrame(packed(frame)))).payload);
    expectRefusal(answer, code);
    expect(answer['id']).toBe(id);
  });

  test('text that is no request, and the socket stays open', async () => {
    const client = await StreamClient.open(under.port);
    client.write(clientFrame('hello?', { opcode: opcode.text }));
    const refusal = await within(client.next(), 'a refusal');
    expect(refusal?.opcode).toBe(opcode.text);
    expectRefusal(fieldsOf(JSON.parse(String(refusal?.payload))), 'MALFORMED_JSON');
    client.send(packed({ id: 1, model: 'iris', inputs: [input] }));
    expect(unpacked((await within(client.next(), 'an answer'))!.payload)).toMatchObject({ id: 1 });
    client.destroy();
  });

  test('one of two with the same id in flight, and the first is answered', async () => {
    const client = await StreamClient.open(under.port);
    const frame = clientFrame(packed({ id: 'same', model: 'iris', inputs: [input] }));
    const answers: Readonly<Record<string, unknown>>[] = [];
    const both = new Promise<void>((resolve) => {
      client.onMessage(({ payload }) => {
        if (answers.push(unpacked(payload)) === 2) resolve();
      });
    });
    client.write(Buffer.concat([frame, frame]));
    await within(both, 'two answers');
    const [refused, answered] = answers;
    expectRefusal(refused ?? {}, 'INVALID_REQUEST');
    expect(refused).toMatchObject({ id: 'same' });
    expect(answered).toMatchObject({ id: 'same', model_name: 'iris' });
    client.destroy();
  });

  test.each([
    { what: 'larger than the limit', bytes: clientFrame(Buffer.alloc(65 * 1024)) },
    { what: 'with a reserved opcode', bytes: clientFrame('x', { opcode: 3 }) },
    { what: 'a fragmented ping', bytes: clientFrame('x', { opcode: opcode.ping, final: false }) },
    { what: 'text that is not UTF-8', bytes: clientFrame(Buffer.of(0xff), { opcode: opcode.text }) },
  ])('$what, by closing the socket', async ({ bytes }) => {
    const client = await StreamClient.open(under.port);
    client.write(bytes);
    await within(client.closed, 'the end of the socket');
  });

  test('in two fragments it is not refused at all', async () => {
    const message = packed({ id: 'two', model: 'iris', inputs: [input] });
    const answer = await sendFrames(
      clientFrame(message.subarray(0, 20), { final: false }),
      clientFrame(message.subarray(20), { opcode: opcode.continuation }),
    );
    expect(unpacked(answer.payload)).toMatchObject({ id: 'two', model_name: 'iris' });
  });
});

async function sendFrames(...frames: readonly Uint8Array[]): Promise<StreamMessage> {
  const client = await StreamClient.open(under.port);
  try {
    client.write(Buffer.concat(frames));
    const message = await within(client.next(), 'an answer');
    if (message === undefined) throw new Error('the socket was closed');
    return message;
  } finally {
    client.destroy();
  }
}
