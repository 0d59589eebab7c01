/** What is said of a version to people and machines outside: on the command line and by the control API alike. */
import { candidatesOf } from './candidate-arms.ts';
import type { Deployment } from './deployment.ts';
import { stateJson } from './state-tensor.ts';
import { signatureJson, type VersionMetadata } from './version-metadata.ts';

/** Field names follow the metadata in the store. */
export function versionJson(version: VersionMetadata): Readonly<Record<string, unknown>> {
  return {
    name: version.name,
    version: version.version,
    stage: version.stage,
    framework: version.framework,
    author: version.author,
    description: version.description,
    created_at: version.createdAt,
    metrics: Object.fromEntries(version.metrics),
    tags: version.tags,
    signature: signatureJson(version.signature),
    ...(version.state.length > 0 && { state: stateJson(version.state) }),
    parameter_count: version.onnx.parameterCount,
    size_bytes: version.artifact.lengthBytes,
    sha256: version.artifact.sha256,
    published: version.published,
  };
}

/** What the version is to the deployment of its model, if anything. */
export function roleOf(
  { version }: VersionMetadata,
  deployment: Deployment | undefined,
): 'live' | 'candidate' | 'previous' | undefined {
  if (deployment?.version === version) return 'live';
  if (deployment === undefined) return undefined;
  if (candidatesOf(deployment).some((candidate) => candidate.version === version)) return 'candidate';
  return deployment.previousVersion === version ? 'previous' : undefined;
}
