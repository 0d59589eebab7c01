/**
 * Every file that a store folder may contain, told from its path alone. What is not named here is refused by name:
 * a store that is carried around on disks has no place for a file that nobody signed.
 *
 *     metadata/timestamp.json
 *     metadata/<version>.<role>.json
 *     targets/<folder>/<sha256>.<file>      the target <folder>/<file>
 */

/** The publisher's bench: its lock and files not yet in place. Readers never open anything in it. */
export const benchFolder = '.publisher';

export type StoreFile =
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'metadata'; readonly role: string; readonly version: number }
  | { readonly kind: 'target'; readonly targetPath: string; readonly sha256: string };

export const timestampFile = 'metadata/timestamp.json';

/** Bytes a metadata file may have: what tuf-js allows each role. */
export const metadataBytesMax = {
  root: 512_000,
  timestamp: 16_384,
  snapshot: 2_000_000,
  targets: 5_000_000,
} as const;

export function bytesMaxOf(role: string): number {
  if (role === 'root' || role === 'timestamp' || role === 'snapshot') return metadataBytesMax[role];
  return metadataBytesMax.targets;
}

export function metadataFile(role: string, version: number): string {
  return role === 'timestamp' ? timestampFile : `metadata/${version}.${role}.json`;
}

export function targetFile(target: { readonly path: string; readonly sha256: string }): string {
  const slash = target.path.lastIndexOf('/') + 1;
  return `targets/${target.path.slice(0, slash)}${target.sha256}.${target.path.slice(slash)}`;
}

/** What a file is by its path relative to the store folder, or undefined when it has no business there. */
export function classifyStoreFile(path: string): StoreFile | undefined {
  if (path === timestampFile) return { kind: 'timestamp' };
  const metadata = /^metadata\/([1-9]\d{0,8})\.([a-z][a-z0-9-]*)\.json$/.exec(path);
  if (metadata?.[1] !== undefined && metadata[2] !== undefined && metadata[2] !== 'timestamp') {
    return { kind: 'metadata', version: Number(metadata[1]), role: metadata[2] };
  }
  const target = /^targets\/((?:[^/]+\/)*)([0-9a-f]{64})\.([^/]+)$/.exec(path);
  if (target?.[1] !== undefined && target[2] !== undefined && target[3] !== undefined) {
    return { kind: 'target', targetPath: target[1] + target[3], sha256: target[2] };
  }
  return undefined;
}
