/**
 * The rollouts that divide traffic right now, watched one by one, and their way through the steps that were signed. Which
 * versions there are is the business of live models; here is what begins, changes and ends with the split of one model.
 */
import type { Deployment } from '../../../registry-store/main.ts';
import { armsOf } from '../../../registry-store/manifest/candidate-arms.ts';
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import type { CallerCounts } from '../../rollout/caller-rates.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Gauge } from '../../telemetry/metrics-page.ts';
import type { RolloutDecision, RolloutReport, RolloutState } from '../../telemetry/rollout-report.ts';
import type { KeptCounts } from './kept-counts.ts';
import { LiveFlip } from './live-flip.ts';
import { type Carried, LiveRollout, type ModelArm, type ModelSplit } from './live-rollout.ts';
import type { NodeAgreement } from './node-agreement.ts';
import type { RollingThreads } from './rolling-threads.ts';
import { type Course, courseOf, type LoadedVersions } from './rollout-course.ts';
import type { RolloutMemory } from './rollout-memory.ts';
import type { RolloutWatch } from './rollout-watch.ts';

export type { ModelSplit } from './live-rollout.ts';

export interface LiveRolloutsOptions {
  /** Those that divide traffic now, by id; looked into for each request of theirs. */
  readonly watches: Map<string, RolloutWatch>;
  /** What this node decided about rollouts. */
  readonly memory: RolloutMemory;
  /** What was counted before a restart. */
  readonly counts: KeptCounts;
  /** Of the processes of this node. */
  readonly agreement: NodeAgreement;
  readonly log: Logger;
  readonly rolling: Pick<RollingThreads, 'readyBps'>;
  /** The candidate is worse: told once for each rollout. */
  readonly rollBack: (arm: ModelArm) => void;
  /** A rollout went on to its next step: ask for the split of the model anew. */
  readonly moved: (model: string) => void;
}

/** What there is when a candidate is no longer divided to. */
interface Ending {
  readonly arms: readonly ModelArm[];
  readonly armsBefore: readonly ModelArm[];
  readonly live: ModelGeneration | undefined;
  readonly deployment: Deployment | undefined;
}

/** How often evidence and plans are looked at, milliseconds. */
const tickMs = 1000;

/** How the log calls what was decided. */
const messages: Readonly<Record<RolloutDecision['decision'], string>> = {
  began: 'rollout began',
  next_step: 'rollout went on to its next step',
  paused: 'rollout paused',
  held: 'rollout held where it is',
  awaits_approval: 'rollout waits for approval',
  approved: 'rollout approved',
  resumed: 'rollout resumed',
  rolled_back: 'candidate taken out of the traffic',
  flipped: 'all traffic flipped to the candidate',
  completed: 'rollout complete, the candidate waits to be promoted',
  promoted: 'candidate promoted, rollout over',
  kept: 'watch over, the promoted version stays',
  superseded: 'rollout superseded by another',
  ended: 'rollout ended',
};

export class LiveRollouts {
  readonly #options: LiveRolloutsOptions;
  /** By id. */
  readonly #rollouts = new Map<string, Carried>();
  /** What was signed for the splits that `begin` gave out. */
  readonly #deployments = new WeakMap<ModelSplit, Deployment>();
  /** By model: what the store still wants and this node went back from. */
  readonly #givenUp = new Map<string, readonly RolloutState[]>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LiveRolloutsOptions) {
    this.#options = options;
  }

  /** What becomes of the traffic, at the step where this node stands. What was rolled back here stays so. */
  begin(deployment: Deployment, loaded: LoadedVersions): Course {
    const { model } = deployment;
    const { memory, rolling } = this.#options;
    const readyBps = rolling.readyBps.bind(rolling);
    const course = courseOf(deployment, loaded, { memory, readyBps });
    if (course.split !== undefined) this.#deployments.set(course.split, deployment);
    this.#givenUp.set(
      model,
      course.rolledBack.map((id) => givenUp(deployment, id)),
    );
    return course;
  }

  /** The split without a candidate; undefined when none is left. */
  without(split: ModelSplit, rolloutId: string): ModelSplit | undefined {
    const left = split.without(rolloutId);
    const deployment = this.#deployments.get(split);
    if (left !== undefined && deployment !== undefined) this.#deployments.set(left, deployment);
    return left;
  }

  /** The split of a model was replaced. One whose share changes keeps its evidence; one that ended lets it go. */
  changed(
    before: ModelSplit | undefined,
    after: ModelSplit | undefined,
    live: ModelGeneration | undefined,
  ): void {
    const [armsBefore, arms] = [before?.arms ?? [], after?.arms ?? []];
    for (const arm of armsBefore) {
      if (arms.some((next) => isSameStage(arm, next))) continue;
      for (const next of arms) this.#passOn(arm, next);
      this.#end(arm, { arms, armsBefore, live, deployment: before && this.#deployments.get(before) });
    }
    const deployment = after && this.#deployments.get(after);
    for (const arm of arms) {
      const known = armsBefore.find(({ rolloutId }) => rolloutId === arm.rolloutId);
      if (deployment !== undefined) this.#follow(known, arm, deployment);
    }
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
        ...[...this.#givenUp.values()].flat(),
      ],
      decisions: this.#options.memory.decisions.toReversed(),
    };
  }

  readonly gauge: Gauge = {
    name: 'tidegate_rollout_traffic_percent',
    help: 'Share of the keys that the candidate of a rollout answers on this node.',
    read: () =>
      [...this.#rollouts.values()].map(({ arm: { rolloutId: rollout, stable, candidate, trafficBps } }) => ({
        labels: { model: stable.modelName, rollout, candidate: candidate.modelVersion },
        value: trafficBps / 100,
      })),
    acrossProcesses: 'average',
  };

  /** A version that was promoted is held against what the one before it did until then. */
  #passOn(before: ModelArm, after: ModelArm): void {
    const { memory } = this.#options;
    const isSamePair = before.stable === after.stable && before.candidate === after.candidate;
    if (!isSamePair || after.stage !== 'promoted') return;
    if (memory.flipOf(after.rolloutId)?.reference !== undefined) return;
    const reference = this.#referenceOf(before);
    if (reference !== undefined) memory.setFlip(after.rolloutId, { sinceMs: Date.now(), reference });
  }

  #referenceOf({ rolloutId }: ModelArm): CallerCounts | undefined {
    return (
      this.#options.memory.flipOf(rolloutId)?.reference ?? this.#rollouts.get(rolloutId)?.watch.reference
    );
  }

  #end(before: ModelArm, { arms, armsBefore, live, deployment }: Ending): void {
    const { watches } = this.#options;
    const { rolloutId } = before;
    watches.delete(rolloutId);
    this.#options.counts.end(rolloutId);
    // One that this node went back from has left already, with its reason.
    const rollout = this.#rollouts.get(rolloutId);
    if (rollout === undefined) return;
    this.#rollouts.delete(rolloutId);
    // It goes on after its flip, which is told.
    if (arms.some((arm) => arm.rolloutId === rolloutId)) return;
    if (deployment?.watch !== undefined && this.#isKept(before, live)) return;
    const isNew = (arm: ModelArm): boolean => !armsBefore.some((known) => known.rolloutId === arm.rolloutId);
    const newcomer = arms.find(isNew);
    // What it came to until now.
    const { reason } = rollout.watch.opinion(Date.now());
    if (live === before.candidate)
      this.#decided(before, 'promoted', `${live.modelVersion} is the live version now; ${reason}`);
    else if (newcomer === undefined) this.#decided(before, 'ended', `the store says so; ${reason}`);
    else {
      const { modelVersion } = newcomer.candidate;
      this.#decided(before, 'superseded', `${modelVersion} is the candidate now; ${reason}`);
    }
  }

  /** The watch of a promoted version is over and it stays, which is told. */
  #isKept(before: ModelArm, live: ModelGeneration | undefined): boolean {
    const isComplete = this.#options.memory.flipOf(before.rolloutId)?.isComplete === true;
    return isComplete && live === before.candidate;
  }

  #follow(before: ModelArm | undefined, after: ModelArm, deployment: Deployment): void {
    const { watches, log } = this.#options;
    const { rolloutId, trafficBps, stable, candidate } = after;
    const known = this.#rollouts.get(rolloutId);
    if (known !== undefined) known.follow(deployment, after, Date.now());
    else {
      const rollout = this.#start(deployment, after);
      this.#rollouts.set(rolloutId, rollout);
      this.#options.counts.begin(rolloutId, rollout.watch);
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

  #start(deployment: Deployment, arm: ModelArm): Carried {
    const { memory, agreement, rollBack, moved } = this.#options;
    const { rolloutId, stable, candidate } = arm;
    if (!memory.decisions.some(({ rollout_id: id }) => id === rolloutId)) {
      const [one, other] = [candidate.modelVersion, stable.modelVersion];
      const isWatch = deployment.watch !== undefined;
      this.#decided(arm, 'began', isWatch ? `${one} is watched, ${other} is kept` : `${one} beside ${other}`);
    }
    const Kind = arm.stage === 'divided' ? LiveRollout : LiveFlip;
    return new Kind({
      deployment,
      arm,
      memory,
      agreement,
      onDecision: (decision, reason) => this.#decided(arm, decision, reason),
      rollBack: (current, reason) => {
        this.#rollouts.delete(rolloutId);
        rollBack(current);
        // Callers are safe by now; the disk may take its time.
        memory.add(rolloutId, reason);
        const others = this.#givenUp.get(stable.modelName) ?? [];
        this.#givenUp.set(stable.modelName, [...others, givenUp(deployment, rolloutId)]);
        this.#decided(current, 'rolled_back', reason);
        // The old version takes back the replicas that it gave up.
        if (deployment.plan?.limits !== undefined) moved(stable.modelName);
      },
      moved: () => {
        moved(stable.modelName);
      },
    });
  }

  #decided(
    { rolloutId, stable, candidate }: ModelArm,
    decision: RolloutDecision['decision'],
    reason: string,
  ): RolloutDecision {
    const { memory, log } = this.#options;
    const model = stable.modelName;
    const facts = { model, rollout: rolloutId, candidate: candidate.modelVersion, reason };
    if (decision === 'rolled_back') log.error(facts, messages[decision]);
    else log.info(facts, messages[decision]);
    const noted = { at: new Date().toISOString(), model, rollout_id: rolloutId, decision, reason };
    memory.note(noted);
    return noted;
  }

  #setTimer(): void {
    if (this.#rollouts.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#timer ??= setInterval(() => {
      const nowMs = Date.now();
      this.#options.agreement.exchange(this.#rollouts);
      for (const rollout of [...this.#rollouts.values()]) rollout.tick(nowMs);
    }, tickMs);
    this.#timer.unref();
  }
}

/** Whether what is counted goes on to count. */
function isSameStage(before: ModelArm, after: ModelArm): boolean {
  return before.rolloutId === after.rolloutId && before.stage === after.stage;
}

function givenUp(deployment: Deployment, rolloutId: string): RolloutState {
  const { model, version, previousVersion = '', candidate, strategy } = deployment;
  const arm = armsOf(deployment).find((each) => each.rolloutId === rolloutId) ?? candidate;
  const versions =
    arm === undefined
      ? { stable: previousVersion, candidate: version }
      : { stable: version, candidate: arm.version };
  return {
    model,
    rollout_id: rolloutId,
    strategy: strategy === 'all' ? 'promoted' : strategy,
    ...versions,
    phase: 'rolled_back',
    traffic_percent: 0,
  };
}
