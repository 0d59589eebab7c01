/**
 * What one metric counts: for each kind of event of its own (a failure, a cut point that was exceeded, a bin that was
 * predicted) the events that are evidence, and all of them for people. Adding nothing allocates nothing.
 */
import { addCounts, type Arm, type ArmCounts, ArmEvidence } from './arm-evidence.ts';

export interface ArmTotals {
  readonly candidate: number;
  readonly stable: number;
}

export interface ChannelCounts {
  /** The first events of their callers: what shows that the candidate is worse. */
  readonly events: readonly ArmCounts[];
  /**
   * Events of requests that were picked before anything happened to them: what shows that it is not worse. First events
   * cannot show that, since sooner or later each caller has one.
   */
  readonly samples: readonly ArmCounts[];
  /** All requests with this event. */
  readonly total: ArmTotals;
}

/** Counts as plain data. */
export interface MetricSnapshot {
  /** Requests of which this metric is known. */
  readonly observed: ArmTotals;
  readonly channels: readonly ChannelCounts[];
}

export function addTotals(one: ArmTotals, other: ArmTotals): ArmTotals {
  return { candidate: one.candidate + other.candidate, stable: one.stable + other.stable };
}

/** The counts of two nodes. */
export function mergeMetrics(one: MetricSnapshot, other: MetricSnapshot): MetricSnapshot {
  return {
    observed: addTotals(one.observed, other.observed),
    channels: one.channels.flatMap((channel, index) => {
      const added = other.channels[index];
      if (added === undefined) return [];
      return {
        events: addCounts(channel.events, added.events),
        samples: addCounts(channel.samples, added.samples),
        total: addTotals(channel.total, added.total),
      };
    }),
  };
}

class Channel {
  readonly events = new ArmEvidence();
  readonly samples = new ArmEvidence();
  readonly total = { candidate: 0, stable: 0 };
}

export class MetricCounts {
  readonly #observed = { candidate: 0, stable: 0 };
  readonly #channels: readonly Channel[];

  constructor(channels: number) {
    this.#channels = Array.from({ length: channels }, () => new Channel());
  }

  observe(arm: Arm): void {
    if (arm === 'candidate') this.#observed.candidate += 1;
    else this.#observed.stable += 1;
  }

  /** An event; `isFirst` and `isSample` say which evidence it is. */
  add(channel: number, arm: Arm, share: number, isFirst: boolean, isSample: boolean): void {
    const counts = this.#channels[channel];
    if (counts === undefined) return;
    counts.total[arm] += 1;
    if (isFirst) counts.events.add(arm, share);
    if (isSample) counts.samples.add(arm, share);
  }

  /** Goes on from what was counted before, by as many kinds of events. */
  resume({ observed, channels }: MetricSnapshot): void {
    Object.assign(this.#observed, observed);
    for (const [index, { events, samples, total }] of this.#channels.entries()) {
      const before = channels[index];
      events.resume(before?.events ?? []);
      samples.resume(before?.samples ?? []);
      Object.assign(total, before?.total);
    }
  }

  get size(): number {
    return this.#channels.length;
  }

  /** All requests with an event of this kind. */
  totalOf(channel: number): ArmTotals {
    return { candidate: 0, stable: 0, ...this.#channels[channel]?.total };
  }

  /** `observed` where it is not counted here: what is known of each request. */
  snapshot(observed: ArmTotals = this.#observed): MetricSnapshot {
    return {
      observed: { ...observed },
      channels: this.#channels.map(({ events, samples, total }) => ({
        events: addCounts([], [...events.counts]),
        samples: addCounts([], [...samples.counts]),
        total: { ...total },
      })),
    };
  }
}
