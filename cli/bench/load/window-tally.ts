/** Counts what becomes of the requests of one window. Pure: it is told what time it is. */
import { LatencyHistogram } from './latency-histogram.ts';
import type { Outcome, WindowResult } from './window-result.ts';

/** So many different reasons are told apart; further ones count together. */
const reasonsMax = 20;

export class WindowTally {
  readonly #kind: WindowResult['kind'];
  readonly #latency = new LatencyHistogram();
  readonly #refusalLatency = new LatencyHistogram();
  readonly #lateness = new LatencyHistogram();
  readonly #counts = { good: 0, refused: 0, failed: 0 };
  readonly #reasons = new Map<string, number>();
  #offered = 0;
  #unsent = 0;
  #goodInWindow = 0;

  constructor(kind: WindowResult['kind']) {
    this.#kind = kind;
  }

  offered(): void {
    this.#offered += 1;
  }

  /** In an open loop, as the generator comes round to a request. */
  late(us: number): void {
    this.#lateness.record(us);
  }

  unsent(): void {
    this.#unsent += 1;
    this.#note('not sent: too many requests wait for a connection');
  }

  /** `isInTime`: the window is not over yet. `reason` says why an answer is not good. */
  settled(
    outcome: Outcome,
    us: number,
    { isInTime, reason }: { readonly isInTime: boolean; readonly reason?: string | undefined },
  ): void {
    this.#counts[outcome] += 1;
    if (outcome === 'good') {
      this.#latency.record(us);
      if (isInTime) this.#goodInWindow += 1;
    } else if (outcome === 'refused') {
      this.#refusalLatency.record(us);
    }
    if (reason !== undefined) this.#note(reason);
  }

  result(times: { readonly seconds: number; readonly busyShare: number }): WindowResult {
    return {
      kind: this.#kind,
      ...times,
      offered: this.#offered,
      ...this.#counts,
      unsent: this.#unsent,
      goodInWindow: this.#goodInWindow,
      latency: this.#latency,
      refusalLatency: this.#refusalLatency,
      lateness: this.#lateness,
      reasons: this.#reasons,
    };
  }

  #note(reason: string): void {
    const known = this.#reasons.has(reason) || this.#reasons.size < reasonsMax;
    const name = known ? reason : 'other reasons';
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
  }
}
