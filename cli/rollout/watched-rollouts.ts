/**
 * What a watcher knows: the last report, and what became of the rollouts that were in an earlier one. A gateway tells of a
 * rollout while it is on; that it ended, and how, is only in the decisions. Pure: report after report goes in.
 */
import type { RolloutDecision, RolloutReport, RolloutState } from '../../gateway/main.ts';

/** `gone`: not on any more, and the gateway does not say why. */
export type Fate = 'completed' | 'rolled_back' | 'superseded' | 'ended' | 'gone';

export interface EndedRollout {
  /** As it was last seen. */
  readonly state: RolloutState;
  readonly fate: Fate;
  readonly reason: string;
}

export interface Watched {
  readonly report: RolloutReport;
  /** Ended while they were watched, the last one first. */
  readonly ended: readonly EndedRollout[];
  /** Those of the first report that had any: what `--until-done` waits for. */
  readonly awaited: readonly RolloutState[];
}

export const nothingWatched: Watched = { report: { rollouts: [], decisions: [] }, ended: [], awaited: [] };

/** A watcher may run for weeks; beside what is waited for, only the last ones are remembered. */
const endedMax = 20;

export function watchOn({ report: before, ended, awaited }: Watched, report: RolloutReport): Watched {
  const isOn = new Set(report.rollouts.map(({ rollout_id: id }) => id));
  const left = before.rollouts.filter(({ rollout_id: id }) => !isOn.has(id));
  const stillEnded = ended.filter(({ state }) => !isOn.has(state.rollout_id));
  const isAwaited = new Set(awaited.map(({ rollout_id: id }) => id));
  return {
    report,
    ended: [...left.map((state) => endOf(state, report.decisions)), ...stillEnded].filter(
      ({ state }, index) => index < endedMax || isAwaited.has(state.rollout_id),
    ),
    awaited: awaited.length === 0 ? report.rollouts : awaited,
  };
}

/** What became of all that is waited for; undefined while one of them is on its way, or none has begun. */
export function doneRollouts({ report, ended, awaited }: Watched): readonly EndedRollout[] | undefined {
  if (awaited.length === 0) return undefined;
  const fates = awaited.flatMap(({ rollout_id: id }) => {
    const state = report.rollouts.find(({ rollout_id: other }) => other === id);
    if (state === undefined) return ended.filter((over) => over.state.rollout_id === id);
    return isOver(state) ? [endOf(state, report.decisions)] : [];
  });
  return fates.length === awaited.length ? fates : undefined;
}

/** Through its steps, or given up: nothing more is decided by the node. */
export function isOver({ phase }: RolloutState): boolean {
  return phase === 'complete' || phase === 'rolled_back';
}

const fates: ReadonlyMap<RolloutDecision['decision'], Fate> = new Map([
  ['completed', 'completed'],
  ['rolled_back', 'rolled_back'],
  // By a person, maybe before its last step: what it was for came about.
  ['promoted', 'completed'],
  // A promoted version whose watch is over.
  ['kept', 'completed'],
  ['superseded', 'superseded'],
  ['ended', 'ended'],
]);

function endOf(state: RolloutState, decisions: readonly RolloutDecision[]): EndedRollout {
  const ends = decisions.flatMap(({ rollout_id: id, decision, reason }) => {
    const fate = fates.get(decision);
    return id === state.rollout_id && fate !== undefined ? [{ fate, reason }] : [];
  });
  if (state.phase === 'rolled_back' || state.phase === 'complete') {
    const fate = state.phase === 'complete' ? 'completed' : 'rolled_back';
    const told = ends.find((end) => end.fate === fate)?.reason ?? state.judge?.reason;
    return { state, fate, reason: told ?? 'the node decided so before it was watched' };
  }
  return { state, ...(ends[0] ?? { fate: 'gone', reason: 'the gateway does not say why' }) };
}
