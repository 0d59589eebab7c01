/** What a real socket does too rarely for a test: a full send buffer, a connection that never opens, a constructor that throws. */
import { expect, test } from 'vitest';
import type { CloseLike, ErrorLike, MessageLike, WebSocketLike } from '../../../client/stream/web-socket.ts';
import { errorOf, openStream, row, settle } from './open-stream.ts';

type PuppetEvent = MessageLike & CloseLike & ErrorLike;

class PuppetSocket implements WebSocketLike {
  static readonly made: PuppetSocket[] = [];
  binaryType = 'blob';
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  closed = false;
  readonly #listeners: { readonly type: string; readonly listener: (event: PuppetEvent) => void }[] = [];

  constructor() {
    PuppetSocket.made.push(this);
  }

  send(data: Uint8Array): void {
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }

  close(): void {
    this.closed = true;
  }

  addEventListener(type: string, listener: (event: PuppetEvent) => void): void {
    this.#listeners.push({ type, listener });
  }

  open(): void {
    this.#emit('open', { data: undefined });
  }

  fail(message: string): void {
    this.#emit('error', { data: undefined, message });
  }

  #emit(type: string, event: PuppetEvent): void {
    for (const held of this.#listeners) if (held.type === type) held.listener(event);
  }
}

function newest(): PuppetSocket {
  const socket = PuppetSocket.made.at(-1);
  if (socket === undefined) throw new Error('no socket was made');
  return socket;
}

test('while the send buffer is full nothing is added; it goes on when there is room', async () => {
  const { client, clock } = openStream('http://gateway', { webSocket: PuppetSocket, sendBufferBytesMax: 1 });
  const answers = [0, 1, 2].map((value) => errorOf(client.infer(row(value))));
  await settle();
  const socket = newest();
  socket.open();
  await settle();
  expect([socket.binaryType, socket.sent.length]).toEqual(['arraybuffer', 1]);
  clock.advance(4);
  expect(socket.sent).toHaveLength(1);
  socket.bufferedAmount = 0;
  clock.advance(4);
  expect(socket.sent).toHaveLength(2);
  expect(client.status).toMatchObject({ inflight: 2, waiting: 1 });
  await client.close({ abort: true });
  expect((await Promise.all(answers)).map(({ code }) => code)).toEqual(Array(3).fill('CLIENT_CLOSED'));
  expect([socket.closed, clock.waits]).toEqual([true, []]);
});

test('a connection that never opens is given up after its time, and the next one tried', async () => {
  const { client, clock, passBackoff } = openStream('http://gateway', {
    webSocket: PuppetSocket,
    connectTimeoutMs: 500,
  });
  const answer = errorOf(client.infer(row(0)));
  await settle();
  const first = newest();
  clock.advance(500);
  expect(first.closed).toBe(true);
  await passBackoff(100);
  expect(newest()).not.toBe(first);
  // The first one opening after all changes nothing.
  first.open();
  newest().open();
  await settle();
  expect([first.sent.length, newest().sent.length]).toEqual([0, 1]);
  await client.close({ abort: true });
  expect((await answer).code).toBe('CLIENT_CLOSED');
});

test('a connection that fails is given up at once where no close follows, as in Node 20', async () => {
  const { client, events, passBackoff } = openStream('http://gateway', {
    webSocket: PuppetSocket,
    reconnect: { attemptsMax: 2, baseMs: 50 },
  });
  const answer = errorOf(client.infer(row(0)));
  await settle();
  const first = newest();
  first.fail('refused');
  await passBackoff(50);
  expect(newest()).not.toBe(first);
  newest().fail('');
  expect(await answer).toMatchObject({
    code: 'CONNECTION_LOST',
    message: 'ws://gateway/v2/stream cannot be reached (close code unknown).',
  });
  const lost = events.flatMap((event) => (event.kind === 'lost' ? event.error.message : []));
  expect(lost[0]).toBe('ws://gateway/v2/stream cannot be reached (refused).');
  await client.close();
});

test('an error of an open socket ends nothing by itself: close says how it ended', async () => {
  const { client } = openStream('http://gateway', { webSocket: PuppetSocket });
  const answer = errorOf(client.infer(row(0)));
  await settle();
  newest().open();
  newest().fail('reset');
  await settle();
  expect(client.status).toMatchObject({ state: 'open', inflight: 1 });
  await client.close({ abort: true });
  expect((await answer).code).toBe('CLIENT_CLOSED');
});

test('a constructor that throws fails the calls that wait', async () => {
  class Broken extends PuppetSocket {
    constructor() {
      super();
      throw new Error('the page forbids it');
    }
  }
  const { client } = openStream('http://gateway', { webSocket: Broken });
  expect(await errorOf(client.infer(row(0)))).toMatchObject({
    code: 'CONNECTION_LOST',
    message: 'The socket could not be made: the page forbids it',
  });
  await client.close();
});
