/**
 * From the pinned root to the newest one: each next root must be signed by the holders of the one before and by its
 * own, and its version must be the next number. That is the only way in which a node's trust ever changes.
 */
import { accept, refusal } from '../store-error.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import { checkSignatures, checkThreshold } from '../trust/role-keys.ts';
import { type SignedRoot, parseRoot } from '../trust/signed-content.ts';
import { metadataBytesMax, metadataFile } from '../trust/store-file.ts';
import type { StoreSource } from './store-source.ts';

/** Newer roots read in one go; more is an endless chain. */
const rootRotationsMax = 256;

/** The pinned root and every newer one the source has, each signed by the one before and by itself. */
export async function readRoots(
  source: StoreSource,
  pinnedRoot: Uint8Array,
): Promise<{ readonly root: SignedRoot; readonly bytes: readonly Uint8Array[] }> {
  let root = checkPinnedRoot(pinnedRoot);
  const bytes = [pinnedRoot];
  for (let rotations = 0; rotations < rootRotationsMax; rotations++) {
    const path = metadataFile('root', root.version + 1);
    const next = await source.read(path, metadataBytesMax.root);
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
