/** What becomes of requests that carry no key while a rollout divides. */
import { fail, type WireError } from '../wire/error-code.ts';
import { type KeySource, sourceText } from './routing-key.ts';

/**
 * Where a request without a key goes while a rollout divides: `random` keeps the share right over requests but not over
 * callers, `stable` keeps them off the candidate, `reject` refuses them. Never all of them to one bucket.
 */
export const missingKeyPolicies = ['random', 'stable', 'reject'] as const;

export type MissingKeyPolicy = (typeof missingKeyPolicies)[number];

/** The refusal under `reject`: where a key is looked for, so that the caller knows what to send. */
export function missingKeyRefusal(sources: readonly KeySource[]): WireError {
  const places = sources.map(sourceText).join(', ');
  return fail(
    'MISSING_ROUTING_KEY',
    `A rollout divides the callers of this model by a key, and this request has none. Send one as ${places}; in a frame of a WebSocket as its routing_key.`,
  );
}
