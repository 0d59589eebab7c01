/**
 * A gateway that answers late and out of order, refuses, pauses, leaves and breaks connections as a seeded die says:
 * every call still gets its own answer, exactly once, and nothing is left behind.
 */
import { expect, test } from 'vitest';
import { systemClock } from '../../../client/clock.ts';
import { within } from '../../e2e/deadline.ts';
import { FakeGateway, type FakeSocket, type Message } from '../fake-gateway.ts';
import { openStream, row } from './open-stream.ts';

/** The usual linear congruential generator; numbers from 0 to below 1. */
function die(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

const calls = 1500;

test.each([
  { seed: 1, batchRowsMax: 1 },
  { seed: 2, batchRowsMax: 1 },
  { seed: 3, batchRowsMax: 8 },
  { seed: 4, batchRowsMax: 8 },
])('with seed $seed and frames of $batchRowsMax rows', async ({ seed, batchRowsMax }) => {
  const random = die(seed);
  const gateway = await FakeGateway.start();
  const misbehave = (socket: FakeSocket, message: Message): void => {
    if (message['op'] !== undefined) return;
    const roll = random();
    if (roll < 0.02) socket.destroy();
    else if (roll < 0.03) socket.send({ op: 'goaway', grace_ms: 10 });
    else if (roll < 0.05) {
      socket.send({ op: 'flow', paused: true });
      socket.fail(message['id'], 'SLOW_READER');
      setTimeout(() => {
        socket.send({ op: 'flow', paused: false });
      }, 3);
      return;
    } else if (roll < 0.15) {
      socket.fail(message['id'], 'QUEUE_FULL');
      return;
    }
    if (roll < 0.5)
      setTimeout(() => {
        socket.echo(message);
      }, random() * 5);
    else socket.echo(message);
  };
  gateway.onSocket = (socket) => {
    socket.onMessage = (message) => {
      misbehave(socket, message);
    };
  };
  const { client } = openStream(gateway.url, {
    clock: systemClock,
    random,
    batchRowsMax,
    inflightMax: 50,
    retry: { attemptsMax: 100, baseMs: 1, capMs: 5 },
    reconnect: { attemptsMax: 20, baseMs: 1, capMs: 5 },
  });
  const answers = Array.from({ length: calls }, (_, value) => client.infer(row(value)));
  const results = await within(Promise.all(answers), 'all answers', 20_000);
  expect(results.map((result) => result.output('x', 'FP32').data[0])).toEqual(
    Array.from({ length: calls }, (_, value) => value),
  );
  expect(gateway.sockets.length).toBeGreaterThan(1);
  await within(client.close(), 'close');
  expect(client.status).toMatchObject({ state: 'closed', inflight: 0, waiting: 0 });
  await gateway.close();
});
