/**
 * The laws of the batcher, each a function over the trace of a run, so that each can fail on its own. They use nothing
 * but the trace: who waits is told from what was said to arrive, run, fail and leave.
 */
import { expect } from 'vitest';
import { dueMsOf } from '../../../gateway/batch/due-queue.ts';
import { strainedMsMax } from '../../../gateway/batch/batch-queue.ts';
import { type Member, type Queue, type Run, sumOfRows, type TestBatch, type Traced } from './random-run.ts';

export type Law = (run: Run) => void;

/** Whether a run of these that begins now should end by all their deadlines; runs take what is known of them. */
function endsInTime({ costs }: Queue, members: readonly Member[], nowMs: number): boolean {
  const endMs = nowMs + costs.typicalMs(sumOfRows(members), nowMs);
  return members.every(({ deadlineMs }) => deadlineMs === undefined || endMs <= deadlineMs);
}

type Place = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled' | 'missed';

/** Who waits after each event, in the order in which they began to wait, told from the trace alone. */
function* waitingAfter(run: Run): Generator<{ readonly event: Traced; readonly waiting: readonly Member[] }> {
  let waiting: Member[] = [];
  for (const event of run.trace) {
    switch (event.kind) {
      case 'arrived':
        waiting = [...waiting, event.member];
        break;
      case 'cancelled':
        if (event.dropped) waiting = waiting.filter((member) => member !== event.member);
        break;
      case 'next':
        waiting = waiting.filter(
          (member) => event.batch?.members.includes(member) !== true && !event.missed.includes(member),
        );
        break;
      case 'failed':
        waiting = [...waiting, ...event.batch.members.filter((member) => !event.lost.includes(member))];
        break;
      case 'done':
        break;
    }
    yield { event, waiting };
  }
}

function batchesOf({ trace }: Run): TestBatch[] {
  return trace.flatMap((event) => (event.kind === 'next' && event.batch !== undefined ? [event.batch] : []));
}

/** Batches that a member was in, as far as the trace got. */
function runsSoFar(run: Run): Map<Member, number> {
  return new Map(run.members.map((member) => [member, 0]));
}

export const laws = {
  'a batch never has more rows than its queue allows, unless it has one member': (run) => {
    for (const batch of batchesOf(run)) {
      expect(batch.members.length).toBeGreaterThan(0);
      expect(batch.rows).toBe(sumOfRows(batch.members));
      if (batch.members.length > 1) expect(batch.rows).toBeLessThanOrEqual(batch.queue.rowsMax);
    }
  },

  'a batch never mixes queues': (run) => {
    for (const batch of batchesOf(run)) {
      for (const member of batch.members) expect(member.home).toBe(batch.queue);
    }
  },

  'nobody is first run while somebody of the same queue and level waits who is due first': (run) => {
    const hasRun = new Set<Member>();
    for (const { event, waiting } of waitingAfter(run)) {
      if (event.kind !== 'next' || event.batch === undefined) continue;
      const { queue, members } = event.batch;
      if (members.some((member) => hasRun.has(member))) continue;
      for (const member of members) hasRun.add(member);
      for (const [index, member] of members.entries()) {
        const behind = [...members.slice(index + 1), ...waiting.filter((other) => !hasRun.has(other))].filter(
          (other) => other.home === queue && other.level === member.level,
        );
        expect(Math.min(Infinity, ...behind.map(dueMsOf))).toBeGreaterThanOrEqual(dueMsOf(member));
      }
    }
  },

  'of those who are due at the same time the first to come is first run': (run) => {
    const newest = new Map<string, number>();
    const seen = new Set<Member>();
    for (const batch of batchesOf(run)) {
      for (const member of batch.members) {
        if (seen.has(member)) continue;
        seen.add(member);
        const { home, level, deadlineMs, arrivedMs } = member;
        const group = [run.queues.indexOf(home), level, deadlineMs ?? `came at ${arrivedMs}`].join();
        expect(member.id).toBeGreaterThan(newest.get(group) ?? -1);
        newest.set(group, member.id);
      }
    }
  },

  'nobody is first run while somebody more urgent waits in the same queue': (run) => {
    const hasRun = new Set<Member>();
    for (const { event, waiting } of waitingAfter(run)) {
      if (event.kind !== 'next' || event.batch === undefined) continue;
      const { queue, members } = event.batch;
      if (members.some((member) => hasRun.has(member))) continue;
      for (const member of members) hasRun.add(member);
      const levels = members.map((member) => member.level);
      expect(levels).toEqual(levels.toSorted((a, b) => a - b));
      const behind = waiting.filter((other) => other.home === queue && !hasRun.has(other));
      const waitingLevels = behind.map(({ level }) => level);
      expect(Math.min(Infinity, ...waitingLevels)).toBeGreaterThanOrEqual(Math.max(...levels));
    }
  },

  'every member is in one place at a time and ends done, failed, cancelled or missed': (run) => {
    const place = new Map<Member, Place>();
    const illegal: string[] = [];
    const move = (member: Member, from: Place | undefined, to: Place): void => {
      const found = place.get(member);
      if (found !== from) illegal.push(`member ${member.id} became ${to} while ${found ?? 'unknown'}`);
      place.set(member, to);
    };
    for (const event of run.trace) {
      switch (event.kind) {
        case 'arrived':
          move(event.member, undefined, 'waiting');
          break;
        case 'cancelled':
          if (event.dropped) move(event.member, 'waiting', 'cancelled');
          else if (place.get(event.member) === 'waiting') illegal.push(`member ${event.member.id} was kept`);
          break;
        case 'next':
          for (const member of event.missed) move(member, 'waiting', 'missed');
          for (const member of event.batch?.members ?? []) move(member, 'waiting', 'running');
          break;
        case 'done':
          for (const member of event.batch.members) move(member, 'running', 'done');
          break;
        case 'failed':
          for (const member of event.batch.members) {
            move(member, 'running', event.lost.includes(member) ? 'failed' : 'waiting');
          }
          break;
      }
    }
    for (const member of run.members) {
      const last = place.get(member);
      if (last === 'waiting' || last === 'running' || member.state !== 'settled') {
        illegal.push(`member ${member.id} ended ${String(last)} and ${member.state}`);
      }
    }
    expect(illegal).toEqual([]);
  },

  'a worker gets only what it can run': (run) => {
    for (const event of run.trace) {
      if (event.kind === 'next' && event.batch !== undefined) {
        expect(event.accepts(event.batch.queue)).toBe(true);
      }
    }
  },

  'members that failed together are run again in the same order': (run) => {
    const newest = new Map<Queue, number>();
    const place = new Map<Member, number>();
    let places = 0;
    for (const event of run.trace) {
      if (event.kind === 'failed') {
        for (const member of event.batch.members) place.set(member, places++);
      }
      if (event.kind !== 'next') continue;
      for (const member of event.batch?.members ?? []) {
        const mine = place.get(member);
        if (mine === undefined) continue;
        expect(mine).toBeGreaterThan(newest.get(member.home) ?? -1);
        newest.set(member.home, mine);
      }
    }
  },

  'queuedRows is the sum over those who wait': (run) => {
    for (const { event, waiting } of waitingAfter(run)) expect(event.queuedRows).toBe(sumOfRows(waiting));
  },

  'a member runs at most twice, and the second time alone': (run) => {
    const runs = runsSoFar(run);
    for (const { members } of batchesOf(run)) {
      for (const member of members) {
        const count = (runs.get(member) ?? 0) + 1;
        runs.set(member, count);
        expect(count).toBeLessThanOrEqual(2);
        if (count === 2) expect(members).toEqual([member]);
      }
    }
  },

  'a failure is final for who ran alone on a good thread or ran before, and for nobody else': (run) => {
    const runs = runsSoFar(run);
    for (const event of run.trace) {
      if (event.kind === 'next') {
        for (const member of event.batch?.members ?? []) runs.set(member, (runs.get(member) ?? 0) + 1);
      }
      if (event.kind !== 'failed') continue;
      const { members } = event.batch;
      const aloneAtFault = event.cause === 'model' && members.length === 1;
      expect(event.lost).toEqual(members.filter((member) => aloneAtFault || runs.get(member) === 2));
    }
  },

  'whenever something waits that the worker can run there is a batch': (run) => {
    for (const { event, waiting } of waitingAfter(run)) {
      if (event.kind !== 'next' || event.batch !== undefined) continue;
      expect(waiting.filter((member) => event.accepts(member.home))).toEqual([]);
    }
  },

  'a batch takes all that fit: the next one waiting would not': (run) => {
    const hasRun = new Set<Member>();
    for (const { event, waiting } of waitingAfter(run)) {
      if (event.kind !== 'next' || event.batch === undefined) continue;
      const { queue, members, rows } = event.batch;
      const retry = members.some((member) => hasRun.has(member));
      for (const member of members) hasRun.add(member);
      const follower = waiting
        .filter((member) => member.home === queue && !hasRun.has(member))
        .toSorted((a, b) => a.level - b.level || dueMsOf(a) - dueMsOf(b))[0];
      if (retry || follower === undefined) continue;
      const more = rows + follower.rows;
      const fits = more <= queue.rowsMax && endsInTime(queue, [...members, follower], event.nowMs);
      expect(fits).toBe(false);
    }
  },

  'a batch of several should end by the earliest of their deadlines': (run) => {
    for (const event of run.trace) {
      if (event.kind !== 'next' || event.batch === undefined || event.batch.members.length === 1) continue;
      expect(endsInTime(event.batch.queue, event.batch.members, event.nowMs)).toBe(true);
    }
  },

  'who cannot be in time alone is dropped instead of run, and within a second of that whoever has little time':
    (run) => {
      const lateMs = new Map<Queue, number>();
      for (const event of run.trace) {
        if (event.kind !== 'next') continue;
        for (const member of event.missed) {
          if (!endsInTime(member.home, [member], event.nowMs)) lateMs.set(member.home, event.nowMs);
          else
            expect(event.nowMs - (lateMs.get(member.home) ?? -Infinity)).toBeLessThanOrEqual(strainedMsMax);
        }
        for (const member of event.batch?.members ?? []) {
          expect(endsInTime(member.home, [member], event.nowMs)).toBe(true);
        }
      }
    },

  'who must run alone goes before everybody else': (run) => {
    const hasRun = new Set<Member>();
    for (const { event, waiting } of waitingAfter(run)) {
      if (event.kind !== 'next') continue;
      const retry = event.batch?.members.some((member) => hasRun.has(member)) === true;
      for (const member of event.batch?.members ?? []) hasRun.add(member);
      if (retry) continue;
      expect(waiting.filter((member) => hasRun.has(member) && event.accepts(member.home))).toEqual([]);
    }
  },

  'no queue with work is passed over by more than every other queue once': (run) => {
    const passedOver = new Map<Queue, number>();
    const hasRun = new Set<Member>();
    for (const { event, waiting } of waitingAfter(run)) {
      // A queue that everybody left, even between two batches, has lost its place; who comes next starts anew.
      for (const queue of run.queues) {
        if (!waiting.some((member) => member.home === queue)) passedOver.set(queue, 0);
      }
      if (event.kind !== 'next' || event.batch === undefined) continue;
      // Those who run alone have had their turn; they take nobody else's.
      if (event.batch.members.some((member) => hasRun.has(member))) continue;
      for (const member of event.batch.members) hasRun.add(member);
      for (const queue of run.queues) {
        const waits = waiting.some((member) => member.home === queue && !hasRun.has(member));
        const before = passedOver.get(queue) ?? 0;
        // A worker that cannot run the queue takes nothing from it, and gives it nothing.
        const count = queue === event.batch.queue || !waits ? 0 : event.accepts(queue) ? before + 1 : before;
        expect(count).toBeLessThan(Math.max(2, run.queues.length));
        passedOver.set(queue, count);
      }
    }
  },
} satisfies Readonly<Record<string, Law>>;

export type LawName = keyof typeof laws;
