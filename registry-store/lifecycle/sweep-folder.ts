/**
 * Goes over a whole folder and removes what no reader needs: superseded metadata, what an interrupted change left,
 * files that only those list, drafts. A file that some kept metadata lists stays whatever happens, and one that is no
 * part of any store is never touched.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isStoreError, systemCode } from '../store-error.ts';
import type { FolderSource } from '../storage/folder-source.ts';
import type { VerifiedMetadata } from '../storage/verified-metadata.ts';
import { signedBytes } from '../storage/verified-metadata.ts';
import { parseTargets } from '../trust/signed-content.ts';
import { benchFolder, bytesMaxOf, classifyStoreFile, targetFile } from '../trust/store-file.ts';
import { supersededMax } from './retire-superseded.ts';

export interface SweepOptions {
  readonly metadata: VerifiedMetadata;
  /** Default 8. */
  readonly keepSuperseded?: number;
  readonly dryRun?: boolean;
}

export interface SweepReport {
  readonly removed: readonly { readonly path: string; readonly bytes: number }[];
  readonly keptFiles: number;
  /** Not part of a store; a person has to look at them. */
  readonly unknown: readonly string[];
}

/** Locks and what is needed to take one belong to living publishers; these are too old for that. */
const benchAgeMs = 10 * 60_000;

/** For the holder of the publisher's lock only. A crash in the middle leaves a folder that still verifies. */
export async function sweepFolder(source: FolderSource, options: SweepOptions): Promise<SweepReport> {
  const listing = await source.list();
  const plan = await planSweep(source, { ...options, listing });
  const bench = await staleOnBench(source.folder);
  const removed: { readonly path: string; readonly bytes: number }[] = [];
  for (const path of [...bench, ...plan.targets, ...plan.metadata]) {
    const full = join(source.folder, path);
    const bytes = await stat(full).then(({ size }) => size, ignoreMissing);
    if (bytes === undefined) continue;
    if (options.dryRun !== true) await rm(full, { recursive: true, force: true });
    removed.push({ path, bytes });
  }
  return {
    removed,
    keptFiles: listing.length - plan.targets.length - plan.metadata.length,
    unknown: plan.unknown,
  };
}

interface Plan {
  /** Before the metadata that lists them: the other way round a crash would leave files that nothing lists. */
  readonly targets: readonly string[];
  readonly metadata: readonly string[];
  readonly unknown: readonly string[];
}

async function planSweep(
  source: FolderSource,
  options: SweepOptions & { readonly listing: readonly string[] },
): Promise<Plan> {
  const { metadata, listing } = options;
  const kept = new Set([...metadata.targets.values()].map(targetFile));
  for (const { targets } of metadata.listedBy.values()) {
    for (const target of targets.values()) kept.add(targetFile(target));
  }
  const targets: string[] = [];
  const retired: string[] = [];
  const unknown: string[] = [];
  for (const path of listing) {
    const file = classifyStoreFile(path);
    if (file === undefined) unknown.push(path);
    else if (file.kind === 'target') targets.push(path);
    else if (file.kind === 'metadata' && file.role !== 'root') {
      const listed = await keptListing(source, { ...file, path, options });
      if (listed === undefined) retired.push(path);
      else for (const target of listed) kept.add(target);
    }
  }
  return { targets: targets.filter((path) => !kept.has(path)), metadata: vouchedFirst(retired), unknown };
}

/**
 * What a metadata file that stays lists; undefined for one that goes: too old, never put in force, of a role that is no
 * more, or signed with keys that were replaced.
 */
async function keptListing(
  source: FolderSource,
  file: {
    readonly role: string;
    readonly version: number;
    readonly path: string;
    readonly options: SweepOptions;
  },
): Promise<ReadonlySet<string> | undefined> {
  const { role, version, path } = file;
  const { metadata, keepSuperseded = supersededMax } = file.options;
  const current = metadata.roles.get(role);
  if (current === undefined || version > current.version) return undefined;
  if (version === current.version) return new Set();
  if (version < current.version - keepSuperseded) return undefined;
  const bytes = await source.read(path, bytesMaxOf(role));
  if (bytes === undefined) return undefined;
  try {
    const signed = signedBytes(bytes, current.keys, path);
    if (role === 'snapshot') return new Set();
    const parsed = parseTargets(signed, path);
    return parsed.ok ? new Set([...parsed.value.targets.values()].map(targetFile)) : undefined;
  } catch (error) {
    if (isStoreError(error)) return undefined;
    throw error;
  }
}

/** Files before those that vouch for their signers, so that a sweep that is cut short leaves nothing unexplained. */
function vouchedFirst(paths: readonly string[]): readonly string[] {
  const rank = (path: string): number => {
    const file = classifyStoreFile(path);
    const role = file?.kind === 'metadata' ? file.role : '';
    return role === 'targets' ? 2 : role === 'models' ? 1 : 0;
  };
  return paths.toSorted((left, right) => rank(left) - rank(right));
}

/** Drafts of publishers that are gone. The lock stays, and so does what a publisher waiting for it needs. */
async function staleOnBench(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, benchFolder)).catch(ignoreMissing);
  const stale: string[] = [];
  for (const name of names ?? []) {
    if (name === 'lock' || name === 'unfinished') continue;
    const path = `${benchFolder}/${name}`;
    const madeMs = await stat(join(folder, path)).then(({ mtimeMs }) => mtimeMs, ignoreMissing);
    const isOld = madeMs !== undefined && Date.now() - madeMs > benchAgeMs;
    if (isOld || !name.startsWith('lock')) stale.push(path);
  }
  return stale;
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}
