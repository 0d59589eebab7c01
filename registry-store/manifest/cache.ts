/**
 * Whether and how long gateways may keep answers of a model and give them again to the same question, signed with its
 * deployment. How much memory that may take, none at all included, is each gateway's own affair (docs/response-cache.md).
 */
import { FieldReader } from './field-reader.ts';

export interface DeploymentCache {
  /** Left out, as each gateway says. */
  readonly enabled?: boolean;
  /** How long an answer counts, milliseconds, up to 30 days; 0, as when it is left out, as long as there is room. */
  readonly ttlMs?: number;
}

export const cacheTtlMsMax: number = 30 * 24 * 3_600_000;

/** As they are called in the manifest. */
export const cacheFields = ['enabled', 'ttl_ms'] as const;

/** Problems go to the reader. */
export function readCache(reader: FieldReader): DeploymentCache {
  return {
    ...(reader.has('enabled') && { enabled: reader.boolean('enabled') }),
    ...(reader.has('ttl_ms') && { ttlMs: reader.integer('ttl_ms', { min: 0, max: cacheTtlMsMax }) }),
  };
}

/** `readCache` of it gives the same back. */
export function cacheJson({ enabled, ttlMs }: DeploymentCache): Readonly<Record<string, unknown>> {
  return { ...(enabled !== undefined && { enabled }), ...(ttlMs !== undefined && { ttl_ms: ttlMs }) };
}

/** Why this cannot be signed; undefined when it can. It is read as nodes will read it. */
export function cacheProblem(cache: DeploymentCache): string | undefined {
  const reader = new FieldReader(cacheJson(cache), 'what is said about the response cache');
  readCache(reader);
  return reader.problem;
}
