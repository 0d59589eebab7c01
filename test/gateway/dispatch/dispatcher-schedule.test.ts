/**
 * What becomes of requests that wait while no lane is free: cancelled, due, or dropped at the end. The pool has no lanes,
 * so everything waits; memory and bookkeeping are the real ones.
 */
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import { PageArena } from '../../../runtime/tensor/page-arena.ts';
import type { Ran } from '../../../runtime/protocol/worker-task.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import { Dispatcher } from '../../../gateway/dispatch/dispatcher.ts';
import type { Submission } from '../../../gateway/dispatch/submission.ts';
import { ModelGeneration } from '../../../gateway/dispatch/model-generation.ts';
import { PendingRequest } from '../../../gateway/dispatch/request-queue.ts';
import type { Trial } from '../../../gateway/dispatch/trial.ts';
import { VersionMetrics } from '../../../gateway/telemetry/version-metrics.ts';
import { fail } from '../../../gateway/wire/error-code.ts';
import { eventually } from '../../e2e/deadline.ts';

const signature: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
  batching: 'rows',
};

interface Rig {
  /** Runs what arrives; without it everything waits. */
  readonly run?: () => Promise<Ran>;
  readonly onFault?: (fault: unknown) => void;
  readonly trial?: Trial;
  /** Instead of telling what an answer is evidence for. */
  readonly visibleReply?: () => never;
}

function setUp({ run, onFault, trial, visibleReply }: Rig = {}): {
  readonly dispatcher: Dispatcher;
  readonly pages: PageArena;
  readonly codes: Map<string, string>;
  readonly submit: (name: string, dueWithinMs?: number) => PendingRequest;
} {
  const arenaBytes = 1024 * 1024;
  const pages = new PageArena(arenaBytes);
  const pool = {
    lanes: [],
    inlineLane: { holds: () => run !== undefined, run },
    pages,
    arena: new SharedArrayBuffer(arenaBytes),
  };
  const dispatcher = new Dispatcher({
    pool: pool as unknown as WorkerPool,
    batchRowsMax: 4,
    queueRowsMax: 100,
    callerBytesMax: 240,
    onFailure: () => undefined,
    onFault:
      onFault ??
      ((fault) => {
        throw fault;
      }),
  });
  const generation = new ModelGeneration({
    costs: [],
    modelName: 'm',
    modelVersion: '1',
    sha256: '',
    signature,
    platform: 'onnx',
    session: 1,
    metrics: new VersionMetrics('m', '1'),
  });
  if (visibleReply !== undefined) Object.assign(generation, { visibleReply });
  const codes = new Map<string, string>();
  const source = { kind: 'packed', bytes: new Uint8Array(4) } as const;
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 1], source }] as const;
  const submit = (name: string, dueWithinMs?: number): PendingRequest => {
    const submission: Submission = {
      generation,
      protocol: 'oip-json',
      request: { rows: 1, bytes: 4, inputs, outputIndexes: undefined },
      id: name,
      sink: {
        reply: () => {
          if (codes.has(name)) throw new Error(`${name} is told twice`);
          codes.set(name, 'answered');
        },
        fail: ({ code }) => {
          if (codes.has(name)) throw new Error(`${name} is told twice`);
          codes.set(name, code);
        },
      },
      options: undefined,
      trial,
      caller: 'ada',
      dueWithinMs,
    };
    const outcome = dispatcher.submit(submission);
    if (outcome instanceof PendingRequest) return outcome;
    throw new Error(outcome.message);
  };
  return { dispatcher, pages, codes, submit };
}

describe('requests that wait', () => {
  it('are told CANCELLED when they are cancelled, once', () => {
    const { dispatcher, codes, submit } = setUp();
    const [first, second] = [submit('first'), submit('second')];
    expect(dispatcher.cancel(first)).toBe(true);
    expect(dispatcher.cancel(first)).toBe(false);
    expect([...codes]).toEqual([['first', 'CANCELLED']]);
    expect([dispatcher.inflightRequests, dispatcher.queuedRows]).toEqual([1, 1]);
    dispatcher.abandon(second);
    expect(dispatcher.cancel(second)).toBe(false);
    expect([codes.has('second'), dispatcher.inflightRequests]).toEqual([false, 0]);
  });

  it('are told DEADLINE_EXCEEDED when they are due, in the order they are due, and the others go on waiting', async () => {
    const { dispatcher, codes, submit } = setUp();
    submit('patient');
    submit('late', 20);
    submit('early', 1);
    submit('never', 3_600_000);
    const endMs = Date.now() + 10_000;
    while (codes.size < 2 && Date.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([...codes]).toEqual([
      ['early', 'DEADLINE_EXCEEDED'],
      ['late', 'DEADLINE_EXCEEDED'],
    ]);
    expect([dispatcher.inflightRequests, dispatcher.queuedRows]).toEqual([2, 2]);
  });

  it('that left in another way are not told of their deadline', async () => {
    const { dispatcher, codes, submit } = setUp();
    dispatcher.cancel(submit('cancelled', 5));
    dispatcher.abandon(submit('abandoned', 5));
    submit('failed', 5);
    dispatcher.failAll(fail('SHUTTING_DOWN', 'the end'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([...codes]).toEqual([
      ['cancelled', 'CANCELLED'],
      ['failed', 'SHUTTING_DOWN'],
    ]);
    expect(dispatcher.inflightRequests).toBe(0);
  });

  it('count for their caller, whose next is refused when they are as many bytes as he may have', () => {
    const { dispatcher, submit } = setUp();
    const all = Array.from({ length: 60 }, (_, index) => submit(`${index}`));
    expect(() => submit('one more')).toThrow('callerBytesMax');
    dispatcher.cancel(all[7]!);
    submit('now');
    expect(() => submit('another')).toThrow('callerBytesMax');
    dispatcher.failAll(fail('SHUTTING_DOWN', 'the end'));
    expect(dispatcher.callers.size).toBe(0);
  });

  it('give their memory and what they count for their caller back however they leave', async () => {
    const { dispatcher, pages, codes, submit } = setUp();
    dispatcher.cancel(submit('warm up'));
    expect(dispatcher.callers.size).toBe(0);
    const before = pages.bytesTaken;
    for (let round = 0; round < 50; round++) {
      dispatcher.cancel(submit(`c${round}`));
      dispatcher.abandon(submit(`a${round}`));
      submit(`d${round}`, 1);
    }
    const endMs = Date.now() + 10_000;
    while (codes.size < 101 && Date.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(dispatcher.inflightRequests).toBe(0);
    expect(pages.bytesTaken).toBe(before);
    expect(dispatcher.callers.size).toBe(0);
  });
});

const ranTwo = (): Promise<Ran> =>
  Promise.resolve({ kind: 'ran', outputs: [{ shape: [2, 1], moved: new ArrayBuffer(8) }], runUs: 1 });

it('a fault of who judges takes no answer back', async () => {
  const faults: unknown[] = [];
  const watch = {
    ended: () => {
      throw new Error('the watch is broken');
    },
  };
  const { dispatcher, codes, submit } = setUp({
    run: ranTwo,
    onFault: (fault) => faults.push(fault),
    trial: { arm: 'candidate', key: 'k', watch } as unknown as Trial,
  });
  submit('first');
  submit('second');
  await eventually(() => faults.length > 0, 'the fault to be told');
  expect([...codes]).toEqual([
    ['first', 'answered'],
    ['second', 'answered'],
  ]);
  expect(faults.map(String)).toContain('Error: the watch is broken');
  expect([dispatcher.queuedRows, dispatcher.inflightRequests]).toEqual([0, 0]);
});

it('a fault between two answers costs the second one its answer, and gives the first no other', async () => {
  const faults: unknown[] = [];
  const { dispatcher, codes, submit } = setUp({
    run: ranTwo,
    onFault: (fault) => faults.push(fault),
    trial: { arm: 'candidate', key: 'k', watch: { ended: () => undefined } } as unknown as Trial,
    visibleReply: () => {
      throw new Error('the evidence is broken');
    },
  });
  submit('first');
  submit('second');
  await eventually(() => dispatcher.inflightRequests === 0, 'both to leave');
  expect([...codes]).toEqual([
    ['first', 'answered'],
    ['second', 'INTERNAL'],
  ]);
  expect(faults.map(String)).toEqual(['Error: the evidence is broken']);
});
