/**
 * The memory of a node on its own disk: the metadata accepted last, and the floor below which nothing is accepted
 * again.
 *
 *     <state>/memory.json, memory-copy.json   floor, latest time, and which files were accepted last
 *     <state>/kept/<sha256>                   those files: for the next comparison, and for starting offline
 *
 * Both copies of the memory are written on every acceptance, one after the other, and each carries its own digest. So a
 * power cut, or a sector gone bad, costs one copy and never the floor; only when both are damaged is the start refused.
 * A damaged file among those kept is noticed by its name, and costs the offline start but not the floor.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StoreError, refusal, systemCode } from '../store-error.ts';
import { sha256Of } from '../trust/artifact-digest.ts';
import { metadataFile, timestampFile } from '../trust/store-file.ts';
import { type TrustMemory, parseTrustMemory, spellTrustMemory } from '../trust/trust-memory.ts';
import type { VersionFloor } from '../trust/version-floor.ts';
import { flushFolder, writeDurably, writeFlushed } from './durable-file.ts';
import type { ChainOptions } from './metadata-chain.ts';

export interface AcceptedState {
  readonly floor: VersionFloor;
  /** Latest time at which a state was accepted, milliseconds; 0 on the first start. */
  readonly latestMs: number;
  readonly before: ChainOptions['before'];
  /** Digests of the files that were kept, by path in the store. */
  readonly kept: ReadonlyMap<string, string>;
}

export const nothingAccepted: AcceptedState = {
  floor: new Map(),
  latestMs: 0,
  before: undefined,
  kept: new Map(),
};

const memoryFiles = ['memory.json', 'memory-copy.json'] as const;
const keptFolder = 'kept';

/** What this node accepted before under this pinned root. */
export async function recallState(stateFolder: string, pinnedRoot: Uint8Array): Promise<AcceptedState> {
  const memory = await readMemory(stateFolder);
  if (memory === undefined) return nothingAccepted;
  const { floor, latestMs, kept } = memory;
  // The operator carried another root to this node. The floor still holds for every role that kept its keys.
  const isSamePin = memory.pinnedSha256 === sha256Of(pinnedRoot);
  if (!isSamePin) return { ...nothingAccepted, floor: withoutRoot(floor) };
  const snapshotFile = metadataFile('snapshot', versionIn(floor, 'snapshot'));
  const files = await readKept(stateFolder, new Map(pick(kept, [timestampFile, snapshotFile])));
  return { floor, latestMs, before: comparison(files, floor), kept };
}

/** The files accepted last, as many of them as are whole; a damaged one is removed, so that it is written anew. */
export async function readKept(
  stateFolder: string,
  kept: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [path, sha256] of kept) {
    const full = join(stateFolder, keptFolder, sha256);
    const bytes = await readFile(full).catch(() => undefined);
    if (bytes === undefined) continue;
    if (sha256Of(bytes) === sha256) files.set(path, new Uint8Array(bytes));
    else await rm(full, { force: true });
  }
  return files;
}

/** Makes this state the one to compare with from now on. When this returns it survives a power cut. */
export async function rememberState(
  stateFolder: string,
  accepted: {
    /** By path in the store: the metadata in force, and whatever else a start without the source needs. */
    readonly files: ReadonlyMap<string, Uint8Array>;
    readonly floor: VersionFloor;
    readonly pinnedRoot: Uint8Array;
    readonly nowMs: number;
  },
): Promise<AcceptedState> {
  const { files, floor, nowMs } = accepted;
  const kept = new Map([...files].map(([path, bytes]) => [path, sha256Of(bytes)]));
  try {
    await keepFiles(stateFolder, new Map([...files].map(([path, bytes]) => [kept.get(path) ?? '', bytes])));
    const sequence = ((await readMemory(stateFolder).catch(() => undefined))?.sequence ?? 0) + 1;
    const pinnedSha256 = sha256Of(accepted.pinnedRoot);
    const bytes = spellTrustMemory({ sequence, floor, latestMs: nowMs, pinnedSha256, kept });
    if (bytes === undefined) throw new Error('the memory has no canonical form');
    for (const name of memoryFiles) await writeDurably(join(stateFolder, name), bytes);
    await forgetOthers(stateFolder, new Set(kept.values()));
  } catch (error) {
    const why = (await whyNotMade(stateFolder, error)) ?? systemCode(error) ?? String(error);
    const message = `What was accepted cannot be remembered in ${stateFolder} (${why}); free space or permissions are needed there, otherwise a restart could be shown an old state.`;
    throw new StoreError('FILE_UNREADABLE', message, { cause: error });
  }
  return { floor, latestMs: nowMs, before: comparison(files, floor), kept };
}

/** Node says of a folder that cannot be made on a read-only file system that it is not there; what it would be made in says why. */
async function whyNotMade(folder: string, error: unknown): Promise<string | undefined> {
  if (systemCode(error) !== 'ENOENT') return undefined;
  let above = resolve(folder);
  while (!existsSync(above)) above = dirname(above);
  const code = await access(above, constants.W_OK).then(() => undefined, systemCode);
  return code === 'EROFS' ? 'EROFS, its file system is read-only' : code;
}

/** The later of the copies that are whole; undefined when there are none and never were. */
async function readMemory(stateFolder: string): Promise<TrustMemory | undefined> {
  let latest: TrustMemory | undefined;
  let problem: string | undefined;
  for (const name of memoryFiles) {
    const path = join(stateFolder, name);
    const memory = await readCopy(path);
    if (memory === undefined) continue;
    if (!memory.ok) problem ??= `${path} is damaged: ${memory.message}`;
    else if (memory.value.sequence > (latest?.sequence ?? 0)) latest = memory.value;
  }
  if (latest !== undefined || problem === undefined) return latest;
  throw refusal(
    'trusted-state',
    `${problem} So is its copy. Make sure that the store shows what it should, then remove ${stateFolder}; the node starts from its pinned root again.`,
  );
}

async function readCopy(path: string): Promise<ReturnType<typeof parseTrustMemory> | undefined> {
  try {
    return parseTrustMemory(await readFile(path));
  } catch (error) {
    const code = systemCode(error) ?? 'unknown';
    if (code === 'ENOENT') return undefined;
    // A sector that cannot be read is a damaged copy; a folder that may not be read is a mistake to be told about.
    if (code === 'EIO') return { ok: false, message: 'the disk cannot read it.' };
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${code}).`, { cause: error });
  }
}

/** Only what is not there yet is written: one changed model costs a few files, however many there are. */
async function keepFiles(stateFolder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const folder = join(stateFolder, keptFolder);
  await mkdir(folder, { recursive: true });
  const present = new Set(await readdir(folder));
  for (const [name, bytes] of files) {
    if (present.has(name)) continue;
    const draft = join(folder, `draft-${randomUUID()}`);
    await writeFlushed(draft, bytes);
    await rename(draft, join(folder, name));
  }
  // The names before the memory that refers to them; once for all, because a first state may have a thousand.
  await flushFolder(folder);
  await flushFolder(stateFolder);
}

async function forgetOthers(stateFolder: string, kept: ReadonlySet<string>): Promise<void> {
  const folder = join(stateFolder, keptFolder);
  for (const name of await readdir(folder)) {
    if (!kept.has(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

function comparison(files: ReadonlyMap<string, Uint8Array>, floor: VersionFloor): ChainOptions['before'] {
  const timestamp = files.get(timestampFile);
  const snapshot = files.get(metadataFile('snapshot', versionIn(floor, 'snapshot')));
  return timestamp === undefined || snapshot === undefined ? undefined : { timestamp, snapshot };
}

function* pick(
  table: ReadonlyMap<string, string>,
  keys: readonly string[],
): Generator<readonly [string, string]> {
  for (const key of keys) {
    const value = table.get(key);
    if (value !== undefined) yield [key, value];
  }
}

function versionIn(floor: VersionFloor, role: string): number {
  return floor.get(role)?.version ?? 0;
}

function withoutRoot(floor: VersionFloor): VersionFloor {
  return new Map([...floor].filter(([role]) => role !== 'root'));
}
