/** Calls on one healthy socket: ids, order, limits, holding back, ending early, failing alone. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StreamClient, tensor } from '../../../client/main.ts';
import { within } from '../../e2e/deadline.ts';
import { FakeGateway, usualHello } from '../fake-gateway.ts';
import { errorOf, openStream, row, settle } from './open-stream.ts';

let gateway: FakeGateway;

beforeEach(async () => {
  gateway = await FakeGateway.start();
});

afterEach(async () => {
  vi.unstubAllGlobals();
  await gateway.close();
});

test('answers find their calls in any order', async () => {
  const { client, events } = openStream(gateway.url);
  const answers = Array.from({ length: 100 }, (_, value) => client.infer(row(value)));
  const socket = await gateway.socket();
  const requests = await socket.take(100);
  expect(socket.offered).toBe('tidegate.v1');
  expect(new Set(requests.map(({ id }) => id)).size).toBe(100);
  for (const request of requests.toReversed()) socket.echo(request);
  const values = (await Promise.all(answers)).map((result) => result.output('x', 'FP32').data[0]);
  expect(values).toEqual(Array.from({ length: 100 }, (_, value) => value));
  expect(client.status).toEqual({ state: 'open', inflight: 0, waiting: 0 });
  expect(events.map(({ kind }) => kind)).toEqual(['connecting', 'connected', 'hello']);
  await client.close();
  expect(await socket.closed).toBe(1000);
});

test('a request says all that the protocol has a field for', async () => {
  const { client } = openStream(gateway.url);
  const inputs = { x: tensor('BYTES', [1], ['a']) };
  const answer = client.infer({
    ...{ model: 'm', version: '3', inputs, outputs: ['y'], deadlineMs: 70, priority: 2 },
    parameters: { tag: 'blue' },
  });
  const socket = await gateway.socket();
  const request = await socket.next();
  expect(request).toEqual({
    ...{ id: 1, model: 'm', version: '3', deadline_ms: 70, priority: 2, parameters: { tag: 'blue' } },
    inputs: [{ name: 'x', shape: [1], datatype: 'BYTES', data: Buffer.from([1, 0, 0, 0, 0x61]) }],
    outputs: [{ name: 'y' }],
  });
  socket.fail(request['id'], 'UNKNOWN_OUTPUT');
  expect(await errorOf(answer)).toMatchObject({ code: 'UNKNOWN_OUTPUT', message: 'because UNKNOWN_OUTPUT' });
  await client.close();
});

describe('holding back', () => {
  test('no more is in flight than the gateway allows, no more waits than the caller does', async () => {
    const limits = { inflight_max: 2 };
    const narrow = await FakeGateway.start({ hello: { ...usualHello, limits } });
    const { client, happened } = openStream(narrow.url, { waitingMax: 2 });
    const first = client.infer(row(0));
    await happened('hello');
    const socket = await narrow.socket();
    const others = [1, 2, 3].map((value) => client.infer(row(value)));
    expect(await errorOf(client.infer(row(4)))).toMatchObject({ code: 'QUEUE_FULL', status: undefined });
    const [one = {}] = await socket.take(2);
    await settle();
    expect(socket.pending).toEqual([]);
    expect(client.status).toEqual({ state: 'open', inflight: 2, waiting: 2 });
    socket.onMessage = (request) => {
      socket.echo(request);
    };
    socket.echo(one);
    await first;
    socket.echo({ ...one, id: 2 });
    await Promise.all(others);
    await client.close();
    await narrow.close();
  });

  test('nothing is sent while the gateway has paused the flow', async () => {
    const { client, happened, clock } = openStream(gateway.url);
    const first = client.infer(row(0));
    const socket = await gateway.socket();
    const request = await socket.next();
    socket.send({ op: 'flow', paused: true });
    await happened('flow');
    const held = client.infer(row(1));
    await settle();
    expect([socket.pending.length, client.status.state]).toEqual([0, 'paused']);
    // What was on its way when the flow stopped is refused, and sent again once it goes on.
    socket.fail(request['id'], 'SLOW_READER');
    await settle();
    clock.advance(50);
    await settle();
    expect(socket.pending).toEqual([]);
    socket.onMessage = (message) => {
      socket.echo(message);
    };
    socket.send({ op: 'flow', paused: false });
    expect((await first).output('x').data).toEqual(Float32Array.of(0));
    expect((await held).output('x').data).toEqual(Float32Array.of(1));
    await client.close();
  });

  test('a frame larger than the gateway reads is refused here, and costs nobody the socket', async () => {
    const limits = { frame_bytes_max: 1000 };
    const narrow = await FakeGateway.start({ hello: { ...usualHello, limits } });
    const { client, happened } = openStream(narrow.url);
    const small = client.infer(row(0));
    await happened('hello');
    const large = client.infer({ model: 'm', inputs: { x: tensor('FP32', [500], new Float32Array(500)) } });
    expect((await errorOf(large)).code).toBe('BODY_TOO_LARGE');
    const socket = await narrow.socket();
    socket.echo(await socket.next());
    await small;
    await client.close();
    await narrow.close();
  });
});

describe('ending early', () => {
  test('an aborted call is cancelled at the gateway, and its place stays taken until the answer', async () => {
    const { client } = openStream(gateway.url);
    const abort = new AbortController();
    const answer = errorOf(client.infer(row(0, { signal: abort.signal })));
    const socket = await gateway.socket();
    const { id } = await socket.next();
    abort.abort(new Error('enough'));
    expect(await answer).toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    expect(await socket.next()).toEqual({ op: 'cancel', id });
    expect(client.status.inflight).toBe(1);
    socket.fail(id, 'CANCELLED');
    const next = client.infer(row(1));
    socket.echo(await socket.next());
    await next;
    expect(client.status.inflight).toBe(0);
    await client.close();
  });

  test('a call past its deadline is cancelled too; one that still waits is never sent', async () => {
    const { client, clock } = openStream(gateway.url, { inflightMax: 1 });
    const sent = errorOf(client.infer(row(0, { deadlineMs: 300 })));
    const waiting = errorOf(client.infer(row(1, { deadlineMs: 200 })));
    const socket = await gateway.socket();
    const { id } = await socket.next();
    clock.advance(300);
    expect([(await sent).code, (await waiting).code]).toEqual(['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED']);
    expect(await socket.next()).toEqual({ op: 'cancel', id });
    socket.fail(id, 'CANCELLED');
    await settle();
    expect(socket.pending).toEqual([]);
    await client.close();
  });

  test('a signal that has fired already sends nothing', async () => {
    const { client } = openStream(gateway.url);
    expect((await errorOf(client.infer(row(0, { signal: AbortSignal.abort() })))).code).toBe('ABORTED');
    await settle();
    expect(gateway.sockets).toHaveLength(0);
    await client.close();
  });

  test('close waits for what there is and takes nothing new', async () => {
    const { client } = openStream(gateway.url);
    const answer = client.infer(row(0));
    const socket = await gateway.socket();
    const request = await socket.next();
    const closing = client.close();
    expect((await errorOf(client.infer(row(1)))).code).toBe('CLIENT_CLOSED');
    socket.echo(request);
    await answer;
    await within(closing, 'close');
    expect(client.status.state).toBe('closed');
  });

  test('close with abort ends all calls at once', async () => {
    const { client, clock } = openStream(gateway.url, { inflightMax: 1 });
    const answers = [errorOf(client.infer(row(0))), errorOf(client.infer(row(1)))];
    await (await gateway.socket()).next();
    await within(client.close({ abort: true }), 'close');
    expect((await Promise.all(answers)).map(({ code }) => code)).toEqual(['CLIENT_CLOSED', 'CLIENT_CLOSED']);
    expect(clock.waits).toEqual([]);
  });

  test('close before anything was asked is done at once', async () => {
    const { client } = openStream(gateway.url);
    await client.close();
    expect(gateway.sockets).toHaveLength(0);
  });
});

test('a refusal that may pass is asked again, after the wait that the gateway names', async () => {
  const { client, clock, passBackoff } = openStream(gateway.url, { retry: { attemptsMax: 2, baseMs: 10 } });
  const answer = errorOf(client.infer(row(0)));
  const socket = await gateway.socket();
  socket.fail((await socket.next())['id'], 'QUEUE_FULL', { retry_after_ms: 700 });
  await settle();
  expect(clock.waits).toContain(705);
  await passBackoff();
  socket.fail((await socket.next())['id'], 'QUEUE_FULL');
  expect((await answer).code).toBe('QUEUE_FULL');
  await client.close();
});

test('an answer that cannot be read fails its call alone; strange frames are ignored', async () => {
  const { client } = openStream(gateway.url);
  const [bad, good] = [errorOf(client.infer(row(0))), client.infer(row(1))];
  const socket = await gateway.socket();
  const [first, second = {}] = await socket.take(2);
  socket.send({ op: 'of a later version' });
  socket.send({ id: 4711, model_name: 'm', outputs: [] });
  socket.send({ id: null, error: 'unknown', code: 'MALFORMED_MSGPACK' });
  socket.send({ id: first?.['id'], model_name: 'm', outputs: [{ name: 'y' }] });
  socket.echo(second);
  expect((await bad).code).toBe('INVALID_RESPONSE');
  expect((await good).output('x').data).toEqual(Float32Array.of(1));
  await client.close();
});

test('without a WebSocket it says what to do', () => {
  vi.stubGlobal('WebSocket', undefined);
  expect(() => new StreamClient({ url: gateway.url })).toThrow(/--experimental-websocket/);
});
