/** When large bodies are read, and when they are not any more: the thread is moved by hand. */
import { expect, test } from 'vitest';
import type { ReadRequest } from '../../../../gateway/dispatch/bodies/body-task.ts';
import { LateRequests } from '../../../../gateway/dispatch/bodies/late-request.ts';
import type { ModelGeneration } from '../../../../gateway/dispatch/model-generation.ts';
import { fail, type Result, type WireError } from '../../../../gateway/wire/error-code.ts';
import { eventually } from '../../../e2e/deadline.ts';

type Read = Result<ReadRequest> | undefined;

class Rig {
  readonly reads: ((read: Read) => void)[] = [];
  readonly told: WireError['code'][] = [];
  readonly counted: string[] = [];
  held = 0;
  readonly late = new LateRequests({
    dispatcher: {
      reserve: () => fail('QUEUE_FULL', 'no room in this test'),
      giveBack: () => undefined,
      enqueue: (pending) => pending,
      abandon: () => undefined,
      reportFault: (fault) => {
        throw fault;
      },
    },
    lane: {
      ticket: () => 1,
      read: () => new Promise((resolve) => this.reads.push(resolve)),
      fill: () => Promise.resolve(undefined),
      drop: () => undefined,
    },
    limits: { requestRowsMax: 1, requestBytesMax: 1, queueBytesMax: 1000 },
  });

  take(dueWithinMs?: number): void {
    const generation = {
      acquire: () => (this.held += 1),
      release: () => (this.held -= 1),
      signature: { inputs: [], outputs: [], batching: 'rows' },
      metrics: { outcomes: { count: (_: string, outcome: string) => this.counted.push(outcome) } },
    } as unknown as ModelGeneration;
    this.late.take(generation, {
      protocol: 'oip-json',
      body: new Uint8Array(10),
      jsonBytes: 0,
      sink: { reply: () => undefined, fail: ({ code }) => this.told.push(code) },
      dueWithinMs,
    });
  }
}

test('what is due is told so while others are read, and never read itself', async () => {
  const rig = new Rig();
  for (let index = 0; index < 5; index++) rig.take(20);
  await eventually(() => rig.told.length === 5, 'all to be told');
  expect(rig.told).toEqual(Array(5).fill('DEADLINE_EXCEEDED'));
  expect(rig.reads).toHaveLength(2);
  for (const end of rig.reads) end(undefined);
  await eventually(() => rig.held === 0, 'all to be let go');
  expect(rig.reads).toHaveLength(2);
  expect(rig.told).toHaveLength(5);
  expect(rig.counted).toEqual(Array(5).fill('DEADLINE_EXCEEDED'));
});

test('without a deadline each waits for its turn, and hears of a lost thread', async () => {
  const rig = new Rig();
  for (let index = 0; index < 3; index++) rig.take();
  await eventually(() => rig.reads.length === 2, 'the first two');
  rig.reads[0]?.(undefined);
  await eventually(() => rig.reads.length === 3, 'the third');
  rig.reads[1]?.(undefined);
  rig.reads[2]?.(undefined);
  await eventually(() => rig.held === 0, 'all to be let go');
  expect(rig.told).toEqual(Array(3).fill('WORKER_LOST'));
});
