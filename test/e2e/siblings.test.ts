/** A gateway that is one of several processes of a node: what it hears from the others, tells them, and leaves to them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Siblings } from '../../gateway/main.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { lookupModel } from './odd-models.ts';
import { StreamTalk } from './stream-talk.ts';

const irisFiles = { stable: demoModel('iris-1.0.0'), candidate: demoModel('iris-2.0.0') };

let under: GatewayUnderTest;
afterEach(() => under.close());

async function start(siblings: Partial<Siblings> = {}, files = irisFiles): Promise<void> {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: files.stable }],
    siblings: { metrics: () => Promise.resolve([]), rolledBack: () => undefined, ...siblings },
  });
  under.store.publish('iris', '2.0.0', files.candidate);
}

const logged = (message: string): number => under.log.filter(({ msg }) => msg === message).length;

function divide(rolloutId: string): void {
  const sha256 = under.store.current.models.get('iris')?.get('2.0.0')?.artifact.sha256 ?? '';
  const candidate = { version: '2.0.0', sha256 };
  under.store.deploy('iris', '1.0.0', { strategy: 'canary', candidate, trafficBps: 5000, rolloutId });
}

async function ask(key = 'somebody'): Promise<Response> {
  return fetch(`${under.url}/predict/iris`, {
    method: 'POST',
    body: '{"features": [[5.1, 3.5, 1.4, 0.2]]}',
    headers: { 'x-routing-key': key },
  });
}

describe('a rollout', () => {
  test('that another process went back from ends here too, and does not begin if it comes later', async () => {
    const told: string[] = [];
    await start({ rolledBack: (id) => void told.push(id) });
    divide('first');
    await eventually(() => logged('traffic divided') === 1, 'the rollout to begin');
    under.gateway.goBack('first');
    expect(logged('candidate taken out of the traffic')).toBe(1);
    expect((await ask()).headers.get('x-rollout-id')).toBeNull();
    under.gateway.goBack('second');
    expect(told).toEqual(['first', 'second']);
    divide('second');
    await eventually(async () => {
      const body = (await (await fetch(`${under.url}/v2/rollouts`)).json()) as {
        readonly rollouts: readonly object[];
      };
      return JSON.stringify(body.rollouts).includes('"second"');
    }, 'the rollout to be known');
    expect((await ask()).headers.get('x-rollout-id')).toBeNull();
    expect(logged('traffic divided')).toBe(1);
  });

  test('that this process goes back from is told the others, once', async () => {
    const told: string[] = [];
    // The candidate fails for what the live version knows.
    const files = { stable: lookupModel(100), candidate: lookupModel(10) };
    await start({ rolledBack: (id) => void told.push(id) }, files);
    divide('bad');
    await eventually(() => logged('traffic divided') === 1, 'the rollout to begin');
    const inputs = [{ name: 'index', datatype: 'INT64', shape: [1], data: [42] }];
    for (let user = 0; user < 1000 && told.length === 0; user++) {
      await fetch(`${under.url}/v2/models/iris/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs }),
        headers: { 'x-routing-key': `user-${user}` },
      }).then((response) => response.arrayBuffer());
    }
    expect(told).toEqual(['bad']);
  });
});

/** One connection, spoken to by hand. */
class Connection {
  readonly socket: Socket;
  #heard = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => (this.#heard += chunk.toString()));
  }

  async ask(): Promise<string> {
    this.#heard = '';
    const body = '{"features": [[5.1, 3.5, 1.4, 0.2]]}';
    this.socket.write(
      `POST /predict/iris HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await eventually(() => this.#heard.includes('"prediction"'), 'an answer');
    return this.#heard;
  }
}

test('leaving its clients to the others, it answers each once more and then ends the connection', async () => {
  await start();
  const [busy, idle] = [new Connection(under.port), new Connection(under.port)];
  const talk = await StreamTalk.open(under.port);
  expect(await busy.ask()).not.toMatch(/connection: close/i);
  expect(await idle.ask()).toMatch(/200 OK/);
  const retiring = under.gateway.retire();
  await eventually(() => isRefused(under.port), 'the port to be given up');
  const answer = await busy.ask();
  expect(answer).toMatch(/200 OK/);
  expect(answer).toMatch(/connection: close/i);
  await eventually(() => busy.socket.readableEnded || busy.socket.closed, 'the end of the connection');
  const isOver = await Promise.race([retiring.then(() => true), Promise.resolve(false)]);
  expect(isOver).toBe(false);
  expect(await idle.ask()).toMatch(/200 OK/);
  await retiring;
  await talk.operation('goaway');
}, 60_000);

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}
