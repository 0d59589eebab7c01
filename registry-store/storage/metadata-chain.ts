/**
 * Reads the current metadata of a store from a source and verifies it from the pinned root down:
 * root, timestamp, snapshot, targets, delegated roles. Each file's signature is checked over its bytes before its
 * content is looked at. The result is complete or there is none.
 *
 * A role whose bytes and keys are those of the state verified before is taken from there, as the same objects: in a
 * store of a thousand models one change costs one role, and what changed can be told by identity.
 */
import { accept, refusal } from '../store-error.ts';
import { type Checked, passed, refused } from '../trust/check.ts';
import { isPinned } from '../trust/artifact-digest.ts';
import { resolveTargets } from '../trust/delegation.ts';
import { checkExpiry } from '../trust/freshness.ts';
import { type SignedSnapshot, parseSnapshot, parseTimestamp } from '../trust/signed-content.ts';
import { bytesMaxOf, metadataFile, timestampFile } from '../trust/store-file.ts';
import { type VersionFloor, checkFloor } from '../trust/version-floor.ts';
import { TargetsReader } from './delegated-roles.ts';
import { confirmWithReference } from './reference-verifier.ts';
import { readRoots } from './root-chain.ts';
import type { StoreSource } from './store-source.ts';
import {
  type VerifiedMetadata,
  type VerifiedRole,
  floorOf,
  signedBytes,
  timeText,
} from './verified-metadata.ts';

export interface ChainOptions {
  readonly source: StoreSource;
  readonly pinnedRoot: Uint8Array;
  /** The later of the clock and the latest time ever seen. */
  readonly nowMs: number;
  /** What was accepted before; nothing on the first start. */
  readonly floor: VersionFloor;
  readonly before: { readonly timestamp: Uint8Array; readonly snapshot: Uint8Array } | undefined;
  /** The state verified last, in this process and from the same pinned root: what did not change is not read again. */
  readonly known?: VerifiedMetadata | undefined;
  /**
   * `refused` unless the bytes are those that this node accepted while they were fresh: then it may go on with them,
   * and with nothing else.
   */
  readonly expired?: 'refused' | 'tolerated';
}

export async function verifyMetadata(options: ChainOptions): Promise<VerifiedMetadata> {
  const { source, known } = options;
  const files = new Map<string, Uint8Array>();
  const roles = new Map<string, VerifiedRole>();

  const roots = await readRoots(source, options.pinnedRoot);
  const { root } = roots;
  roles.set('root', { ...root, keys: root.roles.root });
  files.set(metadataFile('root', root.version), roots.bytes.at(-1) ?? options.pinnedRoot);

  const timestampBytes = await readFile(source, 'timestamp', 0);
  files.set(timestampFile, timestampBytes);
  const timestamp = accept(
    parseTimestamp(signedBytes(timestampBytes, root.roles.timestamp, timestampFile), timestampFile),
  );
  roles.set('timestamp', { ...timestamp, keys: root.roles.timestamp });

  const { version } = timestamp.snapshot;
  const snapshotPath = metadataFile('snapshot', version);
  const knownBytes = known?.files.get(snapshotPath);
  const snapshotBytes =
    knownBytes !== undefined && isPinned(knownBytes, timestamp.snapshot)
      ? knownBytes
      : await readFile(source, 'snapshot', version);
  files.set(snapshotPath, snapshotBytes);
  const snapshot = accept(
    parseSnapshot(signedBytes(snapshotBytes, root.roles.snapshot, snapshotPath), snapshotPath),
  );
  if (!isPinned(snapshotBytes, timestamp.snapshot) || snapshot.version !== version) {
    throw refusal('mix-and-match', `${snapshotPath} is not the file that the timestamp names.`);
  }
  roles.set('snapshot', { ...snapshot, keys: root.roles.snapshot });

  const below = new TargetsReader({ source, snapshot, known });
  const top = await below.readAll(root.roles.targets);
  for (const [name, role] of below.roles) roles.set(name, role);
  for (const [path, bytes] of below.files) files.set(path, bytes);
  refuseStrays(snapshot, roles);

  // Rollback, also when the copy of what was accepted before is lost.
  accept(checkFloor(options.floor, floorOf(roles)));
  // Rollback by a twin: the same version number with other content.
  accept(checkTwin(timestampBytes, timestamp.version, options));
  // Freeze.
  const mayBeExpired = options.expired === 'tolerated';
  if (!mayBeExpired) accept(checkExpiry(timeText(options.nowMs), roles));
  // Everything again, and all the rest, in the order of the specification.
  confirmWithReference({
    roots: roots.bytes,
    timestamp: timestampBytes,
    snapshot: snapshotBytes,
    targets: below.chain,
    before: options.before,
    nowMs: mayBeExpired ? 0 : options.nowMs,
  });
  // A signer who speaks for files that are not his.
  const targets = accept(resolveTargets(top.delegations, below.listedBy));
  return { root, roles, targets, listedBy: below.listedBy, files };
}

/** A metadata file that has to be there. */
async function readFile(source: StoreSource, role: string, version: number): Promise<Uint8Array> {
  const path = metadataFile(role, version);
  const bytes = await source.read(path, bytesMaxOf(role));
  if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
  return bytes;
}

/** A role that nobody delegates to is a file that nobody checks. */
function refuseStrays(snapshot: SignedSnapshot, roles: ReadonlyMap<string, VerifiedRole>): void {
  for (const role of snapshot.files.keys()) {
    if (!roles.has(role)) throw refusal('mix-and-match', `The snapshot lists ${role}, which has no keys.`);
  }
}

function checkTwin(bytes: Uint8Array, version: number, options: ChainOptions): Checked<true> {
  const { before, floor } = options;
  if (before === undefined || floor.get('timestamp')?.version !== version) return passed(true);
  if (Buffer.compare(before.timestamp, bytes) === 0) return passed(true);
  return refused('rollback', `Two different files call themselves version ${version} of timestamp.`);
}
