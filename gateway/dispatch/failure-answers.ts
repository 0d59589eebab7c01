/**
 * What a caller is told when its request cannot be taken or run. The reasons themselves are for the log.
 */
import type { CallerLack } from '../admission/caller-shares.ts';
import type { FailureCause } from '../batch/batcher.ts';
import { fail, type WireError } from '../wire/error-code.ts';

export interface RunFailure {
  readonly cause: FailureCause;
  /** For the log, not for clients. */
  readonly detail: string;
}

export const internalFault: WireError = fail(
  'INTERNAL',
  'The gateway failed on this request. The log has the details.',
);

export const queueFull: WireError = fail(
  'QUEUE_FULL',
  'Too much work is waiting. Send the request again later, or send fewer at a time.',
);

export const cancelled: WireError = fail('CANCELLED', 'The request was cancelled before it was run.');

export const deadlineExceeded: WireError = fail(
  'DEADLINE_EXCEEDED',
  'The request could not be answered by its deadline and was not run. Allow it more time, or send it again later.',
);

export const overloaded: WireError = fail(
  'OVERLOADED',
  'With the work that waits the request would not be answered by its deadline, so it was not taken. Send it again later, or elsewhere.',
);

export const callerLimits: Readonly<Record<CallerLack, WireError>> = {
  rows: fail(
    'CALLER_LIMIT',
    'This caller has as many rows waiting here as one caller may have (callerRowsMax). Wait for answers before sending more.',
  ),
  bytes: fail(
    'CALLER_LIMIT',
    'The requests of this caller that wait here or still arrive have as many bytes as those of one caller may have (callerBytesMax). ' +
      'Wait for answers before sending more, or send smaller requests.',
  ),
};

/** For requests to a version that is not run for now; `lengthMs` is how long that lasts from its beginning. */
export function modelQuarantined(lengthMs: number): WireError {
  return fail(
    'MODEL_QUARANTINED',
    `This version made too many threads end and is not run for ${Math.round(lengthMs / 1000)} seconds. Send the request again later, or deploy another version.`,
  );
}

/** For a request that failed for good: alone, or with its thread for the second time. */
export function failureAnswer(cause: FailureCause): WireError {
  switch (cause) {
    case 'model':
      return fail(
        'MODEL_FAILED',
        'The model could not compute an answer for this input. Check the values and shapes sent.',
      );
    case 'worker':
      return fail(
        'WORKER_LOST',
        'The thread that ran this request ended before it answered. Send the request again.',
      );
  }
}

/** For a request to a model that is not in memory and will not be for `afterMs` yet. */
export function modelCold(afterMs: number): WireError {
  const cold = fail(
    'MODEL_COLD',
    'The model is not in memory, and will not be soon enough for this request. It is loaded as soon as there is room: send the request again later.',
  );
  return { ...cold, retryAfterMs: Math.max(0, afterMs) };
}

/** For a request to a model that could not be brought into memory. */
export const modelNotReady: WireError = fail(
  'MODEL_NOT_READY',
  'The model could not be loaded here. Try again shortly, or deploy another version; the log of the gateway says why.',
);
