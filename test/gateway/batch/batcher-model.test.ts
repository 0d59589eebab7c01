/**
 * The batcher against a model far simpler than itself: plain lists of ids, compared after every event. Which queue's
 * turn it is belongs to the laws; given the queue, the members are certain.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FailureCause } from '../../../gateway/batch/batcher.ts';
import { patienceMs } from '../../../gateway/batch/due-queue.ts';
import {
  cause,
  level,
  Member,
  pick,
  Queue,
  sumOfRows,
  type TestBatch,
  type TestBatcher,
  unlimited,
  nextOf,
} from './random-run.ts';

interface Model {
  /** Those never run, in order of arrival. */
  line: {
    readonly id: number;
    readonly queue: number;
    readonly rows: number;
    readonly level: number;
    readonly deadlineMs: number | undefined;
  }[];
  /** Those that wait for their second run. */
  alone: number[];
  running: number[][];
  readonly retried: Set<number>;
}

interface Real {
  readonly batcher: TestBatcher;
  readonly queues: readonly Queue[];
  readonly members: Member[];
  readonly running: TestBatch[];
}

type ModelCommand = fc.Command<Model, Real>;

const rowsMaxOfModel = [1, 8, 5] as const;
/** Time stands still at 0 and runs take none, so that deadlines are an order and nothing else. */
const deadline = fc.option(
  fc.integer({ min: 1, max: 2 * patienceMs }).filter((ms) => ms !== patienceMs),
  {
    nil: undefined,
  },
);

class Arrive implements ModelCommand {
  readonly #queue: number;
  readonly #rows: number;
  readonly #level: number;
  readonly #deadlineMs: number | undefined;

  constructor(queue: number, rows: number, urgency: number, deadlineMs: number | undefined) {
    this.#deadlineMs = deadlineMs;
    this.#queue = queue;
    this.#rows = rows;
    this.#level = urgency;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const id = real.members.length;
    const home = real.queues[this.#queue]!;
    const deadlineMs = this.#deadlineMs;
    const member = new Member(id, home, this.#rows, this.#level, { arrivedMs: 0, deadlineMs });
    real.members.push(member);
    real.batcher.arrive(home, member);
    model.line.push({ id, queue: this.#queue, rows: this.#rows, level: this.#level, deadlineMs });
    agree(model, real);
  }

  toString(): string {
    return `arrive(queue ${this.#queue}, ${this.#rows} rows, level ${this.#level}, due ${this.#deadlineMs})`;
  }
}

class Next implements ModelCommand {
  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const batch = nextOf(real.batcher);
    const first = model.alone.shift();
    if (first !== undefined) {
      expect(batch?.members.map((member) => member.id)).toEqual([first]);
    } else if (batch === undefined) {
      expect(model.line).toEqual([]);
    } else {
      const expected = greedy(model, real.queues.indexOf(batch.queue));
      expect(batch.members.map((member) => member.id)).toEqual(expected);
      model.line = model.line.filter(({ id }) => !expected.includes(id));
    }
    if (batch !== undefined) {
      real.running.push(batch);
      model.running.push(batch.members.map((member) => member.id));
    }
    agree(model, real);
  }

  toString(): string {
    return 'next()';
  }
}

class Settle implements ModelCommand {
  readonly #pick: number;
  readonly #failure: FailureCause | undefined;

  constructor(index: number, failure: FailureCause | undefined) {
    this.#pick = index;
    this.#failure = failure;
  }

  check(model: Readonly<Model>): boolean {
    return model.running.length > 0;
  }

  run(model: Model, real: Real): void {
    const index = this.#pick % model.running.length;
    const [ids = []] = model.running.splice(index, 1);
    const [batch] = real.running.splice(index, 1);
    if (this.#failure === undefined) {
      real.batcher.done(batch!, 0);
    } else {
      const final = this.#failure === 'model' && ids.length === 1;
      const lost = real.batcher.failed(batch!, this.#failure, 0).map((member) => member.id);
      expect(lost).toEqual(ids.filter((id) => final || model.retried.has(id)));
      for (const id of ids.filter((other) => !lost.includes(other))) {
        model.retried.add(id);
        model.alone.push(id);
      }
    }
    agree(model, real);
  }

  toString(): string {
    return this.#failure === undefined ? `done(${this.#pick})` : `failed(${this.#pick}, ${this.#failure})`;
  }
}

class Cancel implements ModelCommand {
  readonly #pick: number;

  constructor(index: number) {
    this.#pick = index;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const member = real.members[this.#pick % Math.max(1, real.members.length)];
    if (member === undefined) return;
    const waits = model.line.some(({ id }) => id === member.id) || model.alone.includes(member.id);
    expect(real.batcher.cancel(member.home, member)).toBe(waits);
    model.line = model.line.filter(({ id }) => id !== member.id);
    model.alone = model.alone.filter((id) => id !== member.id);
    agree(model, real);
  }

  toString(): string {
    return `cancel(${this.#pick})`;
  }
}

/** The members a batch of `queue` must have: the longest prefix of its line that fits, or its head. */
function greedy(model: Model, queue: number): number[] {
  const line = model.line
    .filter((entry) => entry.queue === queue)
    .toSorted((a, b) => a.level - b.level || (a.deadlineMs ?? patienceMs) - (b.deadlineMs ?? patienceMs));
  const fitting = line.filter(
    (_, index) => line.slice(0, index + 1).reduce((sum, { rows }) => sum + rows, 0) <= rowsMaxOfModel[queue]!,
  );
  return (fitting.length > 0 ? fitting : line.slice(0, 1)).map(({ id }) => id);
}

/** What can be compared after every command: the sum of rows and the state of everybody. */
function agree(model: Model, { batcher, members }: Real): void {
  const waiting = [...model.line.map(({ id }) => id), ...model.alone];
  const running = model.running.flat();
  expect(batcher.queuedRows).toBe(sumOfRows(waiting.map((id) => members[id]!)));
  for (const { id, state } of members) {
    const expected = waiting.includes(id) ? 'waiting' : running.includes(id) ? 'running' : 'settled';
    expect(state).toBe(expected);
  }
}

describe('the batcher against a model of plain lists', () => {
  it('agrees on every batch, every failure and every state, whatever the order of events', () => {
    const commands = fc.commands(
      [
        fc
          .tuple(fc.nat({ max: rowsMaxOfModel.length - 1 }), fc.integer({ min: 1, max: 6 }), level, deadline)
          .map(([queue, rows, urgency, due]) => new Arrive(queue, rows, urgency, due)),
        fc.constant(new Next()),
        fc.tuple(pick, fc.option(cause, { nil: undefined })).map(([index, how]) => new Settle(index, how)),
        pick.map((index) => new Cancel(index)),
      ],
      { maxCommands: 80, size: 'max' },
    );
    fc.assert(
      fc.property(commands, (moves) => {
        fc.modelRun(
          () => ({
            model: { line: [], alone: [], running: [], retried: new Set<number>() },
            real: {
              batcher: unlimited(),
              queues: rowsMaxOfModel.map((rows) => new Queue(rows)),
              members: [],
              running: [],
            },
          }),
          moves,
        );
      }),
      { numRuns: 200 },
    );
  });
});
