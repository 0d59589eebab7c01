/** Averages of the load over the last while, weighted by time. What is older than the longest window is forgotten. */

/** Means over one tick. */
export interface Load {
  /** What is in hand, running and waiting, over what one replica should have in hand: 2 is the right load for two. */
  readonly work: number;
  /** Replicas that the rows which were answered keep at work, in batches as planned: see `ReplicaPlan`. */
  readonly busy: number;
  /** The same of the rows that came: those that were answered, and by how many more are in hand. */
  readonly offered: number;
}

interface Span extends Load {
  readonly fromMs: number;
  readonly untilMs: number;
}

export class LoadWindow {
  readonly #longestMs: number;
  #spans: Span[] = [];

  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  add(span: Span): void {
    this.#spans.push(span);
    const first = this.#spans.findIndex(({ untilMs }) => untilMs > span.untilMs - this.#longestMs);
    if (first > 0) this.#spans.splice(0, first);
  }

  /** Over the last `windowMs`, or as much of them as was seen; nothing seen is no load. */
  average(windowMs: number, nowMs: number): Load {
    let [work, busy, offered, seenMs] = [0, 0, 0, 0];
    for (const span of this.#spans) {
      const ms = Math.min(span.untilMs, nowMs) - Math.max(span.fromMs, nowMs - windowMs);
      if (ms <= 0) continue;
      work += span.work * ms;
      busy += span.busy * ms;
      offered += span.offered * ms;
      seenMs += ms;
    }
    if (seenMs === 0) return { work: 0, busy: 0, offered: 0 };
    return { work: work / seenMs, busy: busy / seenMs, offered: offered / seenMs };
  }
}
