/**
 * What a node remembers between runs, as the one small file that decides what it may accept again. If that file cannot
 * be read the node refuses to start: guessing here would be the hole that a rollback comes through.
 */
import { FieldReader, type Parsed } from '../manifest/field-reader.ts';
import { sha256Rule } from '../manifest/deployment-manifest.ts';
import { type VersionFloor, floorJson, readFloor } from './version-floor.ts';

export interface TrustMemory {
  readonly floor: VersionFloor;
  /** The latest time at which a refresh succeeded, milliseconds since 1970: a clock set back does not unfreeze. */
  readonly latestMs: number;
  /** Digest of the pinned root the memory belongs to. */
  readonly pinnedSha256: string;
  /** Folder that holds the metadata accepted last. */
  readonly generation: string;
}

const memorySchema = 1;

export function trustMemoryJson(memory: TrustMemory): Readonly<Record<string, unknown>> {
  return {
    schema: memorySchema,
    floor: floorJson(memory.floor),
    latest_ms: memory.latestMs,
    pinned_sha256: memory.pinnedSha256,
    generation: memory.generation,
  };
}

export function parseTrustMemory(json: unknown): Parsed<TrustMemory> {
  const reader = new FieldReader(json, 'the memory of accepted versions');
  reader.integer('schema', { min: memorySchema, max: memorySchema });
  return reader.finish({
    floor: readFloor(reader.record('floor')),
    latestMs: reader.integer('latest_ms', { min: 0, max: Number.MAX_SAFE_INTEGER }),
    pinnedSha256: reader.text('pinned_sha256', sha256Rule),
    generation: reader.text('generation', { lengthMax: 64, pattern: /^accepted-[a-z0-9-]+$/ }),
  });
}
