/**
 * What a node remembers between runs, as the one small file that decides what it may accept again. It carries a digest
 * of itself, because a disk that loses power may leave a file that is well formed and wrong. If it cannot be read the
 * node refuses to start: guessing here would be the hole that a rollback comes through.
 */
import { FieldReader, type Parsed, type TextRule } from '../manifest/field-reader.ts';
import { sha256Rule } from '../manifest/deployment-manifest.ts';
import { sha256Of } from './artifact-digest.ts';
import { canonicalJson, parseCanonicalJson } from './canonical-json.ts';
import { type VersionFloor, floorJson, readFloor } from './version-floor.ts';

export interface TrustMemory {
  /** Counts what was written, so that of two copies the later one is known. */
  readonly sequence: number;
  readonly floor: VersionFloor;
  /** The latest time at which a refresh succeeded, milliseconds since 1970: a clock set back does not unfreeze. */
  readonly latestMs: number;
  /** Digest of the pinned root the memory belongs to. */
  readonly pinnedSha256: string;
  /** The files accepted last, by path in the store, each with its digest. */
  readonly kept: ReadonlyMap<string, string>;
}

const memorySchema = 2;
/** One for each role, the roots that led to the current one, and the manifest. */
const keptMax = 30_000;
const keptPathRule: TextRule = { lengthMax: 300, pattern: /^(?:metadata|targets)\/[a-zA-Z0-9._+/-]+$/ };

/** Undefined when something in it has no canonical form. */
export function spellTrustMemory(memory: TrustMemory): Uint8Array | undefined {
  const content = {
    schema: memorySchema,
    sequence: memory.sequence,
    floor: floorJson(memory.floor),
    latest_ms: memory.latestMs,
    pinned_sha256: memory.pinnedSha256,
    kept: Object.fromEntries(memory.kept),
  };
  const bytes = canonicalJson(content);
  return bytes && canonicalJson({ memory: content, sha256: sha256Of(bytes) });
}

export function parseTrustMemory(bytes: Uint8Array): Parsed<TrustMemory> {
  const json = parseCanonicalJson(bytes, 'the memory of accepted versions');
  if (!json.ok) return json;
  const outer = new FieldReader(json.value, 'the memory of accepted versions');
  const reader = outer.record('memory');
  const memory: TrustMemory = {
    sequence: reader.integer('sequence', { min: 1, max: Number.MAX_SAFE_INTEGER }),
    floor: readFloor(reader.record('floor')),
    latestMs: reader.integer('latest_ms', { min: 0, max: Number.MAX_SAFE_INTEGER }),
    pinnedSha256: reader.text('pinned_sha256', sha256Rule),
    kept: readKept(reader.record('kept')),
  };
  reader.integer('schema', { min: memorySchema, max: memorySchema });
  const sha256 = outer.text('sha256', sha256Rule);
  if (outer.problem === undefined && sha256 !== digestOfMemory(json.value))
    outer.reject('is not what was written');
  return outer.finish(memory);
}

function readKept(reader: FieldReader): ReadonlyMap<string, string> {
  const paths = reader.entries({ countMax: keptMax, key: keptPathRule });
  return new Map(paths.map(([path]) => [path, reader.text(path, sha256Rule)]));
}

function digestOfMemory(json: unknown): string | undefined {
  const bytes = canonicalJson((json as { readonly memory: unknown }).memory);
  return bytes && sha256Of(bytes);
}
