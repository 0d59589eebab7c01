/**
 * The rollouts of several gateways side by side, and the verdict on what all of them counted together. Pure. No gateway acts
 * on it, since none knows of the others: it is for a person, or a pipeline, that decides for the fleet.
 */
import { judgeReport } from '../../gateway/live/rollouts/judge-report.ts';
import type { RolloutReport, RolloutState } from '../../gateway/main.ts';
import { readCounts } from '../../gateway/rollout/judge-counts.ts';
import { type JudgeSnapshot, mergeSnapshots, totalsOf } from '../../gateway/rollout/judge-snapshot.ts';
import { readTerms } from '../../gateway/rollout/judge-terms.ts';
import { judgeSnapshot } from '../../gateway/rollout/judge-verdict.ts';

export interface NodeReport {
  /** Address of the gateway. */
  readonly node: string;
  readonly report: RolloutReport;
}

export interface FleetRollout {
  /** As each gateway that carries it out says, in the order they were given. */
  readonly states: readonly { readonly node: string; readonly state: RolloutState }[];
  readonly together: Together | undefined;
}

/** On the counts of all gateways that gave theirs; undefined where fewer than two did. */
export interface Together {
  /** How many gave theirs. */
  readonly nodes: number;
  readonly judge: NonNullable<RolloutState['judge']>;
}

export function fleetRollouts(reports: readonly NodeReport[], nowMs: number): readonly FleetRollout[] {
  const byId = new Map<string, { readonly node: string; readonly state: RolloutState }[]>();
  for (const { node, report } of reports) {
    for (const state of report.rollouts) {
      const states = byId.get(state.rollout_id) ?? [];
      states.push({ node, state });
      byId.set(state.rollout_id, states);
    }
  }
  return [...byId.values()].map((states) => ({ states, together: togetherOf(states, nowMs) }));
}

function togetherOf(states: FleetRollout['states'], nowMs: number): Together | undefined {
  const evidence = states.flatMap(({ state: { judge } }) => {
    const counts = readCounts(judge?.evidence?.counts);
    return counts === undefined ? [] : [{ counts, terms: readTerms(judge?.evidence?.terms) }];
  });
  const terms = evidence[0]?.terms;
  if (evidence.length < 2 || terms === undefined) return undefined;
  const counts = evidence
    .map((each) => each.counts)
    .reduce((one: JudgeSnapshot, other) => mergeSnapshots(one, other));
  return {
    nodes: evidence.length,
    judge: judgeReport(judgeSnapshot(counts, terms, nowMs), totalsOf(counts)),
  };
}
