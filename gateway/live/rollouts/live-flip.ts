/**
 * A blue/green that is judged on this node, in its preview and after its flip, and a version that was promoted and is
 * watched. Both send all callers to one version at a time, so what is compared is one time with another.
 */
import type { Deployment } from '../../../registry-store/main.ts';
import { isSameAnalysis } from '../../../registry-store/manifest/rollout-analysis.ts';
import { type FlipState, nextOfPreview, nextOfWatch } from '../../rollout/flip-course.ts';
import { judgeSettings } from '../../rollout/judge-settings.ts';
import type { Verdict } from '../../rollout/judge-verdict.ts';
import type { JudgedTotals } from '../../rollout/judge.ts';
import { ReferenceJudge } from '../../rollout/reference-judge.ts';
import type { RolloutDecision, RolloutPhase, RolloutState } from '../../telemetry/rollout-report.ts';
import { JudgeHold } from './judge-hold.ts';
import { judgeReport } from './judge-report.ts';
import type { Carried, LiveRolloutOptions, ModelArm } from './live-rollout.ts';
import { RolloutWatch } from './rollout-watch.ts';

export class LiveFlip implements Carried {
  readonly watch: RolloutWatch;
  readonly #options: LiveRolloutOptions;
  #deployment: Deployment;
  #arm: ModelArm;
  readonly #hold = new JudgeHold();

  constructor(options: LiveRolloutOptions) {
    const { deployment, arm, memory, rollBack, agreement } = options;
    const { processes } = agreement;
    const isPreview = arm.stage === 'preview';
    // What people try out is few requests of few callers; what callers send is as many as they are.
    const isMirrored = isPreview && deployment.flip?.mirrorBps !== undefined;
    const reference = memory.flipOf(arm.rolloutId)?.reference;
    this.#options = options;
    this.#deployment = deployment;
    this.#arm = arm;
    this.watch = new RolloutWatch({
      share: arm.share,
      judge: new ReferenceJudge({
        settings: judgeSettings(deployment.analysis),
        unit: isPreview && !isMirrored ? 'request' : 'caller',
        ...(isPreview && { beside: isMirrored ? 'copies' : 'live' }),
        reference: () => (isPreview ? this.watch.reference : (reference ?? nothingCounted)),
        requestsMin: isPreview ? (deployment.flip?.previewRequestsMin ?? 1) : 0,
        processes,
      }),
      costs: arm.stable.costs,
      processes,
      rollBack: (reason) => {
        rollBack(this.#arm, reason);
      },
    });
  }

  get arm(): ModelArm {
    return this.#arm;
  }

  follow(deployment: Deployment, arm: ModelArm): void {
    const isJudgedAlike = isSameAnalysis(this.#deployment.analysis, deployment.analysis);
    this.#deployment = deployment;
    this.#arm = arm;
    if (!isJudgedAlike) this.watch.setSettings(judgeSettings(deployment.analysis));
  }

  tick(nowMs: number): void {
    const verdict = this.watch.look(nowMs);
    if (verdict.kind === 'rollback') return;
    const { memory, agreement, onDecision, moved } = this.#options;
    const news = this.#hold.news(verdict);
    // Two processes that each flip by a clock of their own would answer one caller with two versions.
    if (!agreement.isLeading) return;
    if (news !== undefined) this.#tellOthers([onDecision(news, verdict.reason)]);
    const { rolloutId, stage, candidate } = this.#arm;
    const state = this.#state(nowMs);
    const next = this.#next(state, { nowMs, verdict: verdict.kind });
    if (next === state) return;
    memory.setFlip(rolloutId, next);
    const decisions: RolloutDecision[] = [];
    if (stage === 'preview' && next.reference !== undefined) {
      const reason = `all requests go to ${candidate.modelVersion} now; ${verdict.reason}`;
      decisions.push(onDecision('flipped', reason));
    }
    if (next.isComplete === true) {
      const isKept = this.#deployment.watch !== undefined;
      decisions.push(onDecision(isKept ? 'kept' : 'completed', verdict.reason));
    }
    this.#tellOthers(decisions, next);
    moved();
  }

  state(nowMs: number): RolloutState {
    const { strategy } = this.#deployment;
    const { rolloutId, stable, candidate, trafficBps, stage } = this.#arm;
    const verdict = this.watch.look(nowMs);
    const { sinceMs } = this.#state(nowMs);
    const holdMs = stage === 'preview' ? this.#deployment.flip?.autoAfterMs : this.#watchMs;
    return {
      model: stable.modelName,
      rollout_id: rolloutId,
      strategy: strategy === 'all' ? 'promoted' : 'blue_green',
      stable: stable.modelVersion,
      candidate: candidate.modelVersion,
      phase: this.#phase(verdict, nowMs),
      traffic_percent: trafficBps / 100,
      step: {
        number: 1,
        percents: [trafficBps / 100],
        since: new Date(sinceMs).toISOString(),
        ...(holdMs !== undefined && { hold_ms: holdMs }),
      },
      judge: judgeReport(verdict, this.#totals),
    };
  }

  #tellOthers(decisions: readonly RolloutDecision[], flip?: FlipState): void {
    const { rolloutId, stable } = this.#arm;
    const facts = { model: stable.modelName, rolloutId, decisions };
    this.#options.agreement.wentOn(flip === undefined ? facts : { ...facts, flip });
  }

  /** After a flip nobody meets the version before; what it did until then is what counts. */
  get #totals(): JudgedTotals {
    const { totals } = this.watch;
    const reference = this.#options.memory.flipOf(this.#arm.rolloutId)?.reference;
    if (this.#arm.stage === 'preview' || reference === undefined) return totals;
    const { trials, failed } = reference;
    return {
      ...totals,
      requests: { ...totals.requests, stable: trials },
      failed: { ...totals.failed, stable: failed.error },
      notFinite: { ...totals.notFinite, stable: failed.nan },
    };
  }

  get #watchMs(): number | undefined {
    return (this.#deployment.watch ?? this.#deployment.flip)?.watchMs;
  }

  #phase(verdict: Verdict, nowMs: number): RolloutPhase {
    if (this.#state(nowMs).isComplete === true) return 'complete';
    if (verdict.kind === 'pause') return 'paused';
    return this.#arm.stage === 'preview' ? 'preview' : 'bake';
  }

  #next(
    state: FlipState,
    { nowMs, verdict }: { readonly nowMs: number; readonly verdict: Verdict['kind'] },
  ): FlipState {
    const { flip } = this.#deployment;
    if (this.#arm.stage === 'promoted') return nextOfWatch(this.#watchMs, state, { nowMs, verdict });
    if (flip === undefined) return state;
    return nextOfPreview(flip, state, { nowMs, verdict, reference: this.watch.reference });
  }

  /** Where the node stands, or begins now. */
  #state(nowMs: number): FlipState {
    const { memory } = this.#options;
    const { rolloutId } = this.#arm;
    const known = memory.flipOf(rolloutId);
    if (known !== undefined) return known;
    const state = { sinceMs: nowMs };
    memory.setFlip(rolloutId, state);
    return state;
  }
}

const nothingCounted = { trials: 0, failed: { error: 0, nan: 0 } };
