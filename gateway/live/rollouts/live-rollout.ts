/**
 * One rollout that divides traffic on this node: who watches it, where it stands in its plan, and what is decided about it
 * here. Its split is replaced with every step; what was counted stays.
 */
import type { Deployment, RolloutPlan } from '../../../registry-store/main.ts';
import { candidatesOf } from '../../../registry-store/manifest/candidate-arms.ts';
import { isSameAnalysis } from '../../../registry-store/manifest/rollout-analysis.ts';
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import { CanaryJudge } from '../../rollout/canary-judge.ts';
import { judgeOptions, type JudgeSettings } from '../../rollout/judge-options.ts';
import { judgeSettings } from '../../rollout/judge-settings.ts';
import type { Verdict } from '../../rollout/judge-verdict.ts';
import { isOverdue, nextStep, phaseOf, type StepState, within } from '../../rollout/rollout-steps.ts';
import type { SplitArm, TrafficSplit } from '../../route/traffic-split.ts';
import type { RolloutDecision, RolloutState } from '../../telemetry/rollout-report.ts';
import { JudgeHold } from './judge-hold.ts';
import { judgeReport } from './judge-report.ts';
import type { NodeAgreement } from './node-agreement.ts';
import type { RolloutMemory } from './rollout-memory.ts';
import { RolloutWatch } from './rollout-watch.ts';

export type ModelSplit = TrafficSplit<ModelGeneration>;

/** One candidate of it: each is watched, judged and decided about by itself. */
export type ModelArm = SplitArm<ModelGeneration>;

export interface LiveRolloutOptions {
  readonly deployment: Deployment;
  readonly arm: ModelArm;
  readonly memory: RolloutMemory;
  /** Of the processes of this node. */
  readonly agreement: Pick<NodeAgreement, 'isLeading' | 'processes' | 'wentOn'>;
  /** Gives back what is remembered of it. */
  readonly onDecision: (decision: RolloutDecision['decision'], reason: string) => RolloutDecision;
  /** The candidate is worse: told once, with its share in force. */
  readonly rollBack: (arm: ModelArm, reason: string) => void;
  /** It went on to its next step: ask for the split of the model anew. */
  readonly moved: () => void;
}

/** A rollout on its way, of whichever kind. */
export interface Carried {
  readonly watch: RolloutWatch;
  readonly arm: ModelArm;
  /** What is signed, or the share, differs; the rollout is the same. */
  follow(deployment: Deployment, arm: ModelArm, nowMs: number): void;
  /** Looks at the evidence and the clock, and does what follows. */
  tick(nowMs: number): void;
  state(nowMs: number): RolloutState;
}

/** How often replicas that are missing are asked for again, milliseconds. */
const replicasEveryMs = 5000;

export class LiveRollout implements Carried {
  readonly watch: RolloutWatch;
  readonly #options: LiveRolloutOptions;
  #deployment: Deployment;
  #arm: ModelArm;
  readonly #hold = new JudgeHold();
  /** The step that was told to wait for approval. */
  #waitingStep: number | undefined;
  #lookedForReplicasMs = 0;

  constructor(options: LiveRolloutOptions) {
    const { deployment, arm } = options;
    this.#options = options;
    this.#deployment = deployment;
    this.#arm = arm;
    this.watch = new RolloutWatch({
      share: arm.share,
      judge: new CanaryJudge(this.#settingsOf(deployment)),
      costs: arm.stable.costs,
      processes: options.agreement.processes,
      rollBack: (reason) => {
        this.#options.rollBack(this.#arm, reason);
      },
    });
  }

  get arm(): ModelArm {
    return this.#arm;
  }

  /** Another share, or another plan, of the same rollout. */
  follow(deployment: Deployment, arm: ModelArm, nowMs: number): void {
    const wasPaused = this.#deployment.plan?.paused === true;
    const approvalsBefore = this.#deployment.plan?.approvals ?? 0;
    const isPaused = deployment.plan?.paused === true;
    const isJudgedAlike =
      isSameAnalysis(this.#deployment.analysis, deployment.analysis) &&
      candidatesOf(this.#deployment).length === candidatesOf(deployment).length;
    this.#deployment = deployment;
    this.#arm = arm;
    this.watch.setShare(arm.share, nowMs);
    if (!isJudgedAlike) this.watch.setSettings(this.#settingsOf(deployment));
    const { onDecision } = this.#options;
    const counted = (): string => this.watch.opinion(nowMs).reason;
    if (isPaused !== wasPaused) {
      onDecision(isPaused ? 'paused' : 'resumed', `signed in the store; ${counted()}`);
    }
    if ((deployment.plan?.approvals ?? 0) > approvalsBefore) {
      onDecision('approved', `signed in the store; ${counted()}`);
    }
  }

  tick(nowMs: number): void {
    const verdict = this.watch.look(nowMs);
    if (verdict.kind === 'rollback') return;
    const news = this.#hold.news(verdict);
    if (!this.#options.agreement.isLeading) return;
    if (news !== undefined) this.#tellOthers([this.#options.onDecision(news, verdict.reason)]);
    const { plan } = this.#deployment;
    if (plan !== undefined) this.#walkOn(plan, { nowMs, verdict: this.#withReplicas(verdict, plan) });
  }

  state(nowMs: number): RolloutState {
    const { strategy, plan } = this.#deployment;
    const { rolloutId, stable, candidate, trafficBps } = this.#arm;
    const looked = this.watch.look(nowMs);
    const verdict = plan === undefined ? looked : this.#withReplicas(looked, plan);
    const at = plan === undefined ? undefined : stepStateOf(this.#options.memory, rolloutId, plan);
    const step = plan === undefined || at === undefined ? undefined : stepReport(plan, at);
    return {
      model: stable.modelName,
      rollout_id: rolloutId,
      strategy: strategy === 'rolling' ? 'rolling' : 'canary',
      stable: stable.modelVersion,
      candidate: candidate.modelVersion,
      phase:
        plan === undefined || at === undefined ? unplannedPhase(verdict) : phaseOf(plan, at, verdict.kind),
      traffic_percent: trafficBps / 100,
      ...(step !== undefined && { step }),
      judge: judgeReport(verdict, this.watch.totals, this.watch.evidence),
    };
  }

  #walkOn(
    plan: RolloutPlan,
    { nowMs, verdict }: { readonly nowMs: number; readonly verdict: Verdict },
  ): void {
    const { memory, onDecision, moved } = this.#options;
    const { rolloutId } = this.#arm;
    const state = stepStateOf(memory, rolloutId, plan);
    // Replicas that are missing may come.
    if (this.#missingText(plan, state) !== '' && nowMs - this.#lookedForReplicasMs >= replicasEveryMs) {
      this.#lookedForReplicasMs = nowMs;
      moved();
    }
    const moment = { nowMs, verdict: verdict.kind };
    if (isOverdue(plan, state, moment)) {
      const { trafficBps } = this.#arm;
      this.watch.giveUp(
        `no progress from the step of ${trafficBps / 100}% within the deadline of ${(plan.deadlineMs ?? 0) / 1000} s; ${verdict.reason}`,
      );
      return;
    }
    const next = nextStep(plan, state, moment);
    if (next === state) {
      this.#tellOfWaiting(plan, state, { nowMs, verdict });
      return;
    }
    memory.setStep(rolloutId, next);
    const decisions = next.isComplete === true ? [onDecision('completed', verdict.reason)] : [];
    const hasMoved = next.step !== state.step;
    if (hasMoved) {
      const place = `step ${next.step + 1} of ${plan.steps.length}`;
      decisions.push(onDecision('next_step', `${place}; ${verdict.reason}`));
    }
    this.#tellOthers(decisions, next);
    if (hasMoved) moved();
  }

  /** Nothing but a person's word is missing. */
  #tellOfWaiting(
    plan: RolloutPlan,
    state: StepState,
    { nowMs, verdict }: { readonly nowMs: number; readonly verdict: Verdict },
  ): void {
    const approved = { ...plan, approvals: plan.steps.length };
    const isWaiting =
      phaseOf(plan, state, verdict.kind) === 'awaiting_approval' &&
      nextStep(approved, state, { nowMs, verdict: verdict.kind }) !== state;
    if (!isWaiting || this.#waitingStep === state.step) return;
    this.#waitingStep = state.step;
    const place = `step ${state.step + 1} of ${plan.steps.length}`;
    this.#tellOthers([this.#options.onDecision('awaits_approval', `${place}; ${verdict.reason}`)]);
  }

  /** A rolling that has too few replicas for its step stays, whatever the judge says in its favour. */
  #withReplicas(verdict: Verdict, plan: RolloutPlan): Verdict {
    if (verdict.kind !== 'healthy' && verdict.kind !== 'promote') return verdict;
    const missing = this.#missingText(plan, stepStateOf(this.#options.memory, this.#arm.rolloutId, plan));
    return missing === '' ? verdict : { kind: 'hold', reason: `${missing}; ${verdict.reason}` };
  }

  #missingText({ steps }: RolloutPlan, { step }: StepState): string {
    const wantedBps = steps[step]?.trafficBps ?? 0;
    const { trafficBps } = this.#arm;
    if (this.#deployment.strategy !== 'rolling' || trafficBps >= wantedBps) return '';
    return `replicas of the new version are ready for ${trafficBps / 100}% and not yet for the ${wantedBps / 100}% of the step`;
  }

  #tellOthers(decisions: readonly RolloutDecision[], state?: StepState): void {
    const { rolloutId, stable } = this.#arm;
    const facts = { model: stable.modelName, rolloutId, decisions };
    this.#options.agreement.wentOn(state === undefined ? facts : { ...facts, state });
  }

  #settingsOf(deployment: Deployment): JudgeSettings {
    const settings = judgeSettings(deployment.analysis, candidatesOf(deployment).length);
    const { processes } = this.#options.agreement;
    if (processes === 1) return settings;
    // A caller comes to several of them and counts in each: the windows in which it may are divided among them.
    const { windowsPerKeyMax } = judgeOptions({});
    return { ...settings, windowsPerKeyMax: Math.max(1, Math.floor(windowsPerKeyMax / processes)) };
  }
}

/** Where the node stands, or begins now. */
export function stepStateOf(memory: RolloutMemory, rolloutId: string, plan: RolloutPlan): StepState {
  const known = memory.stepOf(rolloutId);
  if (known !== undefined) return within(plan, known);
  const state = { step: 0, sinceMs: Date.now() };
  memory.setStep(rolloutId, state);
  return state;
}

function unplannedPhase({ kind }: Verdict): RolloutState['phase'] {
  return kind === 'pause' ? 'paused' : 'running';
}

function stepReport({ steps }: RolloutPlan, { step, sinceMs }: StepState): NonNullable<RolloutState['step']> {
  const holdMs = steps[step]?.holdMs;
  return {
    number: step + 1,
    percents: steps.map(({ trafficBps }) => trafficBps / 100),
    since: new Date(sinceMs).toISOString(),
    ...(holdMs !== undefined && { hold_ms: holdMs }),
  };
}
