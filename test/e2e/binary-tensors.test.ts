/**
 * The binary tensor data extension as existing clients use it: what they send by default, mixed forms, raw bodies, and
 * what comes back. That all datatypes and shapes survive is in datatypes.test.ts and shapes.test.ts, which also speak
 * this form.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorTable } from '../../gateway/wire/error-code.ts';
import { badBinary } from './bad-binary.ts';
import { datatypeModels, smallLimits } from './bad-bodies.ts';
import { type BinaryBody, binaryBody, jsonBytesHeader, oipBinaryOutcome } from './binary-form.ts';
import { within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import { echoModel } from './odd-models.ts';
import { fieldsOf } from './wire-forms.ts';

const models = [
  { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') },
  {
    name: 'pair',
    version: '1.0.0',
    file: echoModel(Array(2).fill({ datatype: 'FP32', shape: ['batch', 2] })),
  },
  { name: 'word', version: '1.0.0', file: echoModel([{ datatype: 'BYTES', shape: ['batch', 1] }]) },
  { name: 'series', version: '1.0.0', file: echoModel([{ datatype: 'FP32', shape: ['batch', 'length'] }]) },
  { name: 'image', version: '1.0.0', file: echoModel([{ datatype: 'FP16', shape: ['batch', 'h', 'w'] }]) },
  ...datatypeModels.map((datatype) => ({
    name: datatype,
    version: '1.0.0',
    file: echoModel([{ datatype, shape: ['batch'] }]),
  })),
];

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({ models, limits: smallLimits });
});
afterAll(() => under.close());

async function ask(
  model: string,
  { headers, body }: { readonly headers?: BinaryBody['headers']; readonly body: Uint8Array | string },
): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(under.port);
  try {
    const path = `/v2/models/${model}/infer`;
    return await within(
      connection.exchange({ method: 'POST', path, ...(headers === undefined ? {} : { headers }), body }),
      'an answer',
    );
  } finally {
    connection.destroy();
  }
}

const x0 = (shape: readonly number[]): object => ({ name: 'x0', shape, datatype: 'FP32' });
const x1 = (shape: readonly number[]): object => ({ name: 'x1', shape, datatype: 'FP32' });
const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);
/** The JSON and the bytes of an answer with binary outputs. */
function parts({ body, headers }: HttpAnswer): { readonly json: unknown; readonly bytes: Buffer } {
  const jsonBytes = Number(headers.get(jsonBytesHeader));
  expect(jsonBytes % 8).toBe(0);
  expect(headers.get('content-type')).toBe('application/octet-stream');
  return { json: JSON.parse(body.subarray(0, jsonBytes).toString()), bytes: body.subarray(jsonBytes) };
}

describe('a request of the usual Python client', () => {
  /** Byte for byte as tritonclient.http writes it: no content type, every output asked for in binary. */
  const text =
    '{"inputs":[{"name":"x0","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}},' +
    '{"name":"x1","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],' +
    '"outputs":[{"name":"y0","parameters":{"binary_data":true}},{"name":"y1","parameters":{"binary_data":true}}]}';

  test('is answered in binary, tensors in the order asked for', async () => {
    const body = Buffer.concat([Buffer.from(text), floats(1, 2), floats(3, 4)]);
    const answer = await ask('pair', { headers: { [jsonBytesHeader]: String(text.length) }, body });
    expect(answer.status).toBe(200);
    const { json, bytes } = parts(answer);
    expect(json).toEqual({
      model_name: 'pair',
      model_version: '1.0.0',
      outputs: [
        { name: 'y0', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
        { name: 'y1', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
      ],
    });
    expect(bytes).toEqual(Buffer.concat([floats(1, 2), floats(3, 4)]));
  });

  test('is not mistaken for another format because of its content type', async () => {
    const body = Buffer.concat([Buffer.from(text), floats(1, 2), floats(3, 4)]);
    for (const type of ['application/octet-stream', 'application/json', 'application/msgpack', 'image/png']) {
      const headers = { [jsonBytesHeader]: String(text.length), 'content-type': type };
      expect((await ask('pair', { headers, body })).status).toBe(200);
    }
  });

  test('may have its tensors at any address', async () => {
    const message = JSON.parse(text) as object;
    for (let padding = 0; padding < 9; padding++) {
      const answer = await ask('pair', binaryBody(message, [floats(1, 2), floats(3, 4)], padding));
      expect(parts(answer).bytes).toEqual(floats(1, 2, 3, 4));
    }
  });
});

describe('inputs and outputs may each be JSON or binary', () => {
  test('one of each, in both directions', async () => {
    const { headers, body } = binaryBody(
      {
        id: 'mixed',
        inputs: [
          { ...x1([1, 2]), data: [3, 4] },
          { ...x0([1, 2]), parameters: { binary_data_size: 8 } },
        ],
        outputs: [{ name: 'y0' }, { name: 'y1', parameters: { binary_data: true } }],
      },
      [floats(1, 2)],
    );
    const { json, bytes } = parts(await ask('pair', { headers, body }));
    expect(json).toMatchObject({
      id: 'mixed',
      outputs: [
        { name: 'y0', data: [1, 2] },
        { name: 'y1', parameters: { binary_data_size: 8 } },
      ],
    });
    expect(bytes).toEqual(floats(3, 4));
  });

  test('binary inputs and JSON outputs: a plain answer', async () => {
    const answer = await ask(
      'series',
      binaryBody({ inputs: [{ ...x0([1, 2]), parameters: { binary_data_size: 8 } }] }, [floats(1, 2)]),
    );
    expect(answer.headers.has(jsonBytesHeader)).toBe(false);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(String(answer.body))).toMatchObject({ outputs: [{ name: 'y0', data: [1, 2] }] });
  });

  test('JSON inputs without the header, binary outputs', async () => {
    const inputs = [{ ...x0([1, 2]), data: [1, 2] }];
    for (const wish of [
      { parameters: { binary_data_output: true } },
      { outputs: [{ name: 'y0', parameters: { binary_data: true } }] },
    ]) {
      const answer = await ask('series', { body: JSON.stringify({ inputs, ...wish }) });
      expect(parts(answer).bytes).toEqual(floats(1, 2));
    }
  });

  test('what one output says goes before what the request says', async () => {
    const inputs = [
      { ...x0([1, 2]), data: [1, 2] },
      { ...x1([1, 2]), data: [3, 4] },
    ];
    const outputs = [{ name: 'y0', parameters: { binary_data: false } }, { name: 'y1' }];
    const parameters = { binary_data_output: true };
    const { json, bytes } = parts(
      await ask('pair', { body: JSON.stringify({ inputs, outputs, parameters }) }),
    );
    expect(json).toMatchObject({
      outputs: [{ data: [1, 2] }, { parameters: { binary_data_size: 8 } }],
    });
    expect(bytes).toEqual(floats(3, 4));
  });
});

describe('a raw body', () => {
  const raw = (body: Uint8Array): BinaryBody => ({
    headers: { [jsonBytesHeader]: '0' },
    body: Buffer.from(body),
  });

  test.each([8, 32])('of %i floats is one row, and comes back in binary', async (count) => {
    const input = floats(...Array.from({ length: count }, (_, index) => index));
    const { json, bytes } = parts(await ask('series', raw(input)));
    expect(json).toMatchObject({ outputs: [{ name: 'y0', shape: [1, count] }] });
    expect(bytes).toEqual(input);
  });

  test('of text is one string, without a length in front', async () => {
    const { bytes } = parts(await ask('word', raw(Buffer.from('427'))));
    expect(bytes).toEqual(Buffer.concat([Buffer.of(3, 0, 0, 0), Buffer.from('427')]));
  });

  test('is refused where the model leaves more than one size open', async () => {
    const answer = await ask('image', raw(Buffer.alloc(8)));
    expect(answer.status).toBe(400);
    expect(fieldsOf(JSON.parse(String(answer.body)))['error']).toContain(
      "The shape of the raw input 'x0' can not be deduced because there are more than one variable-sized dimension",
    );
  });

  test('in chunks is read all the same', async () => {
    const connection = await HttpConnection.open(under.port);
    const input = floats(0, 1, 2, 3);
    connection.write(
      Buffer.concat([
        Buffer.from(
          `POST /v2/models/series/infer HTTP/1.1\r\nhost: g\r\n${jsonBytesHeader}: 0\r\n` +
            'transfer-encoding: chunked\r\n\r\n10\r\n',
        ),
        input,
        Buffer.from('\r\n0\r\n\r\n'),
      ]),
    );
    const answer = await within(connection.next(), 'an answer');
    connection.destroy();
    expect(answer === undefined ? undefined : parts(answer).bytes).toEqual(input);
  });
});

describe('a request with binary tensors is refused when it has', () => {
  test.each(badBinary)('$what ($code)', async ({ model, headers, body, code, says = '' }) => {
    const answer = await ask(model, { headers, body });
    const { error, code: found } = fieldsOf(JSON.parse(String(answer.body)));
    expect([found, answer.status]).toEqual([code, errorTable[code].status]);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(error).toContain(says);
    expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
  });

  test('/predict in its path (UNSUPPORTED_MEDIA_TYPE)', async () => {
    const connection = await HttpConnection.open(under.port);
    const headers = { [jsonBytesHeader]: '0' };
    const answer = await connection.exchange({ method: 'POST', path: '/predict/iris', headers, body: 'x' });
    connection.destroy();
    expect(answer.status).toBe(415);
  });
});

test('a body that is nothing but JSON may say so', async () => {
  const message = { inputs: [{ ...x0([1, 2]), data: [1, 2] }] };
  const outcome = oipBinaryOutcome(await ask('series', binaryBody(message, [])));
  expect(outcome).toMatchObject({ kind: 'answer' });
});
