/**
 * Threads that end in the middle of their work: every request is answered exactly once, with its own rows or with
 * WORKER_LOST, and the gateway works again without help.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Form } from './callers.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HeldThreads } from './held-threads.ts';
import { ModelThreads } from './model-threads.ts';
import { ticketModel } from './odd-models.ts';
import { type Tensor, tensorOf } from './tensor.ts';
import type { Outcome } from './wire-forms.ts';

const ticketFile = { name: 'ticket', version: '1.0.0', file: ticketModel() };

function ticket(number: number): Tensor[] {
  return [
    tensorOf({ name: 'values_in', datatype: 'FP32', shape: [1, 5] }, Array<number>(5).fill(number)),
    tensorOf({ name: 'ticket_in', datatype: 'INT64', shape: [1] }, [number]),
  ];
}

function isTicket(outcome: Outcome, number: number): boolean {
  if (outcome.kind === 'error') return false;
  const [values, tickets] = outcome.outputs;
  return (
    values?.data.every((value: unknown) => value === number) === true && tickets?.data[0] === BigInt(number)
  );
}

let threads: ModelThreads;
let under: GatewayUnderTest;
beforeEach(() => {
  threads = new ModelThreads();
});
afterEach(async () => {
  await under.close();
  threads.restore();
});

function losses(): number {
  return under.log.filter(({ msg }) => msg === 'worker thread lost, starting another').length;
}

async function threadsIn(state: string): Promise<number> {
  return (await under.metrics()).sum('tidegate_threads', { state });
}

test.each([{ count: 1 }, { count: 2 }])(
  'of $count threads, killed three times under load, none costs an answer',
  async ({ count }) => {
    under = await startTestGateway({ models: [ticketFile], threads: count, inlineRunUsMax: 0 });
    const clients: Form[] = ['oip-json', 'oip-msgpack', 'predict-json', 'stream-msgpack', 'stream-msgpack'];
    let sending = true;
    let answered = 0;
    const wrong: Outcome[] = [];
    const work = clients.flatMap((form) => {
      const caller = under.caller(form);
      return Array.from({ length: form === 'stream-msgpack' ? 16 : 1 }, async () => {
        while (sending) {
          const number = ++answered;
          const outcome = await caller.call({ model: 'ticket', inputs: ticket(number) });
          if (!isTicket(outcome, number)) wrong.push(outcome);
        }
      });
    });
    for (let kill = 0; kill < 3; kill++) {
      const before = answered;
      await eventually(
        () => threads.alive >= count && answered > before + 200,
        `work before kill ${kill}`,
        20_000,
      );
      await threads.killOldest();
    }
    const before = answered;
    await eventually(() => answered > before + 200, 'work after the last kill', 20_000);
    sending = false;
    await Promise.all(work);
    // A request may be lost twice; that is declared, and is to be sent again. Nothing else may happen to it.
    expect(wrong.filter((outcome) => outcome.kind === 'answer' || outcome.code !== 'WORKER_LOST')).toEqual(
      [],
    );
    expect(wrong.length).toBeLessThan(answered / 10);
    await eventually(async () => (await threadsIn('idle')) === count, 'every thread to be back');
    expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
    expect(losses()).toBe(3);
  },
  60_000,
);

test('a request whose thread is lost twice is told WORKER_LOST, and others wait for the next thread', async () => {
  const held = new HeldThreads();
  const { workerFile } = held;
  under = await startTestGateway({ models: [ticketFile], inlineRunUsMax: 0, workerFile });
  held.hold('run');
  const doomed = under.caller('oip-msgpack').call({ model: 'ticket', inputs: ticket(6) });
  for (let kill = 1; kill <= 2; kill++) {
    // Born, loaded and at work again: a thread that is held does not come back by itself.
    await eventually(async () => (await threadsIn('busy')) === 1, 'the thread to be busy with it', 20_000);
    await threads.killOldest();
    await eventually(() => losses() === kill, 'the loss to be seen');
  }
  held.release();
  const patient = under.caller('oip-msgpack').call({ model: 'ticket', inputs: ticket(7) });
  expect(await doomed).toMatchObject({ kind: 'error', status: 503, code: 'WORKER_LOST' });
  expect(isTicket(await patient, 7)).toBe(true);
}, 60_000);
