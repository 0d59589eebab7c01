/**
 * From verified metadata to what the gateway works with: every version parsed, the deployment manifest read and
 * checked against the digest that was signed, and both joined.
 */
import { manifestBytesMax, parseDeploymentManifest } from '../manifest/deployment-manifest.ts';
import { deploymentManifestPath } from '../manifest/names.ts';
import { type StoreSnapshot, joinSnapshot } from '../manifest/store-snapshot.ts';
import { type VersionMetadata, parseVersionMetadata } from '../manifest/version-metadata.ts';
import { accept, refusal } from '../store-error.ts';
import { checkArtifact } from '../trust/artifact-digest.ts';
import { parseCanonicalJson } from '../trust/canonical-json.ts';
import type { SignedTarget } from '../trust/signed-content.ts';
import { targetFile } from '../trust/store-file.ts';
import { readKeyEvents } from './read-key-events.ts';
import type { StoreSource } from './store-source.ts';
import type { VerifiedMetadata } from './verified-metadata.ts';

/** Models of which nothing changed are the same objects as in `before`. */
export async function readSnapshot(
  source: StoreSource,
  metadata: VerifiedMetadata,
  before: StoreSnapshot | undefined,
): Promise<StoreSnapshot> {
  const versions: VersionMetadata[] = [];
  for (const [path, target] of metadata.targets) {
    if (path.startsWith('models/')) versions.push(versionOf(target));
  }
  const manifest = parseDeploymentManifest(await readManifest(source, metadata));
  if (!manifest.ok) throw refusal('deployment-manifest', `${manifest.message}.`);
  const keysRevision = readKeyEvents(metadata).at(-1)?.revision ?? 0;
  const snapshot = joinSnapshot({ versions, manifest: manifest.value, before, keysRevision });
  if (!snapshot.ok) throw refusal('deployment-manifest', `${snapshot.message}.`);
  return snapshot.value;
}

/** Parsed once for as long as the role that lists it stays the same. */
const parsedVersions = new WeakMap<SignedTarget, VersionMetadata>();

function versionOf(target: SignedTarget): VersionMetadata {
  const known = parsedVersions.get(target);
  if (known !== undefined) return known;
  const { path, sizeBytes, sha256, custom } = target;
  const version = parseVersionMetadata({ path, lengthBytes: sizeBytes, sha256 }, custom);
  if (!version.ok) throw refusal('version-metadata', `${version.message}.`);
  parsedVersions.set(target, version.value);
  return version.value;
}

async function readManifest(source: StoreSource, metadata: VerifiedMetadata): Promise<unknown> {
  const target = metadata.targets.get(deploymentManifestPath);
  if (target === undefined) throw refusal('deployment-manifest', `${deploymentManifestPath} is not signed.`);
  const path = targetFile(target);
  const bytes = await source.read(path, manifestBytesMax);
  if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
  accept(checkArtifact(bytes, { ...target, path }));
  return accept(parseCanonicalJson(bytes, path));
}
