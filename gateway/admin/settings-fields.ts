/**
 * The fields of a request that say how a model is batched and its answers kept: objects as in the signed manifest, read by
 * the same rules. A field that nobody knows is refused here, because a manifest may have ones that come later.
 */
import {
  batchingFields,
  type DeploymentBatching,
  readBatching,
} from '../../registry-store/manifest/batching.ts';
import { cacheFields, type DeploymentCache, readCache } from '../../registry-store/manifest/cache.ts';
import { FieldReader } from '../../registry-store/manifest/field-reader.ts';
import type { RequestFields } from './request-fields.ts';

export const settingsFields = ['batching', 'cache'] as const;

export interface SettingsRequest {
  readonly batching?: DeploymentBatching;
  readonly cache?: DeploymentCache;
}

export function readSettings(reader: RequestFields): SettingsRequest {
  return {
    ...(reader.has('batching') && {
      batching: readObject(reader, 'batching', { known: batchingFields, read: readBatching }),
    }),
    ...(reader.has('cache') && {
      cache: readObject(reader, 'cache', { known: cacheFields, read: readCache }),
    }),
  };
}

function readObject<Value>(
  reader: RequestFields,
  field: string,
  { known, read }: { readonly known: readonly string[]; readonly read: (fields: FieldReader) => Value },
): Value {
  const given = reader.objectIfGiven(field) ?? new Map<string, unknown>();
  const unknown = [...given.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) reader.reject(field, `has no ${unknown}; there are ${known.join(', ')}`);
  const fields = new FieldReader(Object.fromEntries(given), 'it');
  const value = read(fields);
  if (fields.problem !== undefined) reader.reject(field, `cannot be used: ${fields.problem}`);
  return value;
}
