/** When large bodies are read, and when they are not any more: the thread is moved by hand. */
import { expect, test } from 'vitest';
import { CallerShares } from '../../../../gateway/admission/caller-shares.ts';
import type { ReadRequest } from '../../../../gateway/dispatch/bodies/body-task.ts';
import { type LateRequest, LateRequests } from '../../../../gateway/dispatch/bodies/late-request.ts';
import type { ModelGeneration } from '../../../../gateway/dispatch/model-generation.ts';
import type { Reservation } from '../../../../gateway/dispatch/submission.ts';
import { fail, type Result, type WireError } from '../../../../gateway/wire/error-code.ts';
import { eventually } from '../../../e2e/deadline.ts';

type Read = Result<ReadRequest> | undefined;

class Rig {
  readonly reads: ((read: Read) => void)[] = [];
  readonly told: WireError['code'][] = [];
  readonly counted: string[] = [];
  held = 0;
  readonly callers = new CallerShares({ rowsMax: 0, bytesMax: 25 });
  /** Requests that were queued, each with the callers that had something here then. */
  readonly queued: [rows: number, bytes: number, callers: number][] = [];
  room: Reservation | WireError = fail('QUEUE_FULL', 'no room in this test');
  readonly late = new LateRequests({
    dispatcher: {
      callers: this.callers,
      reserve: () => this.room,
      giveBack: () => undefined,
      enqueue: (pending) => {
        this.queued.push([pending.rows, pending.bytes, this.callers.size]);
        return pending;
      },
      abandon: () => undefined,
      reportFault: (fault) => {
        throw fault;
      },
    },
    lane: {
      ticket: () => 1,
      read: () => new Promise((resolve) => this.reads.push(resolve)),
      fill: () => Promise.resolve({ ok: true, value: undefined }),
      drop: () => undefined,
    },
    limits: { requestRowsMax: 4, requestBytesMax: 100, queueBytesMax: 1000 },
  });

  take(dueWithinMs?: number, caller?: string): LateRequest | WireError {
    const generation = {
      acquire: () => (this.held += 1),
      release: () => (this.held -= 1),
      signature: { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }], outputs: [], batching: 'rows' },
      metrics: { outcomes: { count: (_: string, outcome: string) => this.counted.push(outcome) } },
    } as unknown as ModelGeneration;
    return this.late.take(generation, {
      protocol: 'oip-json',
      body: new Uint8Array(10),
      jsonBytes: 0,
      sink: { reply: () => undefined, fail: ({ code }) => this.told.push(code) },
      dueWithinMs,
      caller,
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

test('the body counts for its caller until the request is queued, or over', async () => {
  const rig = new Rig();
  rig.room = {
    queue: { line: { tuning: {} }, slabs: { byteOffset: () => 0 } },
    place: {},
  } as unknown as Reservation;
  rig.take(undefined, 'ada');
  const second = rig.take(undefined, 'ada');
  expect(rig.take(undefined, 'ada')).toMatchObject({
    code: 'CALLER_LIMIT',
    message: expect.stringContaining('callerBytesMax') as string,
  });
  rig.late.abandon(second as LateRequest);
  await eventually(() => rig.reads.length === 2, 'both to be read');
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [3, 2], sourceBytes: 8 }] as const;
  const read: Read = { ok: true, value: { id: undefined, inputs, outputs: undefined, options: undefined } };
  rig.reads[1]?.(read);
  await eventually(() => rig.held === 1, 'the one whose client is gone');
  expect(rig.callers.lackOf({ caller: 'ada', rows: 1, bytes: 15 })).toBeUndefined();
  rig.reads[0]?.(read);
  await eventually(() => rig.held === 0, 'the other one');
  expect(rig.queued).toEqual([[3, 24, 0]]);
  expect(rig.callers.size).toBe(0);
});
