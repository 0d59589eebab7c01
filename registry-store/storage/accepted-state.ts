/**
 * The memory of a node on its own disk: the metadata accepted last, and the floor below which nothing is accepted again.
 * One folder per accepted state, put in place by a rename, and one small file that points at it and holds the floor.
 *
 *     <state>/memory.json            floor, latest time, which folder
 *     <state>/accepted-<n>-<id>/     the metadata files, for the next comparison and for reading offline
 *
 * A damaged folder costs nothing but the second opinion on rollback; a damaged memory.json refuses the start.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StoreError, refusal, systemCode } from '../store-error.ts';
import { sha256Of } from '../trust/artifact-digest.ts';
import { canonicalJson, parseCanonicalJson } from '../trust/canonical-json.ts';
import { metadataFile, timestampFile } from '../trust/store-file.ts';
import { type TrustMemory, parseTrustMemory, trustMemoryJson } from '../trust/trust-memory.ts';
import type { VersionFloor } from '../trust/version-floor.ts';
import { flushFolder, writeDurably, writeFlushed } from './durable-file.ts';
import type { ChainOptions } from './metadata-chain.ts';

export interface AcceptedState {
  readonly floor: VersionFloor;
  /** Latest time at which a state was accepted, milliseconds; 0 on the first start. */
  readonly latestMs: number;
  readonly before: ChainOptions['before'];
}

export const nothingAccepted: AcceptedState = { floor: new Map(), latestMs: 0, before: undefined };

const memoryFile = 'memory.json';

/** What this node accepted before under this pinned root. */
export async function recallState(stateFolder: string, pinnedRoot: Uint8Array): Promise<AcceptedState> {
  const memory = await readMemory(stateFolder);
  if (memory === undefined) return nothingAccepted;
  const { floor, latestMs, generation } = memory;
  // The operator carried another root to this node. The floor still holds for every role that kept its keys.
  const isSamePin = memory.pinnedSha256 === sha256Of(pinnedRoot);
  if (!isSamePin) return { floor: withoutRoot(floor), latestMs: 0, before: undefined };
  return { floor, latestMs, before: await readGeneration(join(stateFolder, generation), floor) };
}

/** Makes this state the one to compare with from now on. When this returns it survives a power cut. */
export async function rememberState(
  stateFolder: string,
  accepted: {
    readonly files: ReadonlyMap<string, Uint8Array>;
    readonly floor: VersionFloor;
    readonly pinnedRoot: Uint8Array;
    readonly nowMs: number;
  },
): Promise<AcceptedState> {
  const { files, floor, nowMs } = accepted;
  const generation = `accepted-${versionIn(floor, 'timestamp')}-${randomUUID().slice(0, 8)}`;
  try {
    await writeGeneration(join(stateFolder, generation), files);
    const memory = { floor, latestMs: nowMs, pinnedSha256: sha256Of(accepted.pinnedRoot), generation };
    const bytes = canonicalJson(trustMemoryJson(memory));
    if (bytes === undefined) throw new Error('the memory has no canonical form');
    await writeDurably(join(stateFolder, memoryFile), bytes);
    await forgetOthers(stateFolder, generation);
  } catch (error) {
    const message = `What was accepted cannot be remembered in ${stateFolder} (${systemCode(error) ?? String(error)}); free space or permissions are needed there, otherwise a restart could be shown an old state.`;
    throw new StoreError('FILE_UNREADABLE', message, { cause: error });
  }
  const timestamp = files.get(timestampFile);
  const snapshot = files.get(metadataFile('snapshot', versionIn(floor, 'snapshot')));
  const before = timestamp === undefined || snapshot === undefined ? undefined : { timestamp, snapshot };
  return { floor, latestMs: nowMs, before };
}

async function readMemory(stateFolder: string): Promise<TrustMemory | undefined> {
  const path = join(stateFolder, memoryFile);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${systemCode(error) ?? 'unknown'}).`, {
      cause: error,
    });
  }
  const json = parseCanonicalJson(bytes, path);
  const memory = json.ok ? parseTrustMemory(json.value) : json;
  if (memory.ok) return memory.value;
  throw refusal(
    'trusted-state',
    `${path} is damaged: ${memory.message} Make sure the store shows what it should, then remove ${stateFolder}.`,
  );
}

async function readGeneration(folder: string, floor: VersionFloor): Promise<ChainOptions['before']> {
  const version = versionIn(floor, 'snapshot');
  try {
    const [timestamp, snapshot] = await Promise.all([
      readFile(join(folder, basename(timestampFile))),
      readFile(join(folder, basename(metadataFile('snapshot', version)))),
    ]);
    return { timestamp, snapshot };
  } catch {
    return undefined;
  }
}

async function writeGeneration(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const draft = `${folder}.draft`;
  await mkdir(draft, { recursive: true });
  for (const [path, bytes] of files) await writeFlushed(join(draft, basename(path)), bytes);
  await flushFolder(draft);
  await rename(draft, folder);
}

async function forgetOthers(stateFolder: string, generation: string): Promise<void> {
  for (const name of await readdir(stateFolder)) {
    const isOld = name.startsWith('accepted-') && name !== generation;
    if (isOld) await rm(join(stateFolder, name), { recursive: true, force: true });
  }
}

function versionIn(floor: VersionFloor, role: string): number {
  return floor.get(role)?.version ?? 0;
}

function withoutRoot(floor: VersionFloor): VersionFloor {
  return new Map([...floor].filter(([role]) => role !== 'root'));
}
