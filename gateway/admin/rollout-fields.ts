/** The fields of a request that say how a rollout goes on: steps, further candidates, flips. */
import type { RolloutStep } from '../../registry-store/main.ts';
import type { PlanRequest } from '../../registry-store/lifecycle/plan-rollout.ts';
import { previewRequestsMax } from '../../registry-store/manifest/flip-plan.ts';
import { replicaLimitMax } from '../../registry-store/manifest/rollout-plan.ts';
import { RequestFields, fieldsOf } from './request-fields.ts';

/** A further candidate of a canary. */
export interface Other {
  readonly version: string;
  readonly trafficBps: number;
}

/** How a blue/green goes on; only what was given. */
export type FlipRequest = Pick<
  PlanRequest,
  'autoPromoteAfterMs' | 'previewRequestsMin' | 'watchMs' | 'mirrorBps'
>;

/** How many replicas a rolling may have more and fewer on its way; only what was given. */
export type LimitsRequest = Pick<PlanRequest, 'surge' | 'maxUnavailable'>;

/** What a time may be that a rollout waits. */
export const seconds: { readonly min: number; readonly max: number } = { min: 1, max: 30 * 86_400 };

/** `[{"percentage": 1, "hold_seconds": 600}, ...]`; a step without a hold waits for approval. */
export function readSteps(reader: RequestFields): readonly RolloutStep[] | undefined {
  const values = reader.listIfGiven('steps');
  return values?.map((value, index) => {
    const step = readStep(value);
    if (step !== undefined) return step;
    reader.reject(
      `steps[${index}]`,
      'is not {"percentage": 0.01 to 100 in steps of 0.01, "hold_seconds": whole seconds or left out}',
    );
    return { trafficBps: 0 };
  });
}

/** `[{"version": "3.0.0", "percentage": 10}, ...]` */
export function readOthers(reader: RequestFields): readonly Other[] | undefined {
  return reader.listIfGiven('others')?.map((value, index) => {
    const other = new RequestFields(fieldsOf(value) ?? new Map<string, unknown>(), ['version', 'percentage']);
    const [version, trafficBps] = [other.textIfGiven('version'), bpsOf(other)];
    if (other.problem === undefined && version !== undefined && trafficBps !== undefined) {
      return { version, trafficBps };
    }
    reader.reject(`others[${index}]`, 'is not {"version": text, "percentage": 0 to 100 in steps of 0.01}');
    return { version: '', trafficBps: 0 };
  });
}

function bpsOf(reader: RequestFields, field = 'percentage'): number | undefined {
  const percentage = reader.numberIfGiven(field);
  if (percentage === undefined) return undefined;
  const trafficBps = Math.round(percentage * 100);
  return Math.abs(trafficBps - percentage * 100) > 1e-6 ? undefined : trafficBps;
}

export function readFlip(reader: RequestFields): FlipRequest {
  const autoPromoteAfterMs = msOf(reader.wholeIfGiven('auto_promote_after_seconds', seconds));
  const previewRequestsMin = reader.wholeIfGiven('preview_requests_min', { min: 1, max: previewRequestsMax });
  const watchMs = msOf(reader.wholeIfGiven('watch_seconds', seconds));
  const mirrorBps = bpsOf(reader, 'mirror_percentage');
  if (mirrorBps === undefined && reader.has('mirror_percentage')) {
    reader.reject('mirror_percentage', 'is not 0.01 to 100 in steps of 0.01');
  }
  return {
    ...(autoPromoteAfterMs !== undefined && { autoPromoteAfterMs }),
    ...(previewRequestsMin !== undefined && { previewRequestsMin }),
    ...(watchMs !== undefined && { watchMs }),
    ...(mirrorBps !== undefined && { mirrorBps }),
  };
}

export function readLimits(reader: RequestFields): LimitsRequest {
  const surge = reader.wholeIfGiven('surge', { min: 0, max: replicaLimitMax });
  const maxUnavailable = reader.wholeIfGiven('max_unavailable', { min: 0, max: replicaLimitMax });
  return { ...(surge !== undefined && { surge }), ...(maxUnavailable !== undefined && { maxUnavailable }) };
}

export function msOf(wholeSeconds: number | undefined): number | undefined {
  return wholeSeconds === undefined ? undefined : wholeSeconds * 1000;
}

function readStep(value: unknown): RolloutStep | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  const reader = new RequestFields(fields, ['percentage', 'hold_seconds']);
  const trafficBps = bpsOf(reader);
  const holdSeconds = reader.wholeIfGiven('hold_seconds', seconds);
  if (reader.problem !== undefined || trafficBps === undefined) return undefined;
  return { trafficBps, ...(holdSeconds !== undefined && { holdMs: holdSeconds * 1000 }) };
}
