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
import { targetFile } from '../trust/store-file.ts';
import type { VerifiedMetadata } from './metadata-chain.ts';
import type { StoreSource } from './store-source.ts';

export async function readSnapshot(source: StoreSource, metadata: VerifiedMetadata): Promise<StoreSnapshot> {
  const versions: VersionMetadata[] = [];
  for (const [path, { sizeBytes, sha256, custom }] of metadata.targets) {
    if (!path.startsWith('models/')) continue;
    const version = parseVersionMetadata({ path, lengthBytes: sizeBytes, sha256 }, custom);
    if (!version.ok) throw refusal('version-metadata', `${version.message}.`);
    versions.push(version.value);
  }
  const manifest = parseDeploymentManifest(await readManifest(source, metadata));
  if (!manifest.ok) throw refusal('deployment-manifest', `${manifest.message}.`);
  const revision = metadata.roles.get('timestamp')?.version ?? 0;
  const snapshot = joinSnapshot({ revision, versions, manifest: manifest.value });
  if (!snapshot.ok) throw refusal('deployment-manifest', `${snapshot.message}.`);
  return snapshot.value;
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
