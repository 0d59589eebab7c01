/**
 * Cancel and deadline, against the clock of a model that is busy: whatever races with whatever, each id gets exactly one
 * answer, and what was cancelled or late before it ran is told so.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { slowModel } from './odd-models.ts';
import { StreamTalk } from './stream-talk.ts';

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models: [{ name: 'slow', version: '1.0.0', file: slowModel(30) }],
    limits: { batchRowsMax: 4 },
    inlineRunUsMax: 0,
  });
});
afterAll(() => under.close());

function request(id: number | string, rows = 1, extras: object = {}): Readonly<Record<string, unknown>> {
  const data = Buffer.from(Float32Array.from({ length: rows * 256 }, () => 1).buffer);
  return {
    id,
    model: 'slow',
    inputs: [{ name: 'x', shape: [rows, 256], datatype: 'FP32', data }],
    ...extras,
  };
}

async function settled(): Promise<void> {
  await eventually(
    async () => (await under.metrics()).sum('tidegate_inflight_requests') === 0,
    'nothing to be in flight',
  );
}

test('what waits is cancelled, what is unknown is ignored', async () => {
  const talk = await StreamTalk.open(under.port);
  for (let id = 0; id < 40; id++) talk.say(request(id, 4));
  talk.say({ op: 'cancel', id: 39 });
  talk.sayText({ op: 'cancel', id: 38 });
  talk.say({ op: 'cancel', id: 'nobody' });
  expect(await talk.answer(39)).toMatchObject({ code: 'CANCELLED' });
  expect(await talk.answer(38)).toMatchObject({ code: 'CANCELLED' });
  await talk.answered(40);
  expect(talk.answers.filter(({ code }) => code === undefined)).toHaveLength(38);
  // Cancelling what was answered changes nothing, and the id is free again.
  talk.say({ op: 'cancel', id: 39 });
  talk.say(request(39));
  await talk.answered(41);
  expect(talk.answersTo(39)).toHaveLength(2);
  expect(talk.heard.every(({ isText }) => !isText)).toBe(true);
  await settled();
  talk.client.destroy();
});

test('what cannot be answered by its deadline is told so, the rest is answered', async () => {
  const talk = await StreamTalk.open(under.port);
  for (let id = 0; id < 20; id++) talk.say(request(id, 64));
  talk.say(request('late', 1, { deadline_ms: 1 }));
  talk.sayText({
    ...request('late text'),
    inputs: [{ name: 'x', shape: [1, 256], datatype: 'FP32', data: Array<number>(256).fill(1) }],
    deadline_ms: 1,
  });
  talk.say(request('in time', 1, { deadline_ms: 60_000 }));
  await talk.answered(23);
  for (const id of ['late', 'late text']) {
    // By what waits before it, or alone: how long runs take is learned while this goes on.
    expect(talk.answersTo(id)).toMatchObject([
      { code: expect.stringMatching(/^(OVERLOADED|DEADLINE_EXCEEDED)$/) as string },
    ]);
    expect(talk.answersTo(id)[0]?.['retry_after_ms']).toBeGreaterThan(0);
  }
  expect(talk.answersTo('in time')).toMatchObject([{ model_name: 'slow' }]);
  await settled();
  talk.client.destroy();
});

test('the most urgent goes first', async () => {
  const talk = await StreamTalk.open(under.port);
  for (let id = 0; id < 10; id++) talk.say(request(id, 64));
  for (let id = 10; id < 20; id++) talk.say(request(id, 4));
  talk.say(request('urgent', 4, { priority: 1 }));
  await talk.answered(21);
  const order = talk.answers.map(({ id }) => id);
  expect(order.indexOf('urgent')).toBeLessThan(order.indexOf(19));
  talk.client.destroy();
});

type Step =
  | {
      readonly kind: 'ask';
      readonly rows: number;
      readonly deadlineMs: number | undefined;
      readonly text: boolean;
    }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'pause'; readonly ms: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      rows: fc.integer({ min: 1, max: 6 }),
      deadlineMs: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined, freq: 3 }),
      text: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.integer({ min: 0, max: 4 }) }),
  },
);

test('any interleaving of requests, cancels and deadlines gives each id exactly one answer', async () => {
  const codes = new Map<unknown, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 60 }), async (steps) => {
      const talk = await StreamTalk.open(under.port);
      let asked = 0;
      for (const step of steps) {
        if (step.kind === 'ask') {
          const id = asked % 2 === 0 ? asked : `s${asked}`;
          asked += 1;
          const extras = step.deadlineMs === undefined ? {} : { deadline_ms: step.deadlineMs };
          talk.say(request(id, step.rows, extras));
        } else if (step.kind === 'cancel') {
          const which = step.which % Math.max(1, asked + 2);
          talk.say({ op: 'cancel', id: which % 2 === 0 ? which : `s${which}` });
        } else {
          await new Promise((resolve) => setTimeout(resolve, step.ms));
        }
      }
      await talk.answered(asked);
      talk.say({ op: 'ping' });
      await talk.operation('pong');
      expect(talk.answers).toHaveLength(asked);
      expect(new Set(talk.answers.map(({ id }) => id)).size).toBe(asked);
      for (const { code } of talk.answers) {
        expect([undefined, 'CANCELLED', 'DEADLINE_EXCEEDED', 'OVERLOADED']).toContain(code);
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
      talk.client.destroy();
    }),
    { numRuns: 60 },
  );
  // A race that always ends the same way proves little.
  expect([...codes.keys()]).toEqual(expect.arrayContaining([undefined, 'CANCELLED', 'DEADLINE_EXCEEDED']));
  await settled();
}, 120_000);
