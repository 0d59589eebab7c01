/** What becomes of requests that carry no key while a rollout divides. */

/**
 * Where a request without a key goes while a rollout divides: `random` keeps the share right over requests but not over
 * callers, `stable` keeps them off the candidate. Never all of them to one bucket.
 */
export const missingKeyPolicies = ['random', 'stable'] as const;

export type MissingKeyPolicy = (typeof missingKeyPolicies)[number];
