/** What the dispatcher takes: a request that is ready to be queued, or room for one whose elements are still coming. */
import type { RowPlace } from '../../runtime/tensor/row-slabs.ts';
import type { AdmittedRequest } from '../admission/check-request.ts';
import type { Protocol } from '../telemetry/version-metrics.ts';
import type { RequestOptions } from '../wire/infer-request.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { ReplySink, RequestQueue } from './request-queue.ts';
import type { Trial } from './trial.ts';

export interface Submission {
  readonly generation: ModelGeneration;
  readonly protocol: Protocol;
  readonly request: AdmittedRequest;
  readonly id: string | number | undefined;
  readonly sink: ReplySink;
  /** What its outcome is evidence for, while a rollout is on. */
  readonly trial?: Trial | undefined;
  readonly options: RequestOptions | undefined;
  /** Who sent it, where callers are bound. */
  readonly caller?: string | undefined;
  /** Milliseconds after arrival by which its answer is due; undefined is what its model has for such requests. */
  readonly dueWithinMs: number | undefined;
}

/** Room in a batch slot for a request whose elements are written elsewhere; used once, by `enqueue` or `giveBack`. */
export interface Reservation {
  readonly queue: RequestQueue;
  readonly place: RowPlace;
}
