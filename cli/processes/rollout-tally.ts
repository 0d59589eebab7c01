/**
 * What the processes of a node counted of its rollouts, for each of them what the others did. By number (slot) of the
 * process and not by process: a new one with the number of one that ended goes on from its counts on the disk, so adding those
 * of both would count twice.
 */
import {
  mergeShared,
  type OthersCounted,
  readShared,
  type SharedCounts,
  sharedJson,
} from '../../gateway/rollout/shared-counts.ts';

export class RolloutTally {
  readonly #bySlot = new Map<number, ReadonlyMap<string, OthersCounted>>();

  /** All that the process with this number counted, each time. */
  said(slot: number, rollouts: readonly SharedCounts[]): void {
    this.#bySlot.set(slot, new Map(rollouts.map((shared) => [shared.rolloutId, readShared(shared)])));
  }

  /** What the others counted of the same rollouts; those that nobody else counted are left out. */
  besides(slot: number): readonly SharedCounts[] {
    return [...(this.#bySlot.get(slot)?.keys() ?? [])].flatMap((rolloutId) => {
      const others = [...this.#bySlot].flatMap(([other, rollouts]) => {
        const counted = other === slot ? undefined : rollouts.get(rolloutId);
        return counted === undefined ? [] : [counted];
      });
      const [first, ...rest] = others;
      if (first === undefined) return [];
      const together = rest.reduce((one, counted) => mergeShared(one, counted), first);
      return [sharedJson(rolloutId, together)];
    });
  }
}
