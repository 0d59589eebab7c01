/** A gateway that is one of several processes of a node: what it hears from the others, tells them, and leaves to them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { SharedCounts, SharedStep } from '../../gateway/gateway-options.ts';
import type { Siblings } from '../../gateway/main.ts';
import { CanaryJudge } from '../../gateway/rollout/canary-judge.ts';
import type { JudgeCounts } from '../../gateway/rollout/judge-counts.ts';
import { ReferenceJudge } from '../../gateway/rollout/reference-judge.ts';
import type { Deployment } from '../../registry-store/main.ts';
import { eventually } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { timePasses } from './moved-clock.ts';
import { lookupModel } from './odd-models.ts';
import { StreamTalk } from './stream-talk.ts';

const irisFiles = { stable: demoModel('iris-1.0.0'), candidate: demoModel('iris-2.0.0') };

let under: GatewayUnderTest;
afterEach(() => under.close());

/** One of two, of which the other says nothing. */
const alone: Siblings = {
  metrics: () => Promise.resolve([]),
  rolledBack: () => undefined,
  processes: 2,
  counted: () => undefined,
  wentOn: () => undefined,
};

async function start(siblings: Partial<Siblings> = {}, files = irisFiles): Promise<void> {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file: files.stable }],
    siblings: { ...alone, ...siblings },
  });
  under.store.publish('iris', '2.0.0', files.candidate);
}

const logged = (message: string): number => under.log.filter(({ msg }) => msg === message).length;

function divide(rolloutId: string, signed: Partial<Deployment> = {}): void {
  const sha256 = under.store.current.models.get('iris')?.get('2.0.0')?.artifact.sha256 ?? '';
  const candidate = { version: '2.0.0', sha256 };
  under.store.deploy('iris', '1.0.0', {
    strategy: 'canary',
    candidate,
    trafficBps: 5000,
    rolloutId,
    ...signed,
  });
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

  test('is judged by what all processes counted, and goes on where the one that decides went', async () => {
    const said: SharedCounts[] = [];
    const steps: SharedStep[] = [];
    await start({
      counted: (rollouts) => void said.push(...rollouts),
      wentOn: (step) => void steps.push(step),
    });
    const plan = {
      steps: [
        { trafficBps: 2000, holdMs: 1000 },
        { trafficBps: 5000, holdMs: 3_600_000 },
        { trafficBps: 9000 },
      ],
      approvals: 0,
      paused: false,
    };
    divide('shared', { trafficBps: 2000, plan });
    await eventually(() => logged('traffic divided') === 1, 'the rollout to begin');
    const percent = async (): Promise<number> =>
      (await under.metrics()).sum('tidegate_rollout_traffic_percent', { rollout: 'shared' });
    const others = (failing: number): JudgeCounts => {
      const judge = new CanaryJudge();
      for (let caller = 0; caller < 1000; caller += 1) {
        const arm = caller % 5 === 0 ? 'candidate' : 'stable';
        const failed = arm === 'candidate' && caller < 5 * failing;
        judge.record({ arm, share: 0.2, keyHash: caller * 7919, failed });
      }
      return judge.evidence.counts;
    };
    // Nobody came to this process; the others saw enough for both, but another one decides.
    under.gateway.countedByOthers([{ rolloutId: 'shared', counts: others(0) }]);
    await timePasses(2500);
    await eventually(() => said.some(({ rolloutId }) => rolloutId === 'shared'), 'what was counted here');
    expect([await percent(), steps.length]).toEqual([20, 0]);

    under.gateway.lead(true);
    await eventually(async () => (await percent()) === 50, 'the next step');
    expect(steps).toMatchObject([{ model: 'iris', rolloutId: 'shared', state: { step: 1 } }]);
    expect(steps[0]?.decisions[0]?.reason).toMatch(/^step 2 of 3; the candidate failed in 0 of 200 requests/);

    under.gateway.lead(false);
    const decision = {
      at: '',
      model: 'iris',
      rollout_id: 'shared',
      decision: 'next_step',
      reason: '?',
    } as const;
    under.gateway.follow({
      ...{ model: 'iris', rolloutId: 'shared', decisions: [decision] },
      state: { step: 2, sinceMs: Date.now() },
    });
    await eventually(async () => (await percent()) === 90, 'the step of the others');

    // What the others see is reason enough to go back at once, whoever decides.
    under.gateway.countedByOthers([{ rolloutId: 'shared', counts: others(60) }]);
    await eventually(() => logged('candidate taken out of the traffic') === 1, 'the way back');
    const back = under.log.find(({ msg }) => msg === 'candidate taken out of the traffic');
    expect(back).toMatchObject({ reason: expect.stringMatching(/60 of 200 requests/) as unknown });
  });

  test('is flipped by the one that decides, on what all processes counted, and by the others after it', async () => {
    const steps: SharedStep[] = [];
    const said: SharedCounts[] = [];
    await start({
      counted: (rollouts) => void said.push(...rollouts),
      wentOn: (step) => void steps.push(step),
    });
    const flip = { autoAfterMs: 1000, previewRequestsMin: 40, watchMs: 60_000 };
    const signed = { strategy: 'blue_green', trafficBps: undefined, flip } as unknown as Partial<Deployment>;
    divide('flip', signed);
    await eventually(() => logged('rollout began') === 1, 'the preview');
    // What is asked here by name is too little; another process was asked often enough.
    const elsewhere = new ReferenceJudge({
      ...{ unit: 'request', beside: 'live', requestsMin: 40 },
      reference: () => ({ trials: 0, failed: { error: 0, nan: 0 } }),
    });
    for (let request = 0; request < 40; request += 1)
      elsewhere.record({ arm: 'candidate', share: 0, keyHash: request, failed: false });
    const reference = { trials: 300, failed: { error: 6, nan: 0 } };
    under.gateway.countedByOthers([{ rolloutId: 'flip', flip: elsewhere.flipCounts, reference }]);
    await ask();
    await eventually(() => said.some((shared) => shared.reference?.trials === 1), 'what was counted here');
    await timePasses(1500);
    expect([logged('all traffic flipped to the candidate'), steps]).toEqual([0, []]);

    under.gateway.lead(true);
    await eventually(() => logged('all traffic flipped to the candidate') === 1, 'the flip');
    const together = { trials: 301, failed: { error: 6, nan: 0 } };
    expect(steps).toMatchObject([{ rolloutId: 'flip', flip: { reference: together } }]);
    expect(steps[0]?.decisions[0]?.reason).toMatch(
      /^all requests go to 2\.0\.0 now; the new version failed for 0 of 40 requests, the one before for 6 of 301 callers/,
    );
    const { headers } = await ask();
    expect([headers.get('x-model-version'), headers.get('x-variant')]).toEqual(['2.0.0', 'promoted']);

    // The other way about: another one decides that the next is flipped.
    under.gateway.lead(false);
    divide('next', signed);
    await eventually(() => logged('rollout began') === 2, 'the next preview');
    expect((await ask()).headers.get('x-model-version')).toBe('1.0.0');
    under.gateway.follow({
      ...{ model: 'iris', rolloutId: 'next', decisions: [] },
      flip: { sinceMs: Date.now(), reference },
    });
    await eventually(
      async () => (await ask()).headers.get('x-model-version') === '2.0.0',
      'the flip of the others',
    );
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
