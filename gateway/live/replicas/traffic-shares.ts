/** Which part of a model's requests each of its versions gets, as its traffic is divided. */
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import type { ModelSplit } from '../rollouts/live-rollout.ts';

export interface Carriers {
  /** Takes what is not divided. */
  readonly live: ModelGeneration;
  readonly split?: ModelSplit;
}

const bpsAll = 10_000;

/** From 0 to 1, together 1; a version that waits beside the others is there with 0. */
export function trafficShares({ live, split }: Carriers): ReadonlyMap<ModelGeneration, number> {
  const shares = new Map<ModelGeneration, number>();
  let leftBps = bpsAll;
  for (const { candidate, trafficBps } of split?.arms ?? []) {
    shares.set(candidate, trafficBps / bpsAll);
    leftBps -= trafficBps;
  }
  const stable = split?.arms[0]?.stable ?? live;
  shares.set(stable, (shares.get(stable) ?? 0) + Math.max(0, leftBps) / bpsAll);
  return shares;
}
