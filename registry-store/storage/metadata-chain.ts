/**
 * Reads the current metadata of a store from a source and verifies it from the pinned root down:
 * root, timestamp, snapshot, targets, delegated roles. Each file's signature is checked over its bytes before its
 * content is looked at, and only then is the next file read. The result is complete or there is none.
 */
import { accept, refusal } from '../store-error.ts';
import { type Checked, passed, refused } from '../trust/check.ts';
import { delegationDepthMax, familyOf, resolveTargets } from '../trust/delegation.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import { checkExpiry } from '../trust/freshness.ts';
import { type RoleKeys, checkSignatures, checkThreshold } from '../trust/role-keys.ts';
import {
  type Delegation,
  type SignedRoot,
  type SignedTarget,
  type SignedTargets,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from '../trust/signed-content.ts';
import { metadataFile, timestampFile } from '../trust/store-file.ts';
import { type VersionFloor, checkFloor } from '../trust/version-floor.ts';
import { type DelegatedBytes, confirmWithReference } from './reference-verifier.ts';
import type { StoreSource } from './store-source.ts';

/** Bytes a metadata file may have: what tuf-js allows each role. */
export const metadataBytesMax = {
  root: 512_000,
  timestamp: 16_384,
  snapshot: 2_000_000,
  targets: 5_000_000,
} as const;
/** Newer roots read in one go; more is an endless chain. */
const rootRotationsMax = 256;

export interface VerifiedMetadata {
  readonly root: SignedRoot;
  /** Version, expiry and keys of every role. */
  readonly roles: ReadonlyMap<string, VerifiedRole>;
  /** What is signed, by path. */
  readonly targets: ReadonlyMap<string, SignedTarget>;
  /** What each delegated role lists, whether it decides about the path or not. */
  readonly listedBy: ReadonlyMap<string, SignedTargets>;
  /** The current files, by path in the store. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface VerifiedRole {
  readonly version: number;
  readonly expires: string;
  readonly keys: RoleKeys;
}

export interface ChainOptions {
  readonly source: StoreSource;
  readonly pinnedRoot: Uint8Array;
  /** The later of the clock and the latest time ever seen. */
  readonly nowMs: number;
  /** What was accepted before; nothing on the first start. */
  readonly floor: VersionFloor;
  readonly before: { readonly timestamp: Uint8Array; readonly snapshot: Uint8Array } | undefined;
}

export async function verifyMetadata(options: ChainOptions): Promise<VerifiedMetadata> {
  const { source } = options;
  const files = new Map<string, Uint8Array>();
  const roles = new Map<string, VerifiedRole>();
  const read = async (role: string, version: number): Promise<Uint8Array> => {
    const path = metadataFile(role, version);
    const bytes = await source.read(path, bytesMaxOf(role));
    if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
    files.set(path, bytes);
    return bytes;
  };

  const roots = await readRoots(options);
  const { root } = roots;
  roles.set('root', { ...root, keys: root.roles.root });
  files.set(metadataFile('root', root.version), roots.bytes.at(-1) ?? options.pinnedRoot);

  const timestampBytes = await read('timestamp', 0);
  const timestamp = accept(
    parseTimestamp(signedBytes(timestampBytes, root.roles.timestamp, timestampFile), timestampFile),
  );
  roles.set('timestamp', { ...timestamp, keys: root.roles.timestamp });

  const snapshotBytes = await read('snapshot', timestamp.snapshot.version);
  const snapshotPath = metadataFile('snapshot', timestamp.snapshot.version);
  const snapshot = accept(
    parseSnapshot(signedBytes(snapshotBytes, root.roles.snapshot, snapshotPath), snapshotPath),
  );
  roles.set('snapshot', { ...snapshot, keys: root.roles.snapshot });

  const readTargets = async (role: string, keys: RoleKeys): Promise<readonly [Uint8Array, SignedTargets]> => {
    const pin = snapshot.files.get(role);
    if (pin === undefined) throw refusal('mix-and-match', `The snapshot does not list ${role}.`);
    const bytes = await read(role, pin.version);
    const path = metadataFile(role, pin.version);
    const targets = accept(parseTargets(signedBytes(bytes, keys, path), path));
    roles.set(role, { ...targets, keys });
    return [bytes, targets];
  };
  const [topBytes, top] = await readTargets('targets', root.roles.targets);
  if (top.targets.size > 0)
    throw refusal('delegation', 'The role targets lists files itself; it may only delegate.');
  const delegated: DelegatedBytes[] = [];
  const listedBy = new Map<string, SignedTargets>();
  const readDelegated = async (parent: string, delegations: readonly Delegation[], depth: number) => {
    for (const { name, keys } of delegations) {
      const problem = delegationProblem({ parent, name, depth, isTaken: roles.has(name) });
      if (problem !== undefined) throw refusal('delegation', problem);
      const [bytes, targets] = await readTargets(name, keys);
      delegated.push({ role: name, parent, bytes });
      listedBy.set(name, targets);
      await readDelegated(name, targets.delegations, depth + 1);
    }
  };
  await readDelegated('targets', top.delegations, 1);
  // A role that nobody delegates to is a file that nobody checks.
  for (const role of snapshot.files.keys()) {
    if (!roles.has(role)) throw refusal('mix-and-match', `The snapshot lists ${role}, which has no keys.`);
  }

  // Rollback, also when the copy of what was accepted before is lost.
  accept(checkFloor(options.floor, floorOf(roles)));
  // Rollback by a twin: the same version number with other content.
  accept(checkTwin(timestampBytes, timestamp.version, options));
  // Freeze.
  accept(checkExpiry(timeText(options.nowMs), roles));
  // Everything again, and all the rest, in the order of the specification.
  confirmWithReference({
    roots: roots.bytes,
    timestamp: timestampBytes,
    snapshot: snapshotBytes,
    targets: topBytes,
    delegated,
    before: options.before,
  });
  // A signer who speaks for files that are not his.
  const targets = accept(resolveTargets(top.delegations, listedBy));
  return { root, roles, targets, listedBy, files };
}

/** The pinned root and every newer one the source has, each signed by the one before and by itself. */
async function readRoots(options: ChainOptions): Promise<{ root: SignedRoot; bytes: readonly Uint8Array[] }> {
  let root = checkPinnedRoot(options.pinnedRoot);
  const bytes = [options.pinnedRoot];
  for (let rotations = 0; rotations < rootRotationsMax; rotations++) {
    const path = metadataFile('root', root.version + 1);
    const next = await options.source.read(path, metadataBytesMax.root);
    if (next === undefined) return { root, bytes };
    root = checkNextRoot(root, next, path);
    bytes.push(next);
  }
  throw refusal('root-chain', `The store has more than ${rootRotationsMax} newer roots.`);
}

export function checkPinnedRoot(bytes: Uint8Array): SignedRoot {
  const envelope = splitEnvelope(bytes, 'the pinned root');
  const root = envelope.ok ? parseRoot(envelope.value.signedBytes, 'the pinned root') : envelope;
  const signed = envelope.ok && root.ok ? checkSignatures(envelope.value, root.value.roles.root) : envelope;
  if (!root.ok) throw refusal('pinned-root', root.message);
  if (!signed.ok) throw refusal('pinned-root', signed.message);
  return root.value;
}

export function checkNextRoot(before: SignedRoot, bytes: Uint8Array, path: string): SignedRoot {
  const envelope = accept(splitEnvelope(bytes, path));
  const consented = checkThreshold(envelope, before.roles.root);
  if (!consented.ok) throw refusal('root-chain', consented.message);
  const next = accept(parseRoot(envelope.signedBytes, path));
  const signed = checkSignatures(envelope, before.roles.root, next.roles.root);
  if (!signed.ok) throw refusal('root-chain', signed.message);
  if (next.version !== before.version + 1) {
    throw refusal('root-chain', `${path} is version ${next.version}, not ${before.version + 1}.`);
  }
  return next;
}

/** The signed part of a file whose signatures are good. */
export function signedBytes(bytes: Uint8Array, keys: RoleKeys, path: string): Uint8Array {
  const envelope = accept(splitEnvelope(bytes, path));
  return accept(checkSignatures(envelope, keys)).signedBytes;
}

export function bytesMaxOf(role: string): number {
  if (role === 'root' || role === 'timestamp' || role === 'snapshot') return metadataBytesMax[role];
  return metadataBytesMax.targets;
}

export function floorOf(roles: ReadonlyMap<string, VerifiedRole>): VersionFloor {
  return new Map(
    [...roles].map(([role, { version, keys }]) => [role, { version, keyIds: [...keys.keys.keys()].sort() }]),
  );
}

/** Metadata times are text to the second. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function checkTwin(bytes: Uint8Array, version: number, options: ChainOptions): Checked<true> {
  const { before, floor } = options;
  if (before === undefined || floor.get('timestamp')?.version !== version) return passed(true);
  if (Buffer.compare(before.timestamp, bytes) === 0) return passed(true);
  return refused('rollback', `Two different files call themselves version ${version} of timestamp.`);
}

/** The name of a role binds it to what its parent speaks for, so a wrong delegation cannot reach across. */
function delegationProblem(link: {
  readonly parent: string;
  readonly name: string;
  readonly depth: number;
  readonly isTaken: boolean;
}): string | undefined {
  const { parent, name, depth, isTaken } = link;
  if (depth > delegationDepthMax) return `The role ${parent} delegates further than a store needs.`;
  if (isTaken) return `Two roles delegate to ${name}.`;
  const isWithin = parent === 'targets' || name.startsWith(`${familyOf(parent)}-`);
  return isWithin ? undefined : `The role ${parent} delegates to ${name}, which is not its own.`;
}
