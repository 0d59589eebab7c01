/**
 * Replicas that follow the load, with the real scaler and the real batcher: a burst from half a replica of work to four, a
 * calm load with its accidents, and a load that dies. What a new replica takes to come is two seconds. Runs take what they
 * take: slowed down as they are here, the stalls of the overload simulation would be hangs of seconds.
 */
import { describe, expect, it } from 'vitest';
import { LoadMeter } from '../../gateway/scale/load-meter.ts';
import { ReplicaScaler } from '../../gateway/scale/replica-scaler.ts';
import { replicaPlan } from '../../gateway/scale/replica-plan.ts';
import { scalingDefaults } from '../../gateway/scale/scaling-options.ts';
import { capacity, simulate, type View, type Watch } from './simulated-gateway.ts';

const rowsMax = 64;
const lanes = 8;
const startMs = 2000;
const bounds = { min: 1, max: lanes, because: `there are ${lanes}`, busyShareMax: 0.7 };

/** The curves of the overload simulation, slowed down where a second would have too many events. */
const models = {
  'one whose runs cost much the same': (rows: number) => 200 + 2 * rows,
  'one between the two': (rows: number) => 50 + 5 * rows,
  'one whose cost grows with every row': (rows: number) => 2 + 74 * rows,
};

/** One in a normal run; `TIDEGATE_SIMULATED_SEEDS=10` is a longer one. */
const seeds = Array.from(
  { length: Number(process.env['TIDEGATE_SIMULATED_SEEDS'] ?? 1) },
  (_, index) => index + 1,
);

interface Change {
  readonly atMs: number;
  readonly replicas: number;
}

/** What live-scaling.ts does around the scaler, on the clock of the simulation. */
class SimulatedScaling implements Watch {
  readonly everyMs = 100;
  readonly changes: Change[] = [];
  /** What waits, in seconds of the replicas that are there, at each look. */
  readonly waitingS: { readonly atMs: number; readonly seconds: number }[] = [];
  readonly #meter = new LoadMeter();
  readonly #scaler = new ReplicaScaler(scalingDefaults, 0);
  readonly #rowMs: number;
  #placed = 1;
  #ready = 1;
  #coming: Change[] = [];
  #lastTickMs = 0;
  #rowsDoneBefore = 0;

  constructor(runMs: (rows: number) => number) {
    this.#rowMs = 1 / capacity({ rowsMax, runMs }, { lanes: 1, noisy: false });
  }

  readonly look = (view: View): number => {
    const { nowMs, queue, rowsRunning, lanesBusy } = view;
    while (this.#coming[0] !== undefined && this.#coming[0].atMs <= nowMs) {
      this.#ready = this.#coming.shift()!.replicas;
    }
    const { costs, waitingRows } = queue;
    const [oneMs, fullMs] = [costs.typicalMs(1, nowMs), costs.typicalMs(rowsMax, nowMs)];
    const { targetRows, rowMs } = replicaPlan({ rowsMax, oneMs, fullMs });
    const rows = waitingRows + rowsRunning;
    const busy = Math.min(lanesBusy, this.#ready);
    this.#meter.look({
      rows,
      work: rows / targetRows,
      workMs: rows * rowMs,
      lanes: this.#ready,
      lanesBusy: busy,
    });
    this.waitingS.push({ atMs: nowMs, seconds: (waitingRows * this.#rowMs) / this.#ready / 1000 });
    if (nowMs - this.#lastTickMs >= scalingDefaults.tickMs) this.#tick(view);
    return this.#ready;
  };

  #tick({ nowMs, rowsDone }: View): void {
    const rowsPerSecond = ((rowsDone - this.#rowsDoneBefore) * 1000) / (nowMs - this.#lastTickMs);
    this.#rowsDoneBefore = rowsDone;
    this.#lastTickMs = nowMs;
    const seen = this.#meter.take();
    const busy = (rowsPerSecond * seen.rowMs) / 1000;
    const cameBySecond = rowsPerSecond + (seen.rowsGrown * 1000) / scalingDefaults.tickMs;
    const offered = (cameBySecond * seen.rowMs) / 1000;
    const { replicas } = this.#scaler.tick(
      { ...seen, busy, offered, rowsPerSecond, placed: this.#placed, bounds, mayShrink: true },
      nowMs,
    );
    if (replicas === this.#placed) return;
    if (replicas > this.#placed) this.#coming.push({ atMs: nowMs + startMs, replicas });
    else {
      this.#coming = [];
      this.#ready = Math.min(this.#ready, replicas);
    }
    this.#placed = replicas;
    this.changes.push({ atMs: nowMs, replicas });
  }
}

/** `loadAt` in replicas of full batches. */
function run(
  runMs: (rows: number) => number,
  {
    seed,
    forMs,
    most,
    loadAt,
  }: { seed: number; forMs: number; most: number; loadAt: (nowMs: number) => number },
): SimulatedScaling {
  const scaling = new SimulatedScaling(runMs);
  const perMs = most * capacity({ rowsMax, runMs }, { lanes: 1, noisy: false });
  const partAt = (nowMs: number): number => loadAt(nowMs) / most;
  const model = { runMs, rowsMax, perMs, partAt, withinMs: () => undefined };
  simulate({ seed, lanes, forMs, noisy: false, models: [model], watch: scaling });
  return scaling;
}

const cases = Object.entries(models).flatMap(([model, runMs]) =>
  seeds.map((seed) => ({ model, runMs, seed })),
);

describe.each(cases)('$model, seed $seed', ({ runMs, seed }) => {
  it('clears a burst from half a replica of work to four within 15 s, does not flap, and lets go slowly', () => {
    const burst = { fromMs: 120_000, untilMs: 240_000 };
    const { changes, waitingS } = run(runMs, {
      ...{ seed, forMs: 600_000, most: 4 },
      loadAt: (nowMs) => (nowMs >= burst.fromMs && nowMs < burst.untilMs ? 4 : 0.5),
    });
    const before = changes.filter(({ atMs }) => atMs <= burst.fromMs);
    expect(before).toEqual([]);
    const cleared = waitingS.filter(({ atMs }) => atMs >= burst.fromMs + 15_000 && atMs < burst.untilMs);
    expect(Math.max(...cleared.map(({ seconds }) => seconds))).toBeLessThan(0.5);
    // Up in few steps, then down, and never up again: not even where 8 of them are found to be more than 4 need.
    const most = Math.max(...changes.map(({ replicas }) => replicas));
    const top = changes.findIndex(({ replicas }) => replicas === most);
    expect(top).toBeLessThanOrEqual(3);
    const [up, down] = [changes.slice(0, top + 1), changes.slice(top)];
    expect(up).toEqual(up.toSorted((one, other) => one.replicas - other.replicas));
    expect(down).toEqual(down.toSorted((one, other) => other.replicas - one.replicas));
    const during = changes.filter(({ atMs }) => atMs <= burst.untilMs);
    expect(during.at(-1)?.replicas).toBeGreaterThan(4);
    const soon = changes.filter(({ atMs }) => atMs <= burst.untilMs + 15_000);
    expect(soon.at(-1)?.replicas).toBeGreaterThanOrEqual(4);
    expect(changes.at(-1)?.replicas).toBeLessThanOrEqual(2);
  }, 60_000);

  it('is left alone by a calm load, whatever its accidents', () => {
    const { changes } = run(runMs, { seed, forMs: 900_000, most: 0.5, loadAt: () => 0.5 });
    expect(changes).toEqual([]);
  }, 60_000);

  it('goes back step by step while its load dies, and never has to come back', () => {
    const { changes, waitingS } = run(runMs, {
      ...{ seed, forMs: 900_000, most: 4 },
      loadAt: (nowMs) => Math.max(0.2, 4 - Math.max(0, nowMs - 120_000) / 100_000),
    });
    const [first] = changes;
    expect(first?.replicas).toBeGreaterThan(1);
    const down = changes.filter(({ atMs }) => atMs > 120_000);
    expect(down).toEqual(down.toSorted((one, other) => other.replicas - one.replicas));
    expect(down.at(-1)?.replicas).toBe(1);
    const late = waitingS.filter(({ atMs }) => atMs > 120_000);
    expect(Math.max(...late.map(({ seconds }) => seconds))).toBeLessThan(1);
  }, 60_000);
});
