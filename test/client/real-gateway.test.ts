/**
 * Both clients against the real gateway: every datatype, many calls in flight, joined rows, refusals and shutdown. It
 * holds for gateways that greet with `hello` and for those that do not.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  datatypes,
  HttpClient,
  type InferenceClient,
  type NamedTensor,
  StreamClient,
  tensor,
  TidegateError,
} from '../../client/main.ts';
import { elementBytes } from '../../client/tensor/datatype.ts';
import { packedBytes, tensorOfPacked } from '../../client/tensor/packed-data.ts';
import { eventually, within } from '../e2e/deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from '../e2e/gateway-under-test.ts';
import { echoModel, ticketModel } from '../e2e/odd-models.ts';
import { NodeWebSocket } from './node-web-socket.ts';

const rowElements = 3;
const ports = datatypes.map((datatype) => ({ datatype, shape: ['batch', rowElements] }));

let gateway: GatewayUnderTest;

beforeAll(async () => {
  gateway = await startTestGateway({
    models: [
      { name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') },
      { name: 'ticket', version: '1', file: ticketModel() },
      ...ports.map((port) => ({ name: `echo-${port.datatype}`, version: '1', file: echoModel([port]) })),
    ],
  });
});

afterAll(async () => {
  await gateway.close();
});

const kinds = ['http binary', 'http msgpack', 'http json', 'stream', 'stream joined'] as const;

function open(kind: (typeof kinds)[number]): InferenceClient {
  const { url } = gateway;
  switch (kind) {
    case 'http binary':
      return new HttpClient({ url });
    case 'http msgpack':
      return new HttpClient({ url, encoding: 'msgpack' });
    case 'http json':
      return new HttpClient({ url, encoding: 'json' });
    case 'stream':
      return new StreamClient({ url, webSocket: NodeWebSocket });
    case 'stream joined':
      return new StreamClient({ url, webSocket: NodeWebSocket, batchRowsMax: 16 });
  }
}

/** A row of every datatype that no other row equals. */
function sample(datatype: NamedTensor['datatype'], tag: number): NamedTensor {
  const name = 'x0';
  const shape = [1, rowElements];
  if (datatype === 'BYTES') return { name, ...tensor('BYTES', shape, [`${tag}`, '', 'naïve 🚲']) };
  if (datatype === 'BOOL') return { name, ...tensor('BOOL', shape, [tag % 2 === 1, tag > 1, false]) };
  // Small patterns are finite numbers of every float type.
  const bytes = Uint8Array.from(
    { length: rowElements * elementBytes(datatype) },
    (_, at) => (tag * 7 + at) % 60,
  );
  return { name, ...tensorOfPacked(datatype, shape, bytes) };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return thrown instanceof TidegateError ? thrown.code : `no TidegateError but ${String(thrown)}`;
}

describe.each(kinds)('%s', (kind) => {
  let client: InferenceClient;
  let isSpoken: boolean;

  beforeAll(async () => {
    client = open(kind);
    const { extensions } = await new HttpClient({ url: gateway.url }).metadata();
    isSpoken = kind !== 'http binary' || extensions.includes('binary_tensor_data');
  });

  beforeEach(({ skip }) => {
    skip(!isSpoken, 'the gateway does not advertise binary_tensor_data');
  });

  afterAll(async () => {
    await within(client.close(), 'close');
  });

  test.each(datatypes)('%s comes back as it went', async (datatype) => {
    const sent = [0, 1, 2, 3].map((tag) => sample(datatype, tag));
    const results = await Promise.all(
      sent.map((x0) => client.infer({ model: `echo-${datatype}`, inputs: { x0 } })),
    );
    for (const [index, result] of results.entries()) {
      const output = result.output('y0');
      expect([output.datatype, output.shape, result.version]).toEqual([datatype, [1, rowElements], '1']);
      expect(packedBytes(output)).toEqual(packedBytes(sent[index] ?? output));
    }
  });

  test('hundreds of calls at once each get their own answer', async () => {
    const tags = Array.from({ length: 300 }, (_, tag) => tag);
    const answers = await Promise.all(
      tags.map(async (tag) => {
        const values_in = tensor('FP32', [1, 5], [tag, 1, 2, 3, 4]);
        const result = await client.infer({
          model: 'ticket',
          inputs: { values_in, ticket_in: tensor('INT64', [1], [tag]) },
          outputs: ['ticket', 'values'],
        });
        return [Number(result.output('ticket', 'INT64').data[0]), result.output('values', 'FP32').data[0]];
      }),
    );
    expect(answers).toEqual(tags.map((tag) => [tag, tag]));
  });

  test('the iris of the README is what it is', async () => {
    const features = tensor('FP32', [1, 4], [5.1, 3.5, 1.4, 0.2]);
    const result = await client.infer({
      model: 'iris',
      inputs: { features },
      priority: 1,
      deadlineMs: 20_000,
    });
    expect(result.output('probabilities', 'FP32').data[0]).toBeGreaterThan(0.9);
    expect(result.version).toBe('2.0.0');
  });

  test('what the gateway refuses has the code of the gateway', async () => {
    const features = tensor('FP32', [1, 4], [5.1, 3.5, 1.4, 0.2]);
    const codes = await Promise.all([
      codeOf(client.infer({ model: 'nobody', inputs: { features } })),
      codeOf(client.infer({ model: 'iris', version: '9', inputs: { features } })),
      codeOf(client.infer({ model: 'iris', inputs: { other: features } })),
      codeOf(client.infer({ model: 'iris', inputs: { features: tensor('FP64', [1, 4], [0, 0, 0, 0]) } })),
      codeOf(client.infer({ model: 'iris', inputs: { features: tensor('FP32', [1, 3], [0, 0, 0]) } })),
      codeOf(client.infer({ model: 'iris', inputs: { features }, outputs: ['nothing'] })),
    ]);
    expect(codes).toEqual([
      'UNKNOWN_MODEL',
      'UNKNOWN_VERSION',
      'UNKNOWN_INPUT',
      'DATATYPE_MISMATCH',
      'SHAPE_MISMATCH',
      'UNKNOWN_OUTPUT',
    ]);
  });

  test('an aborted call leaves the others alone', async () => {
    const features = tensor('FP32', [1, 4], [5.1, 3.5, 1.4, 0.2]);
    const abort = new AbortController();
    const gone = codeOf(client.infer({ model: 'iris', inputs: { features }, signal: abort.signal }));
    const kept = client.infer({ model: 'iris', inputs: { features } });
    setImmediate(() => {
      abort.abort();
    });
    expect((await kept).model).toBe('iris');
    // Whichever was first.
    expect(['ABORTED', 'no TidegateError but undefined']).toContain(await gone);
  });
});

test('health and metadata are those of the gateway', async () => {
  const client = new HttpClient({ url: gateway.url });
  expect(await client.health()).toEqual({ live: true, ready: true });
  expect(await client.isModelReady({ model: 'iris', version: '2.0.0' })).toBe(true);
  expect(await client.isModelReady({ model: 'nobody' })).toBe(false);
  expect((await client.metadata()).name).toBe('tidegate');
  const { inputs } = await client.modelMetadata({ model: 'iris' });
  expect(inputs).toMatchObject([{ name: 'features', datatype: 'FP32', shape: [-1, 4] }]);
  expect(await codeOf(client.modelMetadata({ model: 'nobody' }))).toBe('UNKNOWN_MODEL');
});

test('calls in flight while the gateway shuts down are answered or say that they were lost', async () => {
  const leaving = await startTestGateway({
    models: [{ name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') }],
  });
  const client = new StreamClient({
    url: leaving.url,
    webSocket: NodeWebSocket,
    retry: { attemptsMax: 2, baseMs: 1 },
    reconnect: { attemptsMax: 2, baseMs: 1 },
  });
  const features = tensor('FP32', [1, 4], [5.1, 3.5, 1.4, 0.2]);
  const ask = (): Promise<string> =>
    client.infer({ model: 'iris', inputs: { features } }).then(
      () => 'answered',
      (error: unknown) => (error instanceof TidegateError ? error.code : String(error)),
    );
  expect(await ask()).toBe('answered');
  const before = Array.from({ length: 200 }, ask);
  await eventually(() => client.status.inflight > 0, 'requests in flight');
  const closing = leaving.close();
  const after = Array.from({ length: 200 }, ask);
  const seen = new Set(await within(Promise.all([...before, ...after]), 'all calls to settle', 20_000));
  await closing;
  expect([...seen].filter((end) => !['answered', 'CONNECTION_LOST', 'SHUTTING_DOWN'].includes(end))).toEqual(
    [],
  );
  expect(client.status).toMatchObject({ inflight: 0, waiting: 0 });
  await client.close();
});
