/** Why a lane lost its thread. */

/**
 * `ended`: on its own. `hung`: a run or load took longer than it may. `out_of_memory`: the runtime had no room for a run,
 * and never gives back what it took. `nonsense`: its answer cannot be true.
 */
export type LossCause = 'ended' | 'hung' | 'out_of_memory' | 'nonsense';

export interface LaneLoss {
  readonly cause: LossCause;
  /** For the log, not for clients. */
  readonly detail: string;
  /** What it ran at that moment. */
  readonly session: number | undefined;
}
