/**
 * The order of calls within a sequence, and what becomes of those behind one that fails, is cancelled, left by its client
 * or withdrawn. The dispatcher is a puppet: the test says when a run answers.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { CallerShares } from '../../../../gateway/admission/caller-shares.ts';
import { parseLimits } from '../../../../gateway/admission/limits.ts';
import { cancelled, failureAnswer, queueFull } from '../../../../gateway/dispatch/failure-answers.ts';
import { ModelGeneration } from '../../../../gateway/dispatch/model-generation.ts';
import type { PendingRequest, ReplySink } from '../../../../gateway/dispatch/request-queue.ts';
import { SequenceStep } from '../../../../gateway/dispatch/sequences/sequence.ts';
import { Sequences } from '../../../../gateway/dispatch/sequences/sequences.ts';
import { StateLayout } from '../../../../gateway/dispatch/sequences/state-layout.ts';
import type { Submission } from '../../../../gateway/dispatch/submission.ts';
import { MetricsPage } from '../../../../gateway/telemetry/metrics-page.ts';
import { fail, type WireError } from '../../../../gateway/wire/error-code.ts';
import type { InferReply, InferRequest } from '../../../../gateway/wire/infer-request.ts';

const tensor = (name: string) => ({ name, datatype: 'FP32' as const, shape: [1] });
const signature = {
  inputs: [tensor('x'), tensor('sum')],
  outputs: [tensor('y'), tensor('next')],
  batching: 'none' as const,
};

function generation(version: string): ModelGeneration {
  return new ModelGeneration({
    modelName: 'sum',
    modelVersion: version,
    sha256: '',
    signature,
    layout: new StateLayout(signature, [{ input: 'sum', output: 'next', shape: [1] }]),
    platform: '',
    session: 1,
    costs: [],
    metrics: new MetricsPage().version('sum', version),
  });
}

/** Adds what it is given when the test says so. */
class PuppetDispatcher {
  readonly running: Submission[] = [];
  /** What runs is counted by the dispatcher itself, so that only what waits is in here. */
  readonly callers = new CallerShares({ rowsMax: 2, bytesMax: 8 });
  refusal: WireError | undefined;
  /** Of the inputs, read when they come: their bytes are not ours later. */
  readonly #totals = new Map<Submission, number>();

  submit(submission: Submission): PendingRequest | WireError {
    if (this.refusal !== undefined) return this.refusal;
    this.running.push(submission);
    const { inputs } = submission.request;
    this.#totals.set(
      submission,
      inputs.reduce((sum, { source }) => sum + numberOf(source), 0),
    );
    return submission as unknown as PendingRequest;
  }

  cancel(pending: PendingRequest): boolean {
    const submission = pending as unknown as Submission;
    this.running.splice(this.running.indexOf(submission), 1);
    submission.sink.fail(cancelled);
    return true;
  }

  /** The run that began first answers. */
  async answer(): Promise<void> {
    const submission = this.running.shift()!;
    const { sink } = submission;
    const data = Float32Array.of(this.#totals.get(submission) ?? NaN);
    const column = { datatype: 'FP32' as const, rowShape: [1], rowElements: 1, data };
    const columns = ['y', 'next'].map((name) => ({ ...column, name }));
    sink.reply({ columns, batched: false, rowStart: 0, rows: 1 } as unknown as InferReply);
    await Promise.resolve();
  }

  async fail(error: WireError): Promise<void> {
    this.running.shift()!.sink.fail(error);
    await Promise.resolve();
  }
}

function numberOf(source: InferRequest['inputs'][number]['source']): number {
  if (source.kind !== 'packed') throw new Error('not packed');
  return new Float32Array(source.bytes.slice().buffer)[0] ?? NaN;
}

let dispatcher: PuppetDispatcher;
let sequences: Sequences;
let nowMs: number;
let version: ModelGeneration;
/** What callers were told, in order. */
let told: string[];

beforeEach(() => {
  dispatcher = new PuppetDispatcher();
  nowMs = 0;
  told = [];
  version = generation('1');
  build({});
});

function build(limits: Readonly<Record<string, number>>): void {
  const parsed = parseLimits({ sequenceWaitingMax: 4, ...limits });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  sequences = new Sequences({ dispatcher, limits: parsed.value, nowMs: () => nowMs });
}

interface Wish {
  readonly id?: string;
  readonly start?: boolean;
  readonly end?: boolean;
  readonly withinMs?: number;
  readonly caller?: string;
}

/** Sends `value`; what is told later is noted under its name, and what is refused at once is the answer. */
function send(
  value: number,
  { id = 's', start = false, end = false, withinMs, caller }: Wish = {},
): SequenceStep | string {
  const sink: ReplySink = {
    reply: ({ columns }) => void told.push(`${value}: ${String(columns[0]?.data[0])}/${columns.length}`),
    fail: ({ code }) => void told.push(`${value}: ${code}`),
  };
  const bytes = new Uint8Array(Float32Array.of(value).buffer);
  const request: InferRequest = {
    id: undefined,
    inputs: [{ ...tensor('x'), source: { kind: 'packed', bytes } }],
    outputs: undefined,
    options: {
      dueWithinMs: undefined,
      priority: 0,
      outputForms: undefined,
      defaultForm: { binary: false, classes: 0 },
      sequence: { id, start, end },
    },
  };
  const step = sequences.take({
    protocol: 'oip-json',
    modelName: 'sum',
    modelVersion: undefined,
    target: version,
    trial: undefined,
    request,
    decode: () => ({ ok: true, value: request }),
    sink,
    caller,
    dueWithinMs: withinMs,
  });
  // The bytes of a request are reused by whoever read them.
  bytes.fill(0xff);
  return step instanceof SequenceStep ? step : step.code;
}

function sent(value: number, wish?: Wish): SequenceStep {
  const step = send(value, wish);
  if (typeof step === 'string') throw new Error(step);
  return step;
}

describe('a version', () => {
  it('is counted on by its open sequences, until they end or were silent for too long', async () => {
    build({ sequenceIdleMsMax: 100 });
    const other = generation('2');
    expect(sequences.isOpenOn(version)).toBe(false);
    sent(1, { start: true });
    await dispatcher.answer();
    expect([sequences.isOpenOn(version), sequences.isOpenOn(other)]).toEqual([true, false]);
    nowMs = 101;
    expect(sequences.isOpenOn(version)).toBe(false);
    sent(1, { start: true });
    sent(2, { end: true });
    await dispatcher.answer();
    await dispatcher.answer();
    expect(sequences.isOpenOn(version)).toBe(false);
  });
});

describe('calls of one sequence', () => {
  it('run one after the other, each on what the one before left', async () => {
    sent(1, { start: true });
    sent(10);
    sent(100, { end: true });
    expect(dispatcher.running).toHaveLength(1);
    await dispatcher.answer();
    await dispatcher.answer();
    expect(told).toEqual(['1: 1/1', '10: 11/1']);
    await dispatcher.answer();
    expect(told[2]).toBe('100: 111/1');
    expect({ open: sequences.open, bytes: sequences.bytes }).toEqual({ open: 0, bytes: 0 });
  });

  it('start again in their turn, also behind the end', async () => {
    sent(1, { start: true });
    sent(2, { end: true });
    expect(send(3)).toBe('SEQUENCE_LOST');
    sent(5, { start: true });
    sent(6);
    for (let run = 0; run < 4; run++) await dispatcher.answer();
    expect(told).toEqual(['1: 1/1', '2: 3/1', '5: 5/1', '6: 11/1']);
    expect(sequences.open).toBe(1);
  });

  it('wait in no larger number than may wait', () => {
    sent(0, { start: true });
    for (let value = 1; value <= 4; value++) sent(value);
    expect(send(5)).toBe('CALLER_LIMIT');
  });

  it('count for their caller while they wait, and go to the dispatcher under its name', async () => {
    sent(0, { start: true, caller: 'ada' });
    sent(1, { caller: 'ada' });
    sent(2, { caller: 'ada' });
    expect(send(3, { caller: 'ada' })).toBe('CALLER_LIMIT');
    expect(dispatcher.callers.lackOf({ caller: 'ada', rows: 0, bytes: 1 })).toBe('bytes');
    sent(4, { caller: 'bob' });
    for (const caller of ['ada', 'ada', 'ada', 'bob']) {
      expect(dispatcher.running[0]?.caller).toBe(caller);
      await dispatcher.answer();
    }
    expect(told).toEqual(['0: 0/1', '1: 1/1', '2: 3/1', '4: 7/1']);
    sent(5, { caller: 'ada' });
    sent(6, { caller: 'ada' });
    sequences.failAll(cancelled);
    expect(dispatcher.callers.size).toBe(0);
  });

  it('start no more sequences of one caller than it may have open', () => {
    build({ callerSequencesMax: 1 });
    sent(0, { id: 'a', start: true, caller: 'ada' });
    expect(send(1, { id: 'b', start: true, caller: 'ada' })).toBe('CALLER_LIMIT');
    sent(2, { id: 'b', start: true, caller: 'bob' });
    expect(sequences.open).toBe(2);
  });

  it('wait only as long as they allow', async () => {
    sent(1, { start: true });
    sent(2, { withinMs: 5 });
    sent(3);
    nowMs = 6;
    await dispatcher.answer();
    expect(told).toEqual(['1: 1/1', '2: DEADLINE_EXCEEDED', '3: SEQUENCE_INTERRUPTED']);
    sent(4);
    await dispatcher.answer();
    expect(told.at(-1)).toBe('4: 5/1');
  });

  it('hold no more bytes than may be held', () => {
    build({ sequenceBytesMax: 1024, sequenceWaitingMax: 1000 });
    sent(0, { start: true });
    // Four of them are the state.
    for (let value = 1; value <= 255; value++) sent(value);
    expect(sequences.bytes).toBe(1024);
    expect(send(256)).toBe('TOO_MANY_SEQUENCES');
    expect(send(1, { id: 'other', start: true })).toBe('TOO_MANY_SEQUENCES');
    expect(sequences.open).toBe(1);
  });
});

describe('when a call is not answered', () => {
  const lost = failureAnswer('worker');

  it('those behind it are not run, and the state is what it was', async () => {
    sent(1, { start: true });
    await dispatcher.answer();
    sent(10);
    sent(100);
    sent(1000);
    await dispatcher.fail(lost);
    expect(told.slice(1)).toEqual([
      '10: WORKER_LOST',
      '100: SEQUENCE_INTERRUPTED',
      '1000: SEQUENCE_INTERRUPTED',
    ]);
    sent(10);
    await dispatcher.answer();
    expect(told.at(-1)).toBe('10: 11/1');
  });

  it('one behind it that starts again runs', async () => {
    sent(1, { start: true });
    sent(2);
    sent(5, { start: true });
    sent(6);
    await dispatcher.fail(lost);
    await dispatcher.answer();
    await dispatcher.answer();
    expect(told).toEqual(['1: WORKER_LOST', '2: SEQUENCE_INTERRUPTED', '5: 5/1', '6: 11/1']);
  });

  it('a start that failed leaves nothing to go on with', async () => {
    sent(1, { start: true });
    await dispatcher.answer();
    sent(5, { start: true });
    await dispatcher.fail(lost);
    expect(send(6)).toBe('SEQUENCE_LOST');
    dispatcher.refusal = queueFull;
    expect(send(7, { start: true })).toBe('QUEUE_FULL');
    expect({ open: sequences.open, bytes: sequences.bytes }).toEqual({ open: 0, bytes: 0 });
  });

  it('because there was no room when its turn came, it is told, and those behind it', async () => {
    sent(1, { start: true });
    sent(2);
    sent(3);
    dispatcher.refusal = queueFull;
    await dispatcher.answer();
    expect(told).toEqual(['1: 1/1', '2: QUEUE_FULL', '3: SEQUENCE_INTERRUPTED']);
  });

  it('because it was cancelled, whether it waits or is with the dispatcher', async () => {
    const first = sent(1, { start: true });
    const second = sent(2);
    sent(3);
    sequences.cancel(second);
    sequences.cancel(second);
    expect(told).toEqual(['2: CANCELLED']);
    await dispatcher.answer();
    expect(told.slice(1)).toEqual(['1: 1/1', '3: SEQUENCE_INTERRUPTED']);
    sequences.cancel(first);
    const fourth = sent(4);
    sequences.cancel(fourth);
    expect(told.slice(3)).toEqual(['4: CANCELLED']);
  });

  it('because its client left, nobody is told and the next ones do not run', async () => {
    const steps = [sent(1, { start: true }), sent(2), sent(3)];
    for (const step of steps) sequences.abandon(step);
    await Promise.resolve();
    expect(told).toEqual([]);
    expect(dispatcher.running).toEqual([]);
    expect({ open: sequences.open, bytes: sequences.bytes }).toEqual({ open: 0, bytes: 0 });
  });

  it('because the process ends, everything that waits is told once', async () => {
    sent(1, { start: true });
    sent(2);
    sequences.failAll(fail('SHUTTING_DOWN', ''));
    await dispatcher.answer();
    expect(told).toEqual(['2: SHUTTING_DOWN', '1: 1/1']);
    expect(sequences.bytes).toBe(0);
  });
});

describe('versions', () => {
  it('a sequence stays on its own while another is live, and moves when it starts again', async () => {
    const old = version;
    sent(1, { start: true });
    await dispatcher.answer();
    version = generation('2');
    sent(2);
    expect(dispatcher.running[0]?.generation).toBe(old);
    sent(3, { start: true });
    sent(4);
    await dispatcher.answer();
    expect(dispatcher.running[0]?.generation).toBe(version);
    await dispatcher.answer();
    expect(dispatcher.running[0]?.generation).toBe(version);
  });

  it('that are no longer here end their sequences, the run under way is answered', async () => {
    sent(1, { start: true });
    sent(2);
    sent(1, { id: 'kept', start: true });
    const old = version;
    version = generation('2');
    sequences.keepOnly((each) => each !== old);
    expect(told).toEqual(['2: SEQUENCE_LOST']);
    await dispatcher.answer();
    expect(told.at(-1)).toBe('1: 1/1');
    expect(send(3)).toBe('SEQUENCE_LOST');
    expect({ open: sequences.open, bytes: sequences.bytes }).toEqual({ open: 0, bytes: 0 });
  });
});
