/**
 * The rollouts that divide traffic right now, watched one by one, and their way through the steps that were signed. Which
 * versions there are is the business of live models; here is what begins, changes and ends with the split of one model.
 */
import type { Deployment } from '../../registry-store/main.ts';
import { isJudged } from '../../registry-store/manifest/deployment.ts';
import { TrafficSplit } from '../route/traffic-split.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Gauge } from '../telemetry/metrics-page.ts';
import type { RolloutDecision, RolloutReport, RolloutState } from '../telemetry/rollout-report.ts';
import { LiveRollout, type ModelSplit, stepStateOf } from './live-rollout.ts';
import type { ModelGeneration } from './model-generation.ts';
import { rolloutIdOf } from './rollout-id.ts';
import type { RolloutMemory } from './rollout-memory.ts';
import type { RolloutWatch } from './rollout-watch.ts';

export type { ModelSplit } from './live-rollout.ts';

export interface LiveRolloutsOptions {
  readonly watches: Map<string, RolloutWatch>;
  readonly memory: RolloutMemory;
  readonly log: Logger;
  /** The candidate is worse: told once for each rollout. */
  readonly rollBack: (split: ModelSplit) => void;
  /** A rollout went on to its next step: ask for the split of the model anew. */
  readonly moved: (model: string) => void;
}

/** How often evidence and plans are looked at, milliseconds. */
const tickMs = 1000;

/** How the log calls what was decided. */
const messages: Readonly<Record<RolloutDecision['decision'], string>> = {
  began: 'rollout began',
  next_step: 'rollout went on to its next step',
  paused: 'rollout paused',
  resumed: 'rollout resumed',
  rolled_back: 'candidate taken out of the traffic',
  completed: 'rollout complete, the candidate waits to be promoted',
  promoted: 'candidate promoted, rollout over',
  superseded: 'rollout superseded by another',
  ended: 'rollout ended',
};

export class LiveRollouts {
  readonly #options: LiveRolloutsOptions;
  /** By id. */
  readonly #rollouts = new Map<string, LiveRollout>();
  /** What was signed for the splits that `begin` gave out. */
  readonly #deployments = new WeakMap<ModelSplit, Deployment>();
  /** By model: what the store still wants and this node went back from. */
  readonly #givenUp = new Map<string, RolloutState>();
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
    const { model, strategy, plan, cohorts } = deployment;
    this.#givenUp.delete(model);
    if (!isJudged(strategy) || candidate === undefined) return undefined;
    const { memory } = this.#options;
    const rolloutId = rolloutIdOf(deployment);
    if (memory.has(rolloutId)) {
      this.#givenUp.set(model, givenUp(deployment, rolloutId));
      return 'ROLLED_BACK';
    }
    const step = plan === undefined ? undefined : plan.steps[stepStateOf(memory, rolloutId, plan).step];
    const trafficBps = step?.trafficBps ?? deployment.trafficBps ?? 0;
    const split = new TrafficSplit({ rolloutId, stable: live, candidate, trafficBps, cohorts });
    this.#deployments.set(split, deployment);
    return split;
  }

  /** The split of a model was replaced. One whose share changes keeps its evidence; one that ended lets it go. */
  changed(
    before: ModelSplit | undefined,
    after: ModelSplit | undefined,
    live: ModelGeneration | undefined,
  ): void {
    if (before !== undefined && before.rolloutId !== after?.rolloutId) this.#end(before, after, live);
    if (after !== undefined) this.#follow(before, after);
    this.#setTimer();
  }

  /** The model is no longer deployed. */
  forget(model: string): void {
    this.#givenUp.delete(model);
  }

  close(): void {
    this.#rollouts.clear();
    this.#setTimer();
  }

  report(nowMs: number): RolloutReport {
    return {
      rollouts: [
        ...[...this.#rollouts.values()].map((rollout) => rollout.state(nowMs)),
        ...this.#givenUp.values(),
      ],
      decisions: this.#options.memory.decisions.toReversed(),
    };
  }

  readonly gauge: Gauge = {
    name: 'tidegate_rollout_traffic_percent',
    help: 'Share of the keys that the candidate of a rollout answers on this node.',
    read: () =>
      [...this.#rollouts.values()].map(
        ({ split: { rolloutId: rollout, stable, candidate, trafficBps } }) => ({
          labels: { model: stable.modelName, rollout, candidate: candidate.modelVersion },
          value: trafficBps / 100,
        }),
      ),
    acrossProcesses: 'average',
  };

  #end(before: ModelSplit, after: ModelSplit | undefined, live: ModelGeneration | undefined): void {
    const { watches } = this.#options;
    const { rolloutId } = before;
    watches.delete(rolloutId);
    // One that this node went back from has left already, with its reason.
    if (!this.#rollouts.delete(rolloutId)) return;
    if (live === before.candidate)
      this.#decided(before, 'promoted', `${live.modelVersion} is the live version now`);
    else if (after === undefined) this.#decided(before, 'ended', 'the store says so');
    else this.#decided(before, 'superseded', `${after.candidate.modelVersion} is the candidate now`);
  }

  #follow(before: ModelSplit | undefined, after: ModelSplit): void {
    const { watches, log } = this.#options;
    const { rolloutId, trafficBps, stable, candidate } = after;
    const deployment = this.#deployments.get(after);
    const known = this.#rollouts.get(rolloutId);
    if (known !== undefined && deployment !== undefined) known.follow(deployment, after, Date.now());
    else if (deployment !== undefined) {
      const rollout = this.#start(deployment, after);
      this.#rollouts.set(rolloutId, rollout);
      watches.set(rolloutId, rollout.watch);
    }
    if (before?.rolloutId === rolloutId && before.trafficBps === trafficBps) return;
    log.info(
      {
        model: stable.modelName,
        rollout: rolloutId,
        candidate: candidate.modelVersion,
        percent: trafficBps / 100,
      },
      'traffic divided',
    );
  }

  #start(deployment: Deployment, split: ModelSplit): LiveRollout {
    const { memory, rollBack, moved } = this.#options;
    const { rolloutId, stable, candidate } = split;
    if (!memory.decisions.some(({ rollout_id: id }) => id === rolloutId)) {
      this.#decided(split, 'began', `${candidate.modelVersion} beside ${stable.modelVersion}`);
    }
    return new LiveRollout({
      deployment,
      split,
      memory,
      onDecision: (decision, reason) => {
        this.#decided(split, decision, reason);
      },
      rollBack: (current, reason) => {
        this.#rollouts.delete(rolloutId);
        rollBack(current);
        // Callers are safe by now; the disk may take its time.
        memory.add(rolloutId);
        this.#givenUp.set(stable.modelName, givenUp(deployment, rolloutId));
        this.#decided(current, 'rolled_back', reason);
      },
      moved: () => {
        moved(stable.modelName);
      },
    });
  }

  #decided(
    { rolloutId, stable, candidate }: ModelSplit,
    decision: RolloutDecision['decision'],
    reason: string,
  ): void {
    const { memory, log } = this.#options;
    const model = stable.modelName;
    const facts = { model, rollout: rolloutId, candidate: candidate.modelVersion, reason };
    if (decision === 'rolled_back') log.error(facts, messages[decision]);
    else log.info(facts, messages[decision]);
    memory.note({ at: new Date().toISOString(), model, rollout_id: rolloutId, decision, reason });
  }

  #setTimer(): void {
    if (this.#rollouts.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#timer ??= setInterval(() => {
      const nowMs = Date.now();
      for (const rollout of [...this.#rollouts.values()]) rollout.tick(nowMs);
    }, tickMs);
    this.#timer.unref();
  }
}

function givenUp({ model, version, candidate, strategy }: Deployment, rolloutId: string): RolloutState {
  return {
    model,
    rollout_id: rolloutId,
    strategy: strategy === 'rolling' ? 'rolling' : 'canary',
    stable: version,
    candidate: candidate?.version ?? '',
    phase: 'rolled_back',
    traffic_percent: 0,
  };
}
