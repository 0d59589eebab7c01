/**
 * How many replicas one version should have, from the work it has in hand. A state machine without clock: it is told what
 * was seen in each tick and answers with a number and the reason for it in words.
 *
 *     calm --work for twice the replicas that are there, over 6 s and still--> burst --60 s without that--> calm
 *
 * calm: enough for the work of the last 60 s. More at once; fewer only when fewer were enough for 30 s, and at most half of
 * them in one tick. burst: enough for the last 6 s, and never fewer than the most that this burst asked for. A long queue
 * alone is none: that may be chance, and goes again while less comes than the replicas do.
 *
 * Invariants: the number is within its bounds; it does not grow while the threads that hold the version are idle, since
 * then more of them is not what is missing; it does not fall to where the rest would be busier than the deployment wants.
 *
 * The work in hand alone cannot say when fewer are enough: many replicas with small batches have little in hand, and half
 * of them may have far more than twice as much. What was answered can, since each row takes the same of their time.
 */
import { type Load, LoadWindow } from './load-window.ts';
import type { ScalingOptions } from './scaling-options.ts';
import { ThroughputGain } from './throughput-gain.ts';

export interface ReplicaBounds {
  readonly min: number;
  /** No less than `min`. */
  readonly max: number;
  /** Why there may not be more, in words. */
  readonly because: string;
  /** Share of the time that threads should be busy at most: 0 to 1. */
  readonly busyShareMax: number;
}

/** Means over the time since the last tick. */
export interface Observation extends Load {
  /** Share of the time that the threads which hold it ran something, whatever it was: 0 to 1. */
  readonly busyShare: number;
  readonly rowsPerSecond: number;
  /** Replicas that there are to be; one that is being loaded counts. */
  readonly placed: number;
  /** Replicas that took work. */
  readonly ready: number;
  readonly bounds: ReplicaBounds;
  /** False while a rollout beside it goes on, and a while after: going back must find what was there. */
  readonly mayShrink: boolean;
}

export interface ScalingDecision {
  readonly replicas: number;
  /** What the work alone asks for, whatever may be. */
  readonly wanted: number;
  readonly inBurst: boolean;
  readonly because: string;
}

/** No thread is seen busy in every look, so this much is busy without a doubt. */
const busyForSure = 0.9;

export class ReplicaScaler {
  readonly #options: ScalingOptions;
  readonly #window: LoadWindow;
  readonly #gain: ThroughputGain;
  /** What calm would have asked for, while it counts for `shrinkDelayMs`. */
  #enough: { readonly atMs: number; readonly replicas: number }[] = [];
  readonly #sinceMs: number;
  #lastTickMs: number;
  #burstUntilMs = -Infinity;
  #burstReplicas = 0;
  #expected = { replicas: 0, untilMs: -Infinity };
  #placedBefore = 0;

  /** It begins to be watched. */
  constructor(options: ScalingOptions, nowMs: number) {
    this.#options = options;
    this.#window = new LoadWindow(options.stableWindowMs);
    this.#gain = new ThroughputGain(options);
    this.#sinceMs = nowMs;
    this.#lastTickMs = nowMs;
    // A version is not taken from before anything is known about it.
    this.#enough.push({ atMs: nowMs, replicas: Infinity });
  }

  /** Replicas that its recent work asks for, not rounded: the demand that another version would take over. */
  demand(nowMs: number): number {
    const { stableWindowMs, burstWindowMs, utilizationTarget } = this.#options;
    const { work, busy } = this.#window.average(stableWindowMs, nowMs);
    return Math.max(work, busy, this.#workOver(burstWindowMs, nowMs)) / utilizationTarget;
  }

  /** Work for so many is about to come; what the averages say counts again once they can know of it. */
  expect(replicas: number, nowMs: number): void {
    this.#expected = { replicas, untilMs: nowMs + this.#options.stableWindowMs };
  }

  tick(seen: Observation, nowMs: number): ScalingDecision {
    const { stableWindowMs, burstWindowMs, burstFactor, utilizationTarget } = this.#options;
    const { work, busy, offered, busyShare, placed, bounds } = seen;
    this.#window.add({ fromMs: this.#lastTickMs, untilMs: nowMs, work, busy, offered });
    this.#lastTickMs = nowMs;
    this.#measure(seen, nowMs);
    const average = this.#replicasFor(this.#workOver(stableWindowMs, nowMs));
    // What was seen of a version so far says nothing about a whole window.
    const seenMs = nowMs - this.#sinceMs;
    const calm = seenMs < stableWindowMs ? Math.min(average, placed) : average;
    const sudden = this.#replicasFor(this.#workOver(burstWindowMs, nowMs));
    if (nowMs >= this.#burstUntilMs) this.#burstReplicas = 0;
    // Not rounded, still there, and with all threads at work: chance alone, or a stall that is made up for already, is none.
    const isAtEnd = busyShare >= busyForSure && seenMs >= burstWindowMs;
    const recent = this.#window.average(burstWindowMs, nowMs);
    const still = isAtEnd ? Math.min(work, recent.work) : 0;
    // A queue of single rows gets long by chance alone; what came is then less than what is there does in that time.
    const isMore = recent.offered >= busyForSure * placed;
    if (isMore && still >= burstFactor * utilizationTarget * placed)
      this.#burstUntilMs = nowMs + stableWindowMs;
    const inBurst = nowMs < this.#burstUntilMs;
    const asked = Math.max(calm, inBurst ? sudden : 0);
    const wanted = Math.max(asked, this.#burstReplicas);
    const windowMs = inBurst ? burstWindowMs : stableWindowMs;
    const said = `${inBurst ? 'burst, ' : ''}work for ${shown(this.#workOver(windowMs, nowMs))} over ${shown(windowMs / 1000)} s`;
    const { replicas, because } =
      wanted > placed
        ? this.#grow(seen, { wanted, said, nowMs })
        : this.#shrink(seen, { calm, asked, said, inBurst, nowMs });
    if (inBurst) this.#burstReplicas = Math.max(this.#burstReplicas, Math.min(replicas, wanted));
    const within = Math.min(Math.max(replicas, bounds.min), bounds.max);
    return { replicas: within, wanted: Math.max(wanted, bounds.min), inBurst, because };
  }

  #workOver(windowMs: number, nowMs: number): number {
    return this.#window.average(windowMs, nowMs).work;
  }

  #replicasFor(work: number): number {
    return Math.ceil(work / this.#options.utilizationTarget);
  }

  #grow(
    { placed, busyShare, bounds }: Observation,
    { wanted, said, nowMs }: { readonly wanted: number; readonly said: string; readonly nowMs: number },
  ): { readonly replicas: number; readonly because: string } {
    this.#note(wanted, nowMs);
    if (placed >= bounds.max) return { replicas: placed, because: `${said}, but ${bounds.because}` };
    if (busyShare < Math.min(bounds.busyShareMax, busyForSure)) {
      const because = `${said}, but its threads are busy ${percent(busyShare)} of the time, and more would be too`;
      return { replicas: placed, because };
    }
    const ceiling = this.#gain.ceiling(nowMs) ?? Infinity;
    if (placed >= ceiling) {
      return { replicas: placed, because: `${said}, but more than ${ceiling} brought too little` };
    }
    const replicas = Math.min(wanted, ceiling);
    if (replicas > bounds.max) return { replicas: bounds.max, because: `${said}, and ${bounds.because}` };
    return { replicas, because: said };
  }

  #shrink(
    { placed, bounds, mayShrink }: Observation,
    now: {
      readonly calm: number;
      /** By the work alone, not by the burst that was. */
      readonly asked: number;
      readonly said: string;
      readonly inBurst: boolean;
      readonly nowMs: number;
    },
  ): { readonly replicas: number; readonly because: string } {
    const { calm, asked, said, inBurst, nowMs } = now;
    const { stableWindowMs, shrinkPartMax } = this.#options;
    const { busy } = this.#window.average(stableWindowMs, nowMs);
    const byBusy = Math.min(placed, Math.ceil(busy / bounds.busyShareMax));
    const enough = this.#note(Math.max(calm, byBusy), nowMs);
    if (placed > bounds.max) return { replicas: bounds.max, because: bounds.because };
    if (placed < bounds.min) return { replicas: bounds.min, because: `${bounds.min} are the least it has` };
    if (placed === bounds.min || asked === placed) return { replicas: placed, because: said };
    if (inBurst) return { replicas: placed, because: `${said}, nothing is taken away after a burst` };
    if (!mayShrink) return { replicas: placed, because: `${said}, kept while a rollout may go back` };
    const expected = nowMs < this.#expected.untilMs ? this.#expected.replicas : 0;
    const least = Math.max(enough, expected, Math.ceil(placed * (1 - shrinkPartMax)), bounds.min);
    if (least < placed) return { replicas: least, because: said };
    if (expected >= placed) return { replicas: placed, because: `${said}, more is about to come` };
    if (byBusy >= placed) {
      return {
        replicas: placed,
        because: `${said}, fewer would be busier than ${percent(bounds.busyShareMax)}`,
      };
    }
    return { replicas: placed, because: `${said}, fewer are not enough for long enough` };
  }

  /** Keeps it in mind, and answers the most of what was enough in the last while. */
  #note(replicas: number, nowMs: number): number {
    const fromMs = nowMs - this.#options.shrinkDelayMs;
    this.#enough = this.#enough.filter(({ atMs }) => atMs > fromMs);
    this.#enough.push({ atMs: nowMs, replicas });
    return Math.max(...this.#enough.map((known) => known.replicas));
  }

  /** A tick in which the number changed, or a replica was still being loaded, says nothing. */
  #measure({ placed, ready, work, busyShare, rowsPerSecond }: Observation, nowMs: number): void {
    const isSteady = placed === this.#placedBefore && ready === placed;
    this.#placedBefore = placed;
    if (isSteady && work >= placed && busyShare >= busyForSure) {
      this.#gain.measured(placed, rowsPerSecond, nowMs);
    }
  }
}

function shown(number: number): string {
  return String(Math.round(number * 100) / 100);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
