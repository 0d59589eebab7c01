/** Calls of one row that share a frame: which ones, what they get back, and what one bad row does to the others. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tensor } from '../../../client/main.ts';
import { joinKeyOf } from '../../../client/stream/row-joiner.ts';
import { fieldsOf, listOf } from '../../e2e/wire-forms.ts';
import { FakeGateway, type Message } from '../fake-gateway.ts';
import { errorOf, openStream, row } from './open-stream.ts';

let gateway: FakeGateway;

beforeEach(async () => {
  gateway = await FakeGateway.start();
});

afterEach(async () => {
  await gateway.close();
});

function shapeOf(request: Message | undefined): unknown {
  return fieldsOf(listOf(request?.['inputs'])[0])['shape'];
}

test('rows asked for in one turn share frames of at most so many rows', async () => {
  const { client } = openStream(gateway.url, { batchRowsMax: 4 });
  const answers = Array.from({ length: 6 }, (_, value) => client.infer(row(value)));
  const socket = await gateway.socket();
  const requests = await socket.take(2);
  expect(requests.map(shapeOf)).toEqual([
    [4, 1],
    [2, 1],
  ]);
  for (const request of requests) socket.echo(request);
  const results = (await Promise.all(answers)).map((result) => result.output('x', 'FP32'));
  expect(results.map(({ shape, data }) => [...shape, ...data])).toEqual(
    [0, 1, 2, 3, 4, 5].map((value) => [1, 1, value]),
  );
  await client.close();
});

test('every datatype is joined and split', async () => {
  const { client } = openStream(gateway.url, { batchRowsMax: 8 });
  const inputs = (tag: number) => ({
    a: tensor('INT64', [1, 2], [BigInt(tag), 2n ** 60n]),
    b: tensor('BYTES', [1], [`row ${tag}`]),
    c: tensor('FP16', [1, 1], [tag]),
    d: tensor('BOOL', [1, 3], [true, false, tag === 1]),
  });
  const answers = [0, 1].map((tag) => client.infer({ model: 'm', inputs: inputs(tag) }));
  const socket = await gateway.socket();
  socket.echo(await socket.next());
  for (const [tag, result] of (await Promise.all(answers)).entries()) {
    for (const [name, wanted] of Object.entries(inputs(tag)))
      expect(result.output(name)).toEqual({ name, ...wanted });
  }
  await client.close();
});

describe('calls that differ', () => {
  const one = row(0);
  test.each([
    ['another model', row(0, { model: 'n' })],
    ['another version', row(0, { version: '2' })],
    ['another priority', row(0, { priority: 1 })],
    ['other outputs', row(0, { outputs: ['y'] })],
    ['another datatype', row(0, { inputs: { x: tensor('FP64', [1, 1], [0]) } })],
    ['a wider row', row(0, { inputs: { x: tensor('FP32', [1, 2], [0, 0]) } })],
    ['another input', row(0, { inputs: { z: tensor('FP32', [1, 1], [0]) } })],
    ['two rows', row(0, { inputs: { x: tensor('FP32', [2, 1], [0, 0]) } })],
    ['a scalar', row(0, { inputs: { x: tensor('FP32', [], [0]) } })],
    ['parameters', row(0, { parameters: { tag: 'blue' } })],
  ])('are not joined: %s', (_, other) => {
    expect(joinKeyOf(other)).not.toBe(joinKeyOf(one));
    expect(joinKeyOf(row(5))).toBe(joinKeyOf(one));
  });

  test('go in frames of their own, and the alike ones between them still find each other', async () => {
    const { client } = openStream(gateway.url, { batchRowsMax: 8 });
    const answers = ['m', 'n', 'm'].map((model) => client.infer(row(0, { model })));
    const socket = await gateway.socket();
    const requests = await socket.take(2);
    expect(requests.map((request) => [request['model'], shapeOf(request)])).toEqual([
      ['m', [2, 1]],
      ['n', [1, 1]],
    ]);
    for (const request of requests) socket.echo(request);
    await Promise.all(answers);
    await client.close();
  });
});

test('one bad row does not fail the others: all are asked again alone', async () => {
  const { client } = openStream(gateway.url, { batchRowsMax: 8 });
  const [bad, good] = [errorOf(client.infer(row(0))), client.infer(row(1))];
  const socket = await gateway.socket();
  socket.fail((await socket.next())['id'], 'MODEL_FAILED');
  const [first, second = {}] = await socket.take(2);
  expect([first, second].map(shapeOf)).toEqual([
    [1, 1],
    [1, 1],
  ]);
  socket.fail(first?.['id'], 'MODEL_FAILED');
  socket.echo(second);
  expect((await bad).code).toBe('MODEL_FAILED');
  expect((await good).output('x').data).toEqual(Float32Array.of(1));
  await client.close();
});

test('a model that does not answer row by row is asked row by row from then on', async () => {
  const { client } = openStream(gateway.url, { batchRowsMax: 8 });
  const seen: unknown[] = [];
  const askThree = (): Promise<unknown> => Promise.all([0, 1, 2].map((value) => client.infer(row(value))));
  const first = askThree();
  const socket = await gateway.socket();
  socket.onMessage = (request) => {
    seen.push(listOf(shapeOf(request))[0]);
    const outputs = [{ name: 'sum', shape: [1], datatype: 'FP32', data: Buffer.alloc(4) }];
    socket.send({ id: request['id'], model_name: 'm', model_version: '1', outputs });
  };
  await first;
  await askThree();
  expect(seen).toEqual([3, 1, 1, 1, 1, 1, 1]);
  await client.close();
});

test('a row that nobody waits for any more does not cancel the others', async () => {
  const { client } = openStream(gateway.url, { batchRowsMax: 8 });
  const abort = new AbortController();
  const [gone, kept] = [errorOf(client.infer(row(0, { signal: abort.signal }))), client.infer(row(1))];
  const socket = await gateway.socket();
  const request = await socket.next();
  abort.abort();
  expect((await gone).code).toBe('ABORTED');
  socket.echo(request);
  expect((await kept).output('x').data).toEqual(Float32Array.of(1));
  expect(socket.pending).toEqual([]);
  await client.close();
});
