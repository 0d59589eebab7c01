/** What the supervisor of a node and its processes say to each other. Plain data, told apart by `kind`. */
import type { SharedCounts, SharedStep } from '../../gateway/gateway-options.ts';
import type { MetricList } from '../../gateway/telemetry/merged-metrics.ts';

export type ToProcess =
  /** Finish what is in flight and end. */
  | { readonly kind: 'stop' }
  /** The same while others serve on: nobody is refused, clients are sent to the others. */
  | { readonly kind: 'retire' }
  /** The answer to `others`. */
  | { readonly kind: 'others'; readonly ticket: number; readonly lists: readonly MetricList[] }
  /** Answer with `own`. */
  | { readonly kind: 'ask'; readonly ticket: number }
  /** Another process went back from this rollout. */
  | { readonly kind: 'goBack'; readonly rolloutId: string; readonly reason: string }
  /** The answer to `counted`. */
  | { readonly kind: 'othersCounted'; readonly rollouts: readonly SharedCounts[] }
  /** Whether this process decides when a rollout goes on. */
  | { readonly kind: 'lead'; readonly isLeading: boolean }
  /** The one that decides went on with a rollout. */
  | { readonly kind: 'follow'; readonly step: SharedStep };

export type FromProcess =
  /** It lives; said every `beatMs`. */
  | { readonly kind: 'beat' }
  /** It serves. `isWhole`: every deployment; `welcome` is for a person. */
  | { readonly kind: 'ready'; readonly isWhole: boolean; readonly welcome: string }
  /** What do the others count? And what this one does, which is to be kept should it be killed. */
  | { readonly kind: 'others'; readonly ticket: number; readonly own: MetricList }
  | { readonly kind: 'own'; readonly ticket: number; readonly list: MetricList }
  /** It is about to end; what it counted should not be lost. */
  | { readonly kind: 'last'; readonly list: MetricList }
  | { readonly kind: 'rolledBack'; readonly rolloutId: string; readonly reason: string }
  /** What it counted of its rollouts, all of it each time; what did the others? */
  | { readonly kind: 'counted'; readonly rollouts: readonly SharedCounts[] }
  | { readonly kind: 'wentOn'; readonly step: SharedStep };

/** How often a process says that it lives, milliseconds; much less than the smallest `processSilentMsMax`. */
export const beatMs = 250;

/** How a process learns, before anything is said, that it is one of several. */
export const processVariables = {
  /** Its number, from 0. */
  slot: 'TIDEGATE_PROCESS_SLOT',
  port: 'TIDEGATE_PROCESS_PORT',
  /** How many there are to be. */
  count: 'TIDEGATE_PROCESS_COUNT',
} as const;
