/**
 * What the processes of one node agree on about rollouts: each judges by what all of them counted, and one of them decides
 * when a rollout goes on or flips, which the others follow. Going back needs no agreement: whoever sees reason
 * to does so at once, and the others after it. A gateway that is the whole node agrees with itself.
 */
import type { Siblings, SharedCounts, SharedStep } from '../../gateway-options.ts';
import { type OthersCounted, readShared } from '../../rollout/shared-counts.ts';
import type { RolloutWatch } from './rollout-watch.ts';

type Watch = Pick<RolloutWatch, 'sharedAs' | 'setOthers'>;

export class NodeAgreement {
  readonly #siblings: Siblings | undefined;
  #isLeading: boolean;
  #others: ReadonlyMap<string, OthersCounted> = new Map();

  constructor(siblings: Siblings | undefined) {
    this.#siblings = siblings;
    // Of several, nobody decides before it is told to: two that do would each go on by a clock of its own.
    this.#isLeading = siblings === undefined;
  }

  get isLeading(): boolean {
    return this.#isLeading;
  }

  get processes(): number {
    return this.#siblings?.processes ?? 1;
  }

  lead(isLeading: boolean): void {
    this.#isLeading = isLeading;
  }

  countedByOthers(rollouts: readonly SharedCounts[]): void {
    this.#others = new Map(rollouts.map((shared) => [shared.rolloutId, readShared(shared)]));
  }

  /** Tells the others what was counted here, and the watches, by rollout, what they counted. */
  exchange(watches: ReadonlyMap<string, { readonly watch: Watch }>): void {
    if (this.#siblings === undefined || watches.size === 0) return;
    const rollouts = [...watches].map(([rolloutId, { watch }]) => {
      watch.setOthers(this.#others.get(rolloutId));
      return watch.sharedAs(rolloutId);
    });
    this.#siblings.counted(rollouts);
  }

  wentOn(step: SharedStep): void {
    this.#siblings?.wentOn(step);
  }
}
