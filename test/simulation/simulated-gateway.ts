/**
 * A gateway without sockets, threads and clock: the real batcher, the real forecast and the real refusals, with callers who
 * send at their own pace and runs whose times are drawn. One seed decides everything.
 */
import { OverloadRefusals } from '../../gateway/dispatch/overload-refusals.ts';
import { type Batch, Batcher, type Worker } from '../../gateway/batch/batcher.ts';
import { type BatchMember, BatchQueue } from '../../gateway/batch/batch-queue.ts';
import { CostModel } from '../../gateway/batch/cost-model.ts';
import { defaultLevel } from '../../gateway/batch/level-queue.ts';
import { ModelLine } from '../../gateway/batch/model-line.ts';

export interface SimulatedModel {
  /** What a run takes without noise, milliseconds. */
  readonly runMs: (rows: number) => number;
  readonly rowsMax: number;
  readonly weight?: number;
  /** Requests of one row, on average, a millisecond; they come by chance. */
  readonly perMs: number;
  /** Part of `perMs` that comes at a moment, 0 to 1; default all of it. */
  readonly partAt?: (nowMs: number) => number;
  /** Time that a request gives; undefined for those who wait. */
  readonly withinMs: (random: () => number) => number | undefined;
}

export interface Simulation {
  readonly seed: number;
  readonly lanes: number;
  readonly forMs: number;
  readonly models: readonly SimulatedModel[];
  /** Without it runs take what they take; with it a tenth more or less, and some stand still. */
  readonly noisy: boolean;
  /** Somebody who looks at the first model, and says how many of the lanes there are from then on. */
  readonly watch?: Watch;
}

export interface Watch {
  readonly everyMs: number;
  readonly look: (view: View) => number;
}

export interface View {
  readonly nowMs: number;
  readonly queue: BatchQueue<BatchMember, unknown>;
  readonly rowsRunning: number;
  readonly lanesBusy: number;
  /** Rows of batches that ended so far. */
  readonly rowsDone: number;
}

export type Fate = 'in time' | 'late' | 'missed' | 'refused';

export interface ModelReport {
  readonly sent: number;
  readonly fates: Readonly<Record<Fate, number>>;
  readonly workMs: number;
  readonly waitsMs: readonly number[];
  readonly runs: number;
}

class Queue extends BatchQueue<Member, Queue> {}

class Member implements BatchMember {
  readonly rows = 1;
  readonly level = defaultLevel;
  readonly which: number;
  readonly arrivedMs: number;
  readonly deadlineMs: number | undefined;
  state: BatchMember['state'] = 'new';
  retried = false;
  settled = 0;

  constructor(which: number, arrivedMs: number, deadlineMs: number | undefined) {
    this.which = which;
    this.arrivedMs = arrivedMs;
    this.deadlineMs = deadlineMs;
  }
}

/** Noisy runs take a tenth more or less, and one of two hundred stands still five times as long. */
const stallChance = 1 / 200;
const stallFactor = 5;
const noiseMean: number = 1 + stallChance * (stallFactor - 1);

export function simulate({ seed, lanes, forMs, models, noisy, watch }: Simulation): readonly ModelReport[] {
  const random = seeded(seed);
  const batcher = new Batcher<Queue, Member>({ queueRowsMax: 65_536 });
  const workers = { accepts: (): boolean => true, lanes };
  const refusals = new OverloadRefusals<Queue, Member>({
    batcher,
    workersOf: () => workers,
    anyWorkers: () => workers,
  });
  const queues = models.map(({ rowsMax, runMs, weight = 1 }) => {
    const seeds = [1, rowsMax].map((rows) => ({ rows, us: runMs(rows) * 1000 }));
    const line = new ModelLine<Queue>({
      rowsMax,
      allowedRows: [],
      delayMsMax: 0,
      weight,
      timeoutMs: undefined,
    });
    return new Queue({ line, costs: new CostModel(seeds), runsAlone: false });
  });
  const reports = models.map(() => emptyReport());
  const all: Worker<Queue>[] = Array.from({ length: lanes }, () => ({
    accepts: workers.accepts,
    clock: { virtualMs: 0 },
  }));
  const free = [...all];
  let lanesThere = lanes;
  let rowsDone = 0;
  const running: {
    readonly endMs: number;
    readonly batch: Batch<Queue, Member>;
    readonly lane: Worker<Queue>;
  }[] = [];
  const members: Member[] = [];
  let lookMs = watch === undefined ? Infinity : 0;
  const arrivals = models.map(({ perMs }) => exponential(random, perMs));

  const settle = (member: Member, fate: Fate): void => {
    member.settled += 1;
    reports[member.which]!.fates[fate] += 1;
  };
  const arrive = (which: number, nowMs: number): void => {
    const model = models[which]!;
    const queue = queues[which]!;
    const withinMs = model.withinMs(random);
    const deadlineMs = withinMs === undefined ? undefined : nowMs + withinMs;
    const member = new Member(which, nowMs, deadlineMs);
    members.push(member);
    reports[which]!.sent += 1;
    const refusal =
      deadlineMs === undefined
        ? undefined
        : refusals.ofDeadline({ queue, rows: 1, level: member.level, deadlineMs }, nowMs);
    if (refusal === undefined && batcher.hasRoomFor(1)) batcher.arrive(queue, member);
    else settle(member, 'refused');
  };
  const feed = (nowMs: number): void => {
    for (;;) {
      const place = free.findLastIndex((one) => all.indexOf(one) < lanesThere);
      const [lane] = place < 0 ? [] : free.splice(place, 1);
      if (lane === undefined) return;
      const batch = batcher.next(nowMs, lane);
      for (const member of batcher.takeMissed()) settle(member, 'missed');
      if (batch === undefined) {
        free.push(lane);
        return;
      }
      const which = queues.indexOf(batch.queue);
      const noise = noisy ? (0.9 + 0.2 * random()) * (random() < stallChance ? stallFactor : 1) : 1;
      const takesMs = models[which]!.runMs(batch.rows) * noise;
      reports[which]!.workMs += takesMs;
      reports[which]!.runs += 1;
      for (const member of batch.members) reports[which]!.waitsMs.push(nowMs - member.arrivedMs);
      running.push({ endMs: nowMs + takesMs, batch, lane });
    }
  };

  const look = (nowMs: number): void => {
    const rowsRunning = running.reduce((sum, { batch }) => sum + batch.rows, 0);
    const view = { nowMs, queue: queues[0]!, rowsRunning, lanesBusy: running.length, rowsDone };
    lanesThere = watch?.look(view) ?? lanes;
    lookMs = nowMs + (watch?.everyMs ?? Infinity);
    feed(nowMs);
  };

  for (;;) {
    const nextMs = Math.min(...arrivals);
    const first = running.reduce<(typeof running)[number] | undefined>(
      (one, other) => (one !== undefined && one.endMs <= other.endMs ? one : other),
      undefined,
    );
    if (lookMs <= Math.min(nextMs, first?.endMs ?? Infinity, forMs)) {
      look(lookMs);
      continue;
    }
    if (first !== undefined && first.endMs <= nextMs) {
      rowsDone += first.batch.rows;
      running.splice(running.indexOf(first), 1);
      batcher.done(first.batch, first.endMs);
      for (const member of first.batch.members) {
        settle(member, first.endMs <= (member.deadlineMs ?? Infinity) ? 'in time' : 'late');
      }
      free.push(first.lane);
      feed(first.endMs);
      continue;
    }
    // Once nobody sends any more, what is there runs out.
    if (nextMs === Infinity) break;
    const which = arrivals.indexOf(nextMs);
    const afterMs = nextMs + exponential(random, models[which]!.perMs);
    arrivals[which] = afterMs < forMs ? afterMs : Infinity;
    const part = models[which]!.partAt?.(nextMs) ?? 1;
    if (part === 1 || random() < part) arrive(which, nextMs);
    feed(nextMs);
  }
  const strays = members.filter(({ settled }) => settled !== 1);
  if (strays.length > 0 || batcher.queuedRows > 0) {
    throw new Error(`seed ${seed}: ${strays.length} requests were not settled once`);
  }
  return reports;
}

/** Rows a millisecond that all lanes give when every batch is full. */
export function capacity(
  { rowsMax, runMs }: Pick<SimulatedModel, 'rowsMax' | 'runMs'>,
  { lanes, noisy }: Pick<Simulation, 'lanes' | 'noisy'>,
): number {
  return (lanes * rowsMax) / (runMs(rowsMax) * (noisy ? noiseMean : 1));
}

interface GrowingReport {
  sent: number;
  readonly fates: Record<Fate, number>;
  workMs: number;
  readonly waitsMs: number[];
  runs: number;
}

function emptyReport(): GrowingReport {
  return {
    sent: 0,
    fates: { 'in time': 0, late: 0, missed: 0, refused: 0 },
    workMs: 0,
    waitsMs: [],
    runs: 0,
  };
}

function exponential(random: () => number, perMs: number): number {
  return perMs === 0 ? Infinity : -Math.log(1 - random()) / perMs;
}

/** mulberry32: small, and good enough for arrivals. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
