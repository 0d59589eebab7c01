/**
 * One window of load on a set of lanes: the thin shell around schedule and tally, with the clock and the timers.
 *
 * Open loop: requests are due at the times of a schedule, whatever the server does, and a latency counts from the time at
 * which a request *was to be sent*. If the server stalls, the requests that had to wait for a free connection meanwhile say
 * so; a generator that waits for the server before it looks at the clock would leave them out (coordinated omission).
 * Closed loop: a fixed number of requests is under way, each answer is followed by the next request. That is right for
 * capacity; its latencies say how long the queue of so many clients is.
 */
import { ArrivalSchedule, type ScheduleOptions } from './arrival-schedule.ts';
import type { Lane, LaneAnswer } from './lane.ts';
import { WindowTally } from './window-tally.ts';
import type { WindowResult } from './window-result.ts';

export type LoadShape =
  { readonly kind: 'closed'; readonly concurrency: number } | ({ readonly kind: 'open' } & ScheduleOptions);

/** What became of one request, for whoever wants to see them all. */
export interface SeenAnswer {
  /** When it was to be sent, milliseconds from the start of the window. */
  readonly dueMs: number;
  readonly latencyMs: number;
  readonly outcome: LaneAnswer['outcome'];
}

export interface WindowOptions {
  readonly shape: LoadShape;
  readonly seconds: number;
  /**
   * Whether the processor is kept awake before a request is due; default true. False where requests may be sent a millisecond
   * or two late, at a rate at which one is always due soon: staying awake would take a whole core from the server.
   */
  readonly staysAwake?: boolean;
  /** Ends the window early; the result is of what there was. */
  readonly signal?: AbortSignal;
  readonly seen?: (answer: SeenAnswer) => void;
}

/** The answers that are still missing this long after the window count as failed. Milliseconds. */
export const drainMsMax = 10_000;
/** Requests of an open loop that may wait for a connection; further ones are not sent, and counted. */
const waitingMax = 200_000;
/** Closer to its time than this a timer is too coarse, and the event loop is kept awake instead. Microseconds. */
const awakeUs = 2000;
/** Requests sent in one go before answers are looked at again. */
const sentPerTurnMax = 256;
/** So many failures on end, with nothing good in between, end the window: the server is gone. */
const failuresOnEndMax = 2000;

/** Rejects for nothing: what fails is counted. The lanes belong to the caller and are idle again afterwards. */
export function runWindow(lanes: readonly Lane[], options: WindowOptions): Promise<WindowResult> {
  return new LoadRun(lanes, options).result();
}

class LoadRun {
  readonly #lanes: readonly Lane[];
  readonly #options: WindowOptions;
  readonly #tally: WindowTally;
  readonly #startUs = clockUs();
  readonly #windowUs: number;
  /** Lanes with room, once for each request they have room for. */
  readonly #free: Lane[] = [];
  /** Times at which requests were due that wait for a lane; the first ones up to `#waitingFrom` are gone. */
  #waiting: number[] = [];
  #waitingFrom = 0;
  #underWay = 0;
  #failuresOnEnd = 0;
  /** End of the window, microseconds from its start; earlier than planned when it is cut short. */
  #endUs: number;
  #isOver = false;
  #onIdle: () => void = () => undefined;

  constructor(lanes: readonly Lane[], options: WindowOptions) {
    this.#lanes = lanes;
    this.#options = options;
    this.#tally = new WindowTally(options.shape.kind);
    this.#windowUs = options.seconds * 1e6;
    this.#endUs = this.#windowUs;
    for (const lane of lanes) lane.listen(this.#answered);
  }

  async result(): Promise<WindowResult> {
    const { shape } = this.#options;
    const utilization = performance.eventLoopUtilization();
    await (shape.kind === 'closed' ? this.#runClosed(shape.concurrency) : this.#runOpen(shape));
    const busyShare = performance.eventLoopUtilization(utilization).utilization;
    await this.#drain();
    return this.#tally.result({ seconds: this.#endUs / 1e6, busyShare });
  }

  #nowUs(): number {
    return clockUs() - this.#startUs;
  }

  async #runClosed(concurrency: number): Promise<void> {
    // One on each lane, then the second on each: no lane has more to do than another.
    let left = concurrency;
    for (let seat = 0; left > 0; seat++) {
      const lanes = this.#lanes.filter(({ room }) => room > seat).slice(0, left);
      if (lanes.length === 0) throw new RangeError('The lanes have no room for so many requests.');
      for (const lane of lanes) this.#send(lane, this.#offer(this.#nowUs()));
      left -= lanes.length;
    }
    for (const lane of this.#lanes) lane.flush();
    await this.#until(this.#windowUs);
    this.#end();
  }

  async #runOpen(options: ScheduleOptions): Promise<void> {
    for (let seat = 0; ; seat++) {
      const lanes = this.#lanes.filter(({ room }) => room > seat);
      if (lanes.length === 0) break;
      this.#free.push(...lanes);
    }
    const schedule = new ArrivalSchedule(options);
    while (!this.#isOver && schedule.nextUs < this.#windowUs) {
      const used = new Set<Lane>();
      for (let sent = 0; sent < sentPerTurnMax && schedule.nextUs < this.#windowUs; sent++) {
        const nowUs = this.#nowUs();
        if (schedule.nextUs > nowUs) break;
        const dueUs = this.#offer(schedule.take());
        this.#tally.late(nowUs - dueUs);
        const lane = this.#sendOrWait(dueUs);
        if (lane !== undefined) used.add(lane);
      }
      for (const lane of used) lane.flush();
      await this.#until(schedule.nextUs);
    }
    await this.#until(this.#windowUs);
    this.#end();
  }

  #offer(dueUs: number): number {
    this.#tally.offered();
    return dueUs;
  }

  #sendOrWait(dueUs: number): Lane | undefined {
    const lane = this.#free.pop();
    if (lane !== undefined) this.#send(lane, dueUs);
    else if (this.#waiting.length - this.#waitingFrom >= waitingMax) this.#tally.unsent();
    else this.#waiting.push(dueUs);
    return lane;
  }

  #send(lane: Lane, dueUs: number): void {
    this.#underWay += 1;
    lane.send(dueUs);
  }

  readonly #answered = (lane: Lane, { token: dueUs, outcome, reason }: LaneAnswer): void => {
    const nowUs = this.#nowUs();
    this.#underWay -= 1;
    this.#tally.settled(outcome, nowUs - dueUs, { isInTime: nowUs <= this.#endUs, reason });
    this.#options.seen?.({ dueMs: dueUs / 1000, latencyMs: (nowUs - dueUs) / 1000, outcome });
    this.#failuresOnEnd = outcome === 'failed' ? this.#failuresOnEnd + 1 : 0;
    if (this.#failuresOnEnd >= failuresOnEndMax) this.#end();
    this.#next(lane, nowUs);
  };

  #next(lane: Lane, nowUs: number): void {
    if (this.#options.shape.kind === 'closed') {
      if (!this.#isOver) {
        this.#send(lane, this.#offer(nowUs));
        return;
      }
    } else {
      const dueUs = this.#waiting[this.#waitingFrom];
      if (dueUs === undefined) {
        this.#free.push(lane);
      } else {
        this.#waitingFrom += 1;
        if (this.#waitingFrom === this.#waiting.length) [this.#waiting, this.#waitingFrom] = [[], 0];
        this.#send(lane, dueUs);
        return;
      }
    }
    if (this.#underWay === 0) this.#onIdle();
  }

  /** Resolves at that time of the window, or when it is over; answers are taken meanwhile. */
  async #until(atUs: number): Promise<void> {
    while (!this.#isOver) {
      if (this.#options.signal?.aborted === true) {
        this.#end();
        return;
      }
      const waitUs = Math.min(atUs, this.#windowUs) - this.#nowUs();
      if (waitUs <= 0) return;
      await this.#pause(waitUs);
    }
  }

  #pause(waitUs: number): Promise<void> {
    if (this.#options.staysAwake === false) return timer(Math.min(100, waitUs / 1000));
    return waitUs > awakeUs ? timer(Math.min(100, waitUs / 1000 - 1)) : turn();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endUs = Math.min(this.#windowUs, this.#nowUs());
  }

  /** What was due in the window is waited for: a stall at its end must not be cut off. */
  async #drain(): Promise<void> {
    const isCutShort = this.#endUs < this.#windowUs;
    const deadlineUs = this.#nowUs() + (isCutShort ? 0 : drainMsMax * 1000);
    if (isCutShort) [this.#waiting, this.#waitingFrom] = [[], 0];
    while (this.#underWay > 0 && this.#nowUs() < deadlineUs) {
      if (this.#options.signal?.aborted === true) break;
      const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
      await Promise.race([idle, timer(100)]);
    }
    for (const lane of this.#lanes) lane.listen(() => undefined);
    if (isCutShort) return;
    const missing = this.#underWay + this.#waiting.length - this.#waitingFrom;
    for (let count = 0; count < missing; count++) {
      const reason = `no answer within ${drainMsMax / 1000} s after the window`;
      this.#tally.settled('failed', drainMsMax * 1000, { isInTime: false, reason });
    }
  }
}

function clockUs(): number {
  return performance.now() * 1000;
}

function timer(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves after one turn of the event loop, in which sockets are read. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
