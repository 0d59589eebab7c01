/** Who gets a copy of some requests of a model, as the door sees it; what it does with them is the business of gateway/live. */
import type { InferRequest } from '../wire/infer-request.ts';
import type { ReplySink } from './request-queue.ts';
import type { Trial } from './trial.ts';

export interface RequestMirror {
  /** Whether the requests of this key are copied. */
  takes(key: string | undefined): boolean;
  /**
   * Listens to the sink of a request that is about to be queued. `copy` then hands the request over; it is called only when
   * the live version took it. `trial`, where the candidate is judged by it, is told what became of the copy.
   */
  pair(sink: ReplySink): {
    readonly sink: ReplySink;
    readonly copy: (request: InferRequest, trial?: Trial) => void;
  };
}
