/**
 * The compiled client in a real Chromium: plain ES modules from a static server, the browser's own fetch and WebSocket,
 * a real gateway behind them, and a gateway moved by hand for what a real one does not do on request.
 * Programs for the page are text: what the test runner does to imports must not reach them.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { demoModel, type GatewayUnderTest, startTestGateway } from '../../e2e/gateway-under-test.ts';
import { echoModel } from '../../e2e/odd-models.ts';
import { FakeGateway } from '../fake-gateway.ts';
import { type PageServer, servePage } from './page-server.ts';

const compiled = fileURLToPath(new URL('../../../dist/client/main.js', import.meta.url));
const places = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

let gateway: GatewayUnderTest | undefined;
let server: PageServer | undefined;
let browser: Browser | undefined;
let page: Page | undefined;

beforeAll(async () => {
  const executablePath = places.find((place) => place !== undefined && existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      'There is no Chromium here: apt-get install -y chromium, or name one in the variable CHROMIUM.',
    );
  }
  if (!existsSync(compiled)) throw new Error('dist/client/main.js is missing: run npm run build first.');
  gateway = await startTestGateway({
    models: [
      { name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') },
      {
        name: 'echo',
        version: '1',
        file: echoModel([
          { datatype: 'INT64', shape: ['batch', 2] },
          { datatype: 'BYTES', shape: ['batch', 2] },
          { datatype: 'FP16', shape: ['batch', 2] },
        ]),
      },
    ],
  });
  server = await servePage(gateway.port);
  // Chromium refuses its sandbox to root, which is whom containers usually run as.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  browser = await chromium.launch({ executablePath, args });
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await gateway?.close();
});

beforeEach(async () => {
  page = await browser?.newPage();
  await page?.goto(server?.url ?? '');
});

/** Runs the body of an async function in the page, with the client's exports and `url` in scope. */
function run(body: string, url: string = server?.url ?? ''): Promise<unknown> {
  if (page === undefined) throw new Error('no page was opened');
  return page.evaluate(`(async () => {
    const client = await import('/client/main.js');
    const { HttpClient, StreamClient, tensor, numbersOf, textsOf } = client;
    const url = ${JSON.stringify(url)};
    const features = tensor('FP32', [1, 4], [5.1, 3.5, 1.4, 0.2]);
    ${body}
  })()`);
}

/** A row of every kind that needs care: 64 bits, text, halves. */
const echoCall = `{ model: 'echo', inputs: {
  x0: tensor('INT64', [1, 2], [2n ** 63n - 1n, -5]),
  x1: tensor('BYTES', [1, 2], ['naïve 🚲', '']),
  x2: tensor('FP16', [1, 2], [1.5, -2]),
} }`;
const echoed = `[
  [...result.output('y0', 'INT64').data].map(String),
  textsOf(result.output('y1')),
  numbersOf(result.output('y2')),
]`;
const echoWanted = [
  [String(2n ** 63n - 1n), '-5'],
  ['naïve 🚲', ''],
  [1.5, -2],
];

test.for(['binary', 'msgpack', 'json'])('HTTP, %s', async (encoding, { skip }) => {
  const seen = await run(`
    const http = new HttpClient({ url, encoding: '${encoding}' });
    const { extensions } = await http.metadata();
    if ('${encoding}' === 'binary' && !extensions.includes('binary_tensor_data')) return undefined;
    const result = await http.infer(${echoCall});
    return { health: await http.health(), echoed: ${echoed} };
  `);
  skip(seen === undefined, 'the gateway does not advertise binary_tensor_data');
  expect(seen).toEqual({ health: { live: true, ready: true }, echoed: echoWanted });
});

test('WebSocket: many calls at once, every one with its answer', async () => {
  const seen = await run(`
    const stream = new StreamClient({ url });
    const result = await stream.infer(${echoCall});
    const tags = Array.from({ length: 500 }, (_, tag) => tag);
    const answers = await Promise.all(tags.map((tag) => stream.infer({
      model: 'echo',
      inputs: { ...${echoCall}.inputs, x0: tensor('INT64', [1, 2], [tag, 0]) },
      outputs: ['y0'],
    })));
    await stream.close();
    return {
      echoed: ${echoed},
      right: answers.every((answer, tag) => answer.output('y0', 'INT64').data[0] === BigInt(tag)),
      state: stream.status.state,
    };
  `);
  expect(seen).toEqual({ echoed: echoWanted, right: true, state: 'closed' });
});

test('WebSocket: joined rows, an abort and a refusal', async () => {
  const seen = await run(`
    const stream = new StreamClient({ url, batchRowsMax: 32 });
    const abort = new AbortController();
    const call = { model: 'iris', inputs: { features } };
    const codeOf = (promise) => promise.then(() => 'answered', (error) => error.code);
    const gone = codeOf(stream.infer({ ...call, signal: abort.signal }));
    abort.abort();
    const joined = await Promise.all(Array.from({ length: 32 }, () => stream.infer(call)));
    const refused = await codeOf(stream.infer({ ...call, model: 'nobody' }));
    await stream.close();
    return { gone: await gone, refused, rows: joined.map((result) => result.output('probabilities').shape.join()) };
  `);
  expect(seen).toEqual({
    gone: 'ABORTED',
    refused: 'UNKNOWN_MODEL',
    rows: Array.from({ length: 32 }, () => '1,3'),
  });
});

test('a lost connection is made again, and the call repeated', async () => {
  const fake = await FakeGateway.start();
  const answer = run(
    `
    const stream = new StreamClient({ url });
    const result = await stream.infer({ model: 'm', inputs: { features } });
    await stream.close();
    return [...result.output('features', 'FP32').data].length;
  `,
    fake.url,
  );
  const first = await fake.socket();
  await first.next();
  first.destroy();
  const second = await fake.socket();
  second.echo(await second.next());
  expect(await answer).toBe(4);
  await fake.close();
});

test('a gateway that chooses no subprotocol is reached all the same', async () => {
  const fake = await FakeGateway.start({ hello: undefined });
  const answer = run(
    `
    const stream = new StreamClient({ url });
    const result = await stream.infer({ model: 'm', inputs: { features } });
    await stream.close();
    return result.version;
  `,
    fake.url,
  );
  const refused = await fake.socket();
  expect(refused.offered).toBe('tidegate.v1');
  const spoken = await fake.socket();
  expect(spoken.offered).toBeUndefined();
  spoken.echo(await spoken.next());
  expect(await answer).toBe('1');
  await fake.close();
});

describe('a page of another origin', () => {
  const callAll = `
    const codeOf = (promise) => promise.then(() => 'answered', (error) => error.code);
    const answers = {};
    for (const encoding of ['binary', 'msgpack', 'json']) {
      const http = new HttpClient({ url, encoding, retry: { attemptsMax: 1 } });
      answers[encoding] = await codeOf(http.infer({ model: 'iris', inputs: { features } }));
    }
    const stream = new StreamClient({ url });
    const call = stream.infer({ model: 'iris', inputs: { features }, signal: AbortSignal.timeout(60_000) });
    answers.stream = await codeOf(call);
    await stream.close();
    return answers;
  `;
  const models = [{ name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') }];

  test('that is listed speaks every form', async () => {
    const listing = await startTestGateway({ models, corsOrigins: [server?.url ?? ''] });
    const answers = await run(callAll, `http://127.0.0.1:${listing.port}`);
    await listing.close();
    expect(answers).toEqual({
      binary: 'answered',
      msgpack: 'answered',
      json: 'answered',
      stream: 'answered',
    });
  });

  test('that is not listed reads nothing and opens no stream', async () => {
    const closed = await startTestGateway({ models });
    const answers = await run(callAll, `http://127.0.0.1:${closed.port}`);
    await closed.close();
    // A browser tells a page no more than that.
    expect(answers).toEqual({
      binary: 'CONNECTION_LOST',
      msgpack: 'CONNECTION_LOST',
      json: 'CONNECTION_LOST',
      stream: 'CONNECTION_LOST',
    });
  });
});
