/**
 * How a blue/green goes from its preview to all traffic, signed as a whole: whether nodes may flip by themselves and what
 * they need to have seen, and how long they watch the new version afterwards. And the watch itself, as a promotion leaves
 * it behind on the deployment.
 */
import type { FieldReader, TextRule } from './field-reader.ts';
import { holdMsMax, holdMsMin } from './rollout-plan.ts';

export interface FlipPlan {
  /** A node flips by itself after so long in a preview that shows nothing wrong, milliseconds. Left out, `promote` flips. */
  readonly autoAfterMs?: number;
  /** Requests that the preview must have answered before, 1 to 1,000,000. */
  readonly previewRequestsMin: number;
  /** So long after the flip nodes watch the new version, and go back by themselves, milliseconds. Left out, they do not. */
  readonly watchMs?: number;
  /**
   * Share of the keys whose requests are copied to the preview, in hundredths of a percent, 1 to 10000; what becomes of them
   * counts like requests that name it. Left out, there are no copies.
   */
  readonly mirrorBps?: number;
}

/** A version that was promoted, and is watched beside the one before it. */
export interface PromotionWatch {
  /** Of the rollout that led to it: what nodes counted then is what they compare with. */
  readonly rolloutId: string;
  readonly watchMs: number;
}

export const previewRequestsMinDefault = 20;
export const previewRequestsMax = 1_000_000;
export const mirrorBpsMax = 10_000;
const times = { min: holdMsMin, max: holdMsMax };

export const rolloutIdRule: TextRule = { lengthMax: 200, pattern: /^[\x21-\x7e]+$/ };

/** Problems go to the reader. */
export function readFlipPlan(reader: FieldReader): FlipPlan {
  return {
    ...(reader.has('auto_after_ms') && { autoAfterMs: reader.integer('auto_after_ms', times) }),
    previewRequestsMin: reader.integer('preview_requests_min', { min: 1, max: previewRequestsMax }),
    ...(reader.has('watch_ms') && { watchMs: reader.integer('watch_ms', times) }),
    ...(reader.has('mirror_bps') && {
      mirrorBps: reader.integer('mirror_bps', { min: 1, max: mirrorBpsMax }),
    }),
  };
}

export function flipPlanJson(plan: FlipPlan): Readonly<Record<string, unknown>> {
  const { autoAfterMs, previewRequestsMin, watchMs, mirrorBps } = plan;
  return {
    ...(autoAfterMs !== undefined && { auto_after_ms: autoAfterMs }),
    preview_requests_min: previewRequestsMin,
    ...(watchMs !== undefined && { watch_ms: watchMs }),
    ...(mirrorBps !== undefined && { mirror_bps: mirrorBps }),
  };
}

/** Problems go to the reader. */
export function readWatch(reader: FieldReader): PromotionWatch {
  return {
    rolloutId: reader.text('rollout_id', rolloutIdRule),
    watchMs: reader.integer('watch_ms', times),
  };
}

export function watchJson({ rolloutId, watchMs }: PromotionWatch): Readonly<Record<string, unknown>> {
  return { rollout_id: rolloutId, watch_ms: watchMs };
}
