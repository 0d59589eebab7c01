/** Averages of the load over the last while, weighted by time. What is older than the longest window is forgotten. */

/** Means over one tick. */
export interface Load {
  /** What is in hand, running and waiting, over what one replica should have in hand: 2 is the right load for two. */
  readonly work: number;
  /** Replicas that the rows which were answered keep at work, in batches as planned: see `ReplicaPlan`. */
  readonly busy: number;
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
    let [work, busy, seenMs] = [0, 0, 0];
    for (const span of this.#spans) {
      const ms = Math.min(span.untilMs, nowMs) - Math.max(span.fromMs, nowMs - windowMs);
      if (ms <= 0) continue;
      work += span.work * ms;
      busy += span.busy * ms;
      seenMs += ms;
    }
    return seenMs === 0 ? { work: 0, busy: 0 } : { work: work / seenMs, busy: busy / seenMs };
  }
}
