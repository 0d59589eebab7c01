/**
 * One rollout that divides traffic on this node: who watches it, where it stands in its plan, and what is decided about it
 * here. Its split is replaced with every step; what was counted stays.
 */
import type { Deployment, RolloutPlan } from '../../registry-store/main.ts';
import { bernoulliConfidence } from '../rollout/bernoulli-confidence.ts';
import { judgeSettings } from '../rollout/judge-settings.ts';
import type { JudgeSnapshot } from '../rollout/judge-snapshot.ts';
import type { Verdict } from '../rollout/judge-verdict.ts';
import { isSameAnalysis } from '../../registry-store/manifest/rollout-analysis.ts';
import { isOverdue, nextStep, phaseOf, type StepState, within } from '../rollout/rollout-steps.ts';
import type { TrafficSplit } from '../route/traffic-split.ts';
import type { RolloutArm, RolloutDecision, RolloutState } from '../telemetry/rollout-report.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { RolloutMemory } from './rollout-memory.ts';
import { RolloutWatch } from './rollout-watch.ts';

export type ModelSplit = TrafficSplit<ModelGeneration>;

const failureRate = { errorMax: 0.05, trialsBest: 1000 };

export interface LiveRolloutOptions {
  readonly deployment: Deployment;
  readonly split: ModelSplit;
  readonly memory: RolloutMemory;
  readonly onDecision: (decision: RolloutDecision['decision'], reason: string) => void;
  /** The candidate is worse: told once, with the split in force. */
  readonly rollBack: (split: ModelSplit, reason: string) => void;
  /** It went on to its next step: ask for the split of the model anew. */
  readonly moved: () => void;
}

export class LiveRollout {
  readonly watch: RolloutWatch;
  readonly #options: LiveRolloutOptions;
  #deployment: Deployment;
  #split: ModelSplit;
  #isHeldByJudge = false;

  constructor(options: LiveRolloutOptions) {
    const { deployment, split } = options;
    this.#options = options;
    this.#deployment = deployment;
    this.#split = split;
    this.watch = new RolloutWatch({
      share: split.share,
      settings: judgeSettings(deployment.analysis),
      costs: split.stable.costs,
      rollBack: (reason) => {
        this.#options.rollBack(this.#split, reason);
      },
    });
  }

  get split(): ModelSplit {
    return this.#split;
  }

  /** Another share, or another plan, of the same rollout. */
  follow(deployment: Deployment, split: ModelSplit, nowMs: number): void {
    const wasPaused = this.#deployment.plan?.paused === true;
    const isPaused = deployment.plan?.paused === true;
    const isJudgedAlike = isSameAnalysis(this.#deployment.analysis, deployment.analysis);
    this.#deployment = deployment;
    this.#split = split;
    this.watch.setShare(split.share, nowMs);
    if (!isJudgedAlike) this.watch.setSettings(judgeSettings(deployment.analysis));
    if (isPaused !== wasPaused) {
      this.#options.onDecision(isPaused ? 'paused' : 'resumed', 'signed in the store');
    }
  }

  /** Looks at the evidence and the clock, and does what follows. */
  tick(nowMs: number): void {
    const verdict = this.watch.look(nowMs);
    if (verdict.kind === 'rollback') return;
    if (verdict.kind === 'pause' && !this.#isHeldByJudge) this.#options.onDecision('paused', verdict.reason);
    this.#isHeldByJudge = verdict.kind === 'pause';
    const { plan } = this.#deployment;
    if (plan !== undefined) this.#walkOn(plan, { nowMs, verdict });
  }

  state(nowMs: number): RolloutState {
    const { strategy, plan } = this.#deployment;
    const { rolloutId, stable, candidate, trafficBps } = this.#split;
    const verdict = this.watch.look(nowMs);
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
      judge: judgeReport(verdict, this.watch.snapshot()),
    };
  }

  #walkOn(
    plan: RolloutPlan,
    { nowMs, verdict }: { readonly nowMs: number; readonly verdict: Verdict },
  ): void {
    const { memory, onDecision, moved } = this.#options;
    const { rolloutId } = this.#split;
    const state = stepStateOf(memory, rolloutId, plan);
    const moment = { nowMs, verdict: verdict.kind };
    if (isOverdue(plan, state, moment)) {
      const { trafficBps } = this.#split;
      this.watch.giveUp(
        `no progress from the step of ${trafficBps / 100}% within the deadline of ${(plan.deadlineMs ?? 0) / 1000} s; ${verdict.reason}`,
      );
      return;
    }
    const next = nextStep(plan, state, moment);
    if (next === state) return;
    memory.setStep(rolloutId, next);
    if (next.isComplete === true) onDecision('completed', verdict.reason);
    if (next.step === state.step) return;
    onDecision('next_step', `step ${next.step + 1} of ${plan.steps.length}; ${verdict.reason}`);
    moved();
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

function judgeReport(
  { kind, reason }: Verdict,
  { requests, crashed, metrics, candidateKeys }: JudgeSnapshot,
): NonNullable<RolloutState['judge']> {
  const arm = (name: 'candidate' | 'stable'): RolloutArm => {
    const failed = metrics.error.channels[0]?.total[name] ?? 0;
    const { lower, upper } = bernoulliConfidence(failed, requests[name], failureRate);
    return {
      requests: requests[name],
      failed,
      failure_rate: [lower, upper],
      not_finite: metrics.nan.channels[0]?.total[name] ?? 0,
      crashed: crashed[name],
    };
  };
  return {
    verdict: kind,
    reason,
    candidate: arm('candidate'),
    stable: arm('stable'),
    candidate_callers: candidateKeys,
  };
}
