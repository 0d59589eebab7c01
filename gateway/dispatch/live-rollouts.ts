/**
 * The rollouts that divide traffic right now, watched one by one, and their way through the steps that were signed. Which
 * versions there are is the business of live models; here is what begins, changes and ends with the split of one model.
 */
import type { Deployment, RolloutPlan } from '../../registry-store/main.ts';
import { nextStep, type StepState, within } from '../rollout/rollout-steps.ts';
import { TrafficSplit } from '../route/traffic-split.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Gauge } from '../telemetry/metrics-page.ts';
import type { ModelGeneration } from './model-generation.ts';
import { rolloutIdOf } from './rollout-id.ts';
import type { RolloutMemory } from './rollout-memory.ts';
import { RolloutWatch } from './rollout-watch.ts';

export type ModelSplit = TrafficSplit<ModelGeneration>;

export interface LiveRolloutsOptions {
  readonly watches: Map<string, RolloutWatch>;
  readonly memory: RolloutMemory;
  readonly log: Logger;
  /** The candidate is worse: told once for each rollout. */
  readonly rollBack: (split: ModelSplit, reason: string) => void;
  /** A rollout went on to its next step: ask for the split of the model anew. */
  readonly moved: (model: string) => void;
}

/** How often plans are looked at, milliseconds. */
const tickMs = 1000;

interface Walk {
  readonly model: string;
  readonly plan: RolloutPlan;
}

export class LiveRollouts {
  readonly #options: LiveRolloutsOptions;
  readonly #splits = new Map<string, ModelSplit>();
  /** Rollouts with a plan, by id. */
  readonly #walks = new Map<string, Walk>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LiveRolloutsOptions) {
    this.#options = options;
  }

  /**
   * How the deployment is divided, at the step where this node stands; every node and every start divides alike at the
   * same share. Undefined when nothing is divided. What was rolled back here stays so, whatever the store says of it.
   */
  begin(
    deployment: Deployment,
    live: ModelGeneration,
    candidate: ModelGeneration | undefined,
  ): ModelSplit | 'ROLLED_BACK' | undefined {
    const { model, strategy, plan } = deployment;
    if (strategy !== 'canary' || candidate === undefined) return undefined;
    const rolloutId = rolloutIdOf(deployment);
    if (this.#options.memory.has(rolloutId)) return 'ROLLED_BACK';
    if (plan !== undefined) this.#walks.set(rolloutId, { model, plan });
    else this.#walks.delete(rolloutId);
    const step = plan === undefined ? undefined : plan.steps[this.#state(rolloutId, plan).step];
    const trafficBps = step?.trafficBps ?? deployment.trafficBps ?? 0;
    return new TrafficSplit({ rolloutId, stable: live, candidate, trafficBps });
  }

  /** The split of a model was replaced. One whose share changes keeps its evidence; one that ended lets it go. */
  changed(before: ModelSplit | undefined, after: ModelSplit | undefined): void {
    const { watches, log } = this.#options;
    if (before !== undefined && before.rolloutId !== after?.rolloutId) {
      watches.delete(before.rolloutId);
      this.#splits.delete(before.rolloutId);
      this.#walks.delete(before.rolloutId);
      log.info({ model: before.stable.modelName, rollout: before.rolloutId }, 'rollout ended');
    }
    this.#setTimer();
    if (after === undefined) return;
    this.#splits.set(after.rolloutId, after);
    this.#watch(after);
    const { rolloutId: rollout, trafficBps, stable, candidate } = after;
    if (before?.rolloutId === rollout && before.trafficBps === trafficBps) return;
    log.info(
      { model: stable.modelName, rollout, candidate: candidate.modelVersion, percent: trafficBps / 100 },
      'traffic divided',
    );
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#walks.clear();
  }

  readonly gauge: Gauge = {
    name: 'tidegate_rollout_traffic_percent',
    help: 'Share of the keys that the candidate of a rollout answers on this node.',
    read: () =>
      [...this.#splits.values()].map(({ rolloutId: rollout, stable, candidate, trafficBps }) => ({
        labels: { model: stable.modelName, rollout, candidate: candidate.modelVersion },
        value: trafficBps / 100,
      })),
  };

  #state(rolloutId: string, plan: RolloutPlan): StepState {
    const { memory } = this.#options;
    const known = memory.stepOf(rolloutId);
    if (known !== undefined) return within(plan, known);
    const state = { step: 0, sinceMs: Date.now() };
    memory.setStep(rolloutId, state);
    return state;
  }

  #setTimer(): void {
    if (this.#walks.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#timer ??= setInterval(() => {
      for (const [rolloutId, walk] of this.#walks) this.#walkOn(rolloutId, walk);
    }, tickMs);
    this.#timer.unref();
  }

  #walkOn(rolloutId: string, { model, plan }: Walk): void {
    const { memory, watches, log, moved } = this.#options;
    const watch = watches.get(rolloutId);
    if (watch === undefined) return;
    const state = this.#state(rolloutId, plan);
    const verdict = watch.verdict;
    const next = nextStep(plan, state, { nowMs: Date.now(), verdict: verdict.kind });
    if (next === state) return;
    memory.setStep(rolloutId, next);
    if (next.step === state.step) return;
    log.info(
      { model, rollout: rolloutId, step: next.step + 1, of: plan.steps.length, reason: verdict.reason },
      'rollout went on to its next step',
    );
    moved(model);
  }

  #watch(split: ModelSplit): void {
    const { watches, rollBack, memory } = this.#options;
    const { rolloutId, share } = split;
    const watch = watches.get(rolloutId);
    if (watch !== undefined) {
      watch.setShare(share);
      return;
    }
    const options = {
      share,
      rollBack: (reason: string): void => {
        rollBack(split, reason);
        // Callers are safe by now; the disk may take its time.
        memory.add(rolloutId);
      },
    };
    watches.set(rolloutId, new RolloutWatch(options));
  }
}
