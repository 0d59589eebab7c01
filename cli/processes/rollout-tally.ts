/**
 * What the processes of a node counted of its rollouts, for each of them what the others did. By number (slot) of the
 * process and not by process: a new one with the number of one that ended goes on from its counts on the disk, so adding those
 * of both would count twice.
 */
import type { SharedCounts } from '../../gateway/gateway-options.ts';
import { countsJson, readCounts } from '../../gateway/rollout/judge-counts.ts';
import { type JudgeSnapshot, mergeSnapshots } from '../../gateway/rollout/judge-snapshot.ts';

export class RolloutTally {
  readonly #bySlot = new Map<number, ReadonlyMap<string, JudgeSnapshot>>();

  /** All that the process with this number counted, each time. */
  said(slot: number, rollouts: readonly SharedCounts[]): void {
    this.#bySlot.set(
      slot,
      new Map(
        rollouts.flatMap(({ rolloutId, counts }) => {
          const snapshot = readCounts(counts);
          return snapshot === undefined ? [] : [[rolloutId, snapshot] as const];
        }),
      ),
    );
  }

  /** What the others counted of the same rollouts; those that nobody else counted are left out. */
  besides(slot: number): readonly SharedCounts[] {
    return [...(this.#bySlot.get(slot)?.keys() ?? [])].flatMap((rolloutId) => {
      const others = [...this.#bySlot].flatMap(([other, rollouts]) => {
        const snapshot = other === slot ? undefined : rollouts.get(rolloutId);
        return snapshot === undefined ? [] : [snapshot];
      });
      const [first, ...rest] = others;
      if (first === undefined) return [];
      const together = rest.reduce((one, snapshot) => mergeSnapshots(one, snapshot), first);
      return [{ rolloutId, counts: countsJson(together) }];
    });
  }
}
