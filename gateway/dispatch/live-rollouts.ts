/**
 * The rollouts that divide traffic right now, watched one by one. Which versions there are is the business of live models;
 * here is what begins, changes and ends with the split of one model.
 */
import type { Deployment } from '../../registry-store/main.ts';
import { TrafficSplit } from '../route/traffic-split.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ModelGeneration } from './model-generation.ts';
import { RolloutWatch } from './rollout-watch.ts';

export type ModelSplit = TrafficSplit<ModelGeneration>;

/**
 * Undefined when the deployment divides nothing. The id is made of the same things on every node and after every start,
 * so that all of them divide alike.
 */
export function splitOf(
  { model, strategy, trafficBps }: Deployment,
  live: ModelGeneration,
  candidate: ModelGeneration | undefined,
): ModelSplit | undefined {
  if (strategy !== 'canary' || candidate === undefined || trafficBps === undefined) return undefined;
  const rolloutId = `${model}:${live.modelVersion}:${candidate.modelVersion}:${candidate.sha256.slice(0, 12)}`;
  return new TrafficSplit({ rolloutId, stable: live, candidate, trafficBps });
}

export interface LiveRolloutsOptions {
  readonly watches: Map<string, RolloutWatch>;
  readonly log: Logger;
  /** The candidate is worse: told once for each rollout. */
  readonly rollBack: (split: ModelSplit, reason: string) => void;
}

export class LiveRollouts {
  readonly #options: LiveRolloutsOptions;

  constructor(options: LiveRolloutsOptions) {
    this.#options = options;
  }

  /** The split of a model was replaced. One whose share changes keeps its evidence; one that ended lets it go. */
  changed(before: ModelSplit | undefined, after: ModelSplit | undefined): void {
    const { watches, log } = this.#options;
    if (before !== undefined && before.rolloutId !== after?.rolloutId) {
      watches.delete(before.rolloutId);
      log.info({ model: before.stable.modelName, rollout: before.rolloutId }, 'rollout ended');
    }
    if (after === undefined) return;
    this.#watch(after);
    const { rolloutId: rollout, trafficBps, stable, candidate } = after;
    if (before?.rolloutId === rollout && before.trafficBps === trafficBps) return;
    log.info(
      { model: stable.modelName, rollout, candidate: candidate.modelVersion, percent: trafficBps / 100 },
      'traffic divided',
    );
  }

  #watch(split: ModelSplit): void {
    const { watches, rollBack } = this.#options;
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
      },
    };
    watches.set(rolloutId, new RolloutWatch(options));
  }
}
