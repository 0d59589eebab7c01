/**
 * Goes over every file of a store folder, not only over those in force: superseded metadata that readers may still be
 * using, metadata of a publish that was interrupted, and every model. A store that is carried on a disk either is
 * whole and wholly signed, or is refused with the name of the file that is not.
 */
import { type StoreError, accept, refusal } from '../store-error.ts';
import { ArtifactDigest } from '../trust/artifact-digest.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import { type RoleKeys, checkSignatures } from '../trust/role-keys.ts';
import {
  type SignedTarget,
  type SignedTargets,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from '../trust/signed-content.ts';
import { bytesMaxOf, classifyStoreFile, metadataFile, targetFile } from '../trust/store-file.ts';
import type { FolderSource } from './folder-source.ts';
import { type GrantedKeys, readGrantedKeys, vouchedBytes } from './granted-keys.ts';
import { checkNextRoot, checkPinnedRoot } from './root-chain.ts';
import type { StoreSource } from './store-source.ts';
import type { VerifiedMetadata } from './verified-metadata.ts';

/** Throws STORE_REFUSED for the first file, in the order of names, that does not verify or should not be there. */
export async function auditFolder(
  source: FolderSource,
  current: { readonly metadata: VerifiedMetadata; readonly pinnedRoot: Uint8Array },
): Promise<void> {
  const { metadata } = current;
  const listing = await source.list();
  await auditRoots(source, current);
  const listed = await auditMetadata(source, { listing, metadata });
  const present = new Set(listing);
  for (const target of metadata.targets.values()) {
    const path = targetFile(target);
    if (!present.has(path)) throw refusal('file-present', `${path} is missing.`);
  }
  for (const path of listing) {
    const file = classifyStoreFile(path);
    if (file?.kind !== 'target') continue;
    const target = listed.get(path);
    if (target === undefined) throw unknownFile(path);
    await auditTarget(source, target);
  }
}

/** Reads a whole target and refuses it when it is not what was signed. */
export async function auditTarget(source: StoreSource, target: SignedTarget): Promise<void> {
  const path = targetFile(target);
  const digest = new ArtifactDigest({ ...target, path });
  for await (const bytes of source.stream(path)) if (!digest.add(bytes)) break;
  accept(digest.finish());
}

/** All roots from the first to the current one; the pinned one is among them, byte for byte. */
async function auditRoots(
  source: FolderSource,
  { metadata, pinnedRoot }: { readonly metadata: VerifiedMetadata; readonly pinnedRoot: Uint8Array },
): Promise<void> {
  const pinnedVersion = checkPinnedRoot(pinnedRoot).version;
  let before;
  for (let version = 1; version <= metadata.root.version; version++) {
    const path = metadataFile('root', version);
    const bytes = await source.read(path, bytesMaxOf('root'));
    if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
    if (version === pinnedVersion && Buffer.compare(bytes, pinnedRoot) !== 0) {
      throw refusal('root-chain', `${path} is not the pinned root.`);
    }
    before = before === undefined ? checkPinnedRoot(bytes) : checkNextRoot(before, bytes, path);
  }
}

/** Checks all other metadata and returns every target any of it lists, by path in the store. */
async function auditMetadata(
  source: FolderSource,
  current: { readonly listing: readonly string[]; readonly metadata: VerifiedMetadata },
): Promise<ReadonlyMap<string, SignedTarget>> {
  const { listing, metadata } = current;
  const listed = new Map<string, SignedTarget>();
  let granted: Promise<GrantedKeys> | undefined;
  const signedBytesOf = async (
    bytes: Uint8Array,
    { path, role }: { readonly path: string; readonly role: string },
  ): Promise<Uint8Array> => {
    const keys = metadata.roles.get(role)?.keys;
    const signed = keys === undefined ? undefined : signedPart(bytes, keys, path);
    if (signed !== undefined) return signed;
    // Superseded and signed with keys that were replaced, or of a change that was never put in force.
    if (metadata.files.has(path)) throw unknownFile(path);
    granted ??= readGrantedKeys(source, current);
    const candidates = (await granted).get(role);
    if (candidates === undefined) throw unknownFile(path);
    return vouchedBytes(bytes, candidates, path);
  };
  for (const path of listing) {
    const file = classifyStoreFile(path);
    if (file === undefined) throw unknownFile(path);
    if (file.kind === 'target') continue;
    const role = file.kind === 'timestamp' ? 'timestamp' : file.role;
    if (role === 'root' && file.kind === 'metadata' && file.version <= metadata.root.version) continue;
    const bytes = metadata.files.get(path) ?? (await source.read(path, bytesMaxOf(role)));
    if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
    const signed = await signedBytesOf(bytes, { path, role });
    const content = contentOf(role, signed, path);
    // A signed file under another version's name would be taken for that version by nobody but people.
    if (file.kind === 'metadata' && content.version !== file.version) {
      throw refusal('metadata-form', `${path} is version ${content.version}.`);
    }
    for (const target of content.targets?.values() ?? []) listed.set(targetFile(target), target);
  }
  return listed;
}

/** Undefined when these keys did not sign the file. */
function signedPart(bytes: Uint8Array, keys: RoleKeys, path: string): Uint8Array | undefined {
  const envelope = splitEnvelope(bytes, path);
  const checked = envelope.ok ? checkSignatures(envelope.value, keys) : envelope;
  return checked.ok ? checked.value.signedBytes : undefined;
}

function contentOf(
  role: string,
  signed: Uint8Array,
  path: string,
): { readonly version: number; readonly targets?: SignedTargets['targets'] } {
  if (role === 'root') return accept(parseRoot(signed, path));
  if (role === 'timestamp') return accept(parseTimestamp(signed, path));
  if (role === 'snapshot') return accept(parseSnapshot(signed, path));
  return accept(parseTargets(signed, path));
}

function unknownFile(path: string): StoreError {
  return refusal('file-known', `${path} is not part of the store; remove it.`);
}
