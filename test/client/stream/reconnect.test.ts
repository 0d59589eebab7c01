/** Sockets that break, leave, fall silent or talk nonsense, and gateways that are not there. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { within } from '../../e2e/deadline.ts';
import { opcode } from '../../e2e/stream-client.ts';
import { FakeGateway, usualHello } from '../fake-gateway.ts';
import { errorOf, openStream, row, settle } from './open-stream.ts';

let gateway: FakeGateway;

beforeEach(async () => {
  gateway = await FakeGateway.start();
});

afterEach(async () => {
  await gateway.close();
});

describe('a connection that is lost', () => {
  test('is made again, and what was not answered is asked again in its order', async () => {
    const { client, passBackoff } = openStream(gateway.url);
    const answers = [0, 1, 2].map((value) => client.infer(row(value)));
    const first = await gateway.socket();
    const [, answered = {}] = await first.take(3);
    first.echo(answered);
    await answers[1];
    first.destroy();
    await passBackoff();
    const second = await gateway.socket();
    const repeated = await second.take(2);
    expect(repeated.map(({ inputs }) => inputs)).toMatchObject(
      [0, 2].map((value) => [{ data: Buffer.from(Float32Array.of(value).buffer) }]),
    );
    for (const request of repeated) second.echo(request);
    const results = await Promise.all(answers);
    expect(results.map((result) => result.output('x', 'FP32').data[0])).toEqual([0, 1, 2]);
    await client.close();
  });

  test('fails its calls with CONNECTION_LOST once they were sent as often as allowed', async () => {
    const { client, passBackoff } = openStream(gateway.url, { retry: { attemptsMax: 2 } });
    const answer = errorOf(client.infer(row(0)));
    for (const last of [false, true]) {
      const socket = await gateway.socket();
      await socket.next();
      socket.destroy();
      if (!last) await passBackoff();
    }
    expect(await answer).toMatchObject({ code: 'CONNECTION_LOST', isRetryable: true });
    await client.close();
  });

  test('fails the step of a sequence that may have been run, once, and asks the others again', async () => {
    const { client, passBackoff } = openStream(gateway.url);
    const step = errorOf(client.infer(row(0, { parameters: { sequence_id: 7 } })));
    const alone = client.infer(row(1, { parameters: { sequence_id: 0 } }));
    const first = await gateway.socket();
    await first.take(2);
    first.destroy();
    const error = await step;
    expect(error).toMatchObject({ code: 'CONNECTION_LOST', isRetryable: false });
    expect(error.message).toContain('start the sequence again');
    await passBackoff();
    const second = await gateway.socket();
    const [asked = {}, ...more] = await second.take(1);
    expect(more).toEqual([]);
    second.echo(asked);
    expect((await alone).output('x', 'FP32').data[0]).toBe(1);
    await client.close();
  });

  test('is left alone while nobody wants it, and made with the next call', async () => {
    const { client, passBackoff, happened } = openStream(gateway.url);
    const one = client.infer(row(0));
    const first = await gateway.socket();
    first.echo(await first.next());
    await one;
    first.close(1001);
    await happened('lost');
    await settle();
    expect([gateway.sockets.length, client.status.state]).toEqual([1, 'idle']);
    const two = client.infer(row(1));
    await passBackoff();
    const second = await gateway.socket();
    second.echo(await second.next());
    await two;
    await client.close();
  });

  test('for a frame too large blames the largest frame, and repeats the others', async () => {
    const { client, passBackoff } = openStream(gateway.url);
    const small = client.infer(row(0));
    const large = errorOf(client.infer(row(0, { parameters: { filler: 'x'.repeat(2000) } })));
    const first = await gateway.socket();
    await first.take(2);
    first.close(1009);
    expect((await large).code).toBe('BODY_TOO_LARGE');
    await passBackoff();
    const second = await gateway.socket();
    second.echo(await second.next());
    await small;
    await client.close();
  });
});

describe('a gateway that leaves', () => {
  test('is given nothing new, answers what it has, and calls go elsewhere meanwhile', async () => {
    const other = await FakeGateway.start();
    // 0.5 begins with the second of two.
    const { client, passBackoff, happened } = openStream([other.url, gateway.url]);
    const old = client.infer(row(0));
    const leaving = await gateway.socket();
    const request = await leaving.next();
    leaving.send({ op: 'goaway', grace_ms: 1000 });
    await happened('goaway');
    const moved = client.infer(row(1));
    await passBackoff();
    const staying = await other.socket();
    staying.echo(await staying.next());
    await moved;
    expect(leaving.pending).toEqual([]);
    leaving.echo(request);
    await old;
    expect(await leaving.closed).toBe(1000);
    await client.close();
    await other.close();
  });

  test('and never answers loses its calls to the next one', async () => {
    const { client, passBackoff } = openStream(gateway.url);
    const answer = client.infer(row(0));
    const leaving = await gateway.socket();
    await leaving.next();
    leaving.send({ op: 'goaway', grace_ms: 1000 });
    leaving.close(1001);
    await passBackoff();
    const next = await gateway.socket();
    next.echo(await next.next());
    await answer;
    await client.close();
  });

  test('may say so in text', async () => {
    const { client, happened } = openStream(gateway.url);
    const answer = client.infer(row(0));
    const leaving = await gateway.socket();
    const request = await leaving.next();
    leaving.sendBytes(Buffer.from('{"op":"goaway","grace_ms":1000}'), opcode.text);
    await happened('goaway');
    leaving.echo(request);
    await answer;
    expect(await leaving.closed).toBe(1000);
    await client.close();
  });

  test('without goaway, by SHUTTING_DOWN alone, is left too', async () => {
    const { client, passBackoff } = openStream(gateway.url, { retry: { baseMs: 10 } });
    const answer = client.infer(row(0));
    const leaving = await gateway.socket();
    leaving.fail((await leaving.next())['id'], 'SHUTTING_DOWN');
    expect(await leaving.closed).toBe(1000);
    await passBackoff();
    await settle();
    await passBackoff();
    const next = await gateway.socket();
    next.echo(await next.next());
    await answer;
    await client.close();
  });
});

describe('a socket that falls silent', () => {
  test('is asked for a sign of life, and kept when it gives one', async () => {
    const { client, clock } = openStream(gateway.url, { pingIntervalMs: 1000, pingTimeoutMs: 500 });
    const answer = client.infer(row(0, { deadlineMs: Infinity }));
    const socket = await gateway.socket();
    const request = await socket.next();
    clock.advance(1000);
    const ping = await socket.next();
    expect(ping).toEqual({ op: 'ping', id: expect.any(Number) as number });
    socket.send({ op: 'pong', id: ping['id'] });
    await settle();
    clock.advance(900);
    socket.echo(request);
    await answer;
    expect(gateway.sockets).toHaveLength(1);
    await client.close();
  });

  test('and gives none is dropped; the call goes on elsewhere', async () => {
    const { client, clock, passBackoff } = openStream(gateway.url, {
      pingIntervalMs: 1000,
      pingTimeoutMs: 500,
    });
    const answer = client.infer(row(0, { deadlineMs: Infinity }));
    const dead = await gateway.socket();
    await dead.next();
    clock.advance(1000);
    await dead.next();
    clock.advance(500);
    await passBackoff(200);
    const next = await gateway.socket();
    next.echo(await next.next());
    await answer;
    expect(await dead.closed).toBe(4008);
    await client.close();
  });
});

describe('a gateway that talks nonsense', () => {
  test.each([
    ['bytes that are no msgpack', Uint8Array.of(0xc1), opcode.binary],
    ['a msgpack value that is no map', Uint8Array.of(0x01), opcode.binary],
    ['an answer without an id', Uint8Array.of(0x80), opcode.binary],
    ['text', Buffer.from('{}'), opcode.text],
    ['text that is no JSON', Buffer.from('hello'), opcode.text],
  ])('ends its calls with INVALID_RESPONSE: %s', async (_, bytes, kind) => {
    const { client } = openStream(gateway.url);
    const answer = errorOf(client.infer(row(0)));
    const socket = await gateway.socket();
    await socket.next();
    socket.sendBytes(bytes, kind);
    expect((await answer).code).toBe('INVALID_RESPONSE');
    expect(await socket.closed).toBe(4002);
    await client.close();
  });
});

describe('a gateway that is not there', () => {
  test('is tried so often, then those who wait are told; the next call tries anew', async () => {
    const { client, passBackoff, events } = openStream('http://127.0.0.1:1', {
      reconnect: { attemptsMax: 3 },
    });
    const answer = errorOf(client.infer(row(0)));
    await passBackoff(100);
    await passBackoff(200);
    expect(await answer).toMatchObject({ code: 'CONNECTION_LOST' });
    const delays = events.flatMap((event) => (event.kind === 'connecting' ? [event.delayMs] : []));
    expect(delays).toEqual([0, 50, 100]);
    expect(client.status).toEqual({ state: 'idle', inflight: 0, waiting: 0 });
    const again = errorOf(client.infer(row(0, { deadlineMs: 20 })));
    await settle();
    await passBackoff(20);
    expect((await again).code).toBe('DEADLINE_EXCEEDED');
    await client.close();
  });

  test('does not keep the call past its deadline', async () => {
    const { client, clock } = openStream('http://127.0.0.1:1');
    const answer = errorOf(client.infer(row(0, { deadlineMs: 10 })));
    clock.advance(10);
    expect((await answer).code).toBe('DEADLINE_EXCEEDED');
    await client.close();
  });

  test('answers later, on another of its addresses', async () => {
    const { client, passBackoff } = openStream([gateway.url, 'http://127.0.0.1:1']);
    const answer = client.infer(row(0));
    await passBackoff();
    const socket = await gateway.socket();
    socket.echo(await socket.next());
    await answer;
    await client.close();
  });

  test('and refuses upgrades for a while is tried again', async () => {
    let admits = false;
    const busy = await FakeGateway.start({ hello: usualHello, admits: () => admits });
    const { client, passBackoff, happened } = openStream(busy.url);
    const answer = client.infer(row(0));
    await happened('lost');
    admits = true;
    await passBackoff();
    const socket = await busy.socket();
    socket.echo(await socket.next());
    await answer;
    await client.close();
    await busy.close();
  });
});

test('a gateway that chooses no subprotocol and says no hello is spoken to all the same', async () => {
  const early = await FakeGateway.start({ hello: undefined });
  const { client, passBackoff } = openStream(early.url);
  const answer = client.infer(row(7));
  // The socket is refused as browsers refuse it; the second attempt offers nothing.
  await passBackoff();
  await early.socket();
  const socket = await early.socket();
  expect(socket.offered).toBeUndefined();
  socket.echo(await socket.next());
  expect((await answer).output('x').data).toEqual(Float32Array.of(7));
  await within(client.close(), 'close');
  await early.close();
});
