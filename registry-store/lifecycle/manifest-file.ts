/** A deployment manifest as the file that gets signed. What is accepted here is exactly what readers accept. */
import {
  type DeploymentManifest,
  deploymentManifestJson,
  parseDeploymentManifest,
} from '../manifest/deployment-manifest.ts';
import { deploymentManifestPath } from '../manifest/names.ts';
import { StoreError } from '../store-error.ts';
import { sha256Of } from '../trust/artifact-digest.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import type { NewFile } from './store-change.ts';

/** Throws INVALID_ARGUMENT when a name or reason in it cannot be signed. */
export function manifestFile(manifest: DeploymentManifest): NewFile {
  const json = deploymentManifestJson(manifest);
  const parsed = parseDeploymentManifest(json);
  if (!parsed.ok) throw new StoreError('INVALID_ARGUMENT', `This cannot be signed: ${parsed.message}.`);
  const bytes = canonicalJson(json);
  if (bytes === undefined) {
    throw new StoreError('INVALID_ARGUMENT', 'This cannot be signed: a text has half a character in it.');
  }
  const target = {
    path: deploymentManifestPath,
    sizeBytes: bytes.byteLength,
    sha256: sha256Of(bytes),
    custom: undefined,
  };
  return { target, bytes };
}
