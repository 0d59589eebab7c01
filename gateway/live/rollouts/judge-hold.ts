/**
 * What a judge keeps where it is, told once: that it does, and that it does no more. Every process of a node keeps an eye on
 * it, and the one that decides tells.
 */
import { isHolding, type Verdict } from '../../rollout/judge-verdict.ts';
import type { RolloutDecision } from '../../telemetry/rollout-report.ts';

export class JudgeHold {
  #kind: 'pause' | 'hold' | undefined;

  /** What there is to tell since the last verdict; undefined for nothing new. */
  news(verdict: Verdict): RolloutDecision['decision'] | undefined {
    const before = this.#kind;
    this.#kind = isHolding(verdict) ? (verdict.kind === 'pause' ? 'pause' : 'hold') : undefined;
    if (this.#kind === before) return undefined;
    if (this.#kind === undefined) return 'resumed';
    return this.#kind === 'pause' ? 'paused' : 'held';
  }
}
