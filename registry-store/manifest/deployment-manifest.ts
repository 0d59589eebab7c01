/**
 * The deployment manifest: which version of each model is live, who decided it, when and why.
 * It names digests beside versions, so the holder of a model key cannot swap the bytes of what an operator put live.
 * It does not say how a version is loaded or when a replica is ready; that is the gateway's own business.
 */
import { FieldReader, type Parsed, type TextRule } from './field-reader.ts';
import { checkModelName, modelNameRule, versionNameRule } from './names.ts';
import { descriptionRule, labelRule, timeRule } from './version-metadata.ts';

export interface Deployment {
  readonly model: string;
  /** The version that takes the traffic. */
  readonly version: string;
  readonly sha256: string;
  /** The version that was live before; it stays loaded, so that going back is instant. */
  readonly previousVersion?: string;
  readonly previousSha256?: string;
  /** How traffic is divided: `all` sends everything to `version`. */
  readonly strategy: 'all';
}

export interface DeploymentManifest {
  /** Counts changes of this manifest, from 1. */
  readonly revision: number;
  readonly changed: { readonly at: string; readonly by: string; readonly why: string };
  readonly deployments: ReadonlyMap<string, Deployment>;
}

const manifestSchema = 1;
const deploymentsMax = 10_000;
export const manifestBytesMax: number = 4 * 1024 * 1024;
export const sha256Rule: TextRule = { lengthMax: 64, pattern: /^[0-9a-f]{64}$/ };

export function parseDeploymentManifest(json: unknown): Parsed<DeploymentManifest> {
  const reader = new FieldReader(json, 'the deployment manifest');
  const schema = reader.integer('schema', { min: 1, max: Number.MAX_SAFE_INTEGER });
  // A field this release does not know could mean "send nothing there": a newer schema is refused, never guessed.
  if (schema !== manifestSchema) reader.reject(`has schema ${schema}; this release reads ${manifestSchema}`);
  const changed = reader.record('changed');
  const table = reader.record('deployments');
  const deployments = new Map<string, Deployment>();
  for (const [model, value] of table.entries({ countMax: deploymentsMax, key: modelNameRule })) {
    const name = checkModelName(model);
    if (!name.ok) table.reject(`: ${name.message}`);
    deployments.set(model, readDeployment(model, table.nest(value, `the deployment of ${model}`)));
  }
  return reader.finish({
    revision: reader.integer('revision', { min: 1, max: Number.MAX_SAFE_INTEGER }),
    changed: {
      at: changed.text('at', timeRule),
      by: changed.text('by', labelRule),
      why: changed.text('why', descriptionRule),
    },
    deployments: deployments,
  });
}

/** The JSON value of a manifest; `parseDeploymentManifest` of it gives the same manifest back. */
export function deploymentManifestJson(manifest: DeploymentManifest): Readonly<Record<string, unknown>> {
  const rows = [...manifest.deployments.values()].map((deployment) => [
    deployment.model,
    {
      version: deployment.version,
      sha256: deployment.sha256,
      ...(deployment.previousVersion === undefined ? {} : { previous_version: deployment.previousVersion }),
      ...(deployment.previousSha256 === undefined ? {} : { previous_sha256: deployment.previousSha256 }),
      strategy: deployment.strategy,
    },
  ]);
  return {
    schema: manifestSchema,
    revision: manifest.revision,
    changed: manifest.changed,
    deployments: Object.fromEntries(rows) as Readonly<Record<string, unknown>>,
  };
}

/** The manifest with `version` live for its model; the version that was live until now becomes the previous one. */
export function deployVersion(
  manifest: DeploymentManifest,
  live: { readonly model: string; readonly version: string; readonly sha256: string },
  changed: DeploymentManifest['changed'],
): DeploymentManifest {
  const before = manifest.deployments.get(live.model);
  const deployment: Deployment = {
    ...live,
    ...(before === undefined ? {} : { previousVersion: before.version, previousSha256: before.sha256 }),
    strategy: 'all',
  };
  const deployments = new Map(manifest.deployments).set(live.model, deployment);
  return { revision: manifest.revision + 1, changed, deployments };
}

function readDeployment(model: string, reader: FieldReader): Deployment {
  const hasPrevious = reader.has('previous_version') || reader.has('previous_sha256');
  return {
    model,
    version: reader.text('version', versionNameRule),
    sha256: reader.text('sha256', sha256Rule),
    ...(hasPrevious && {
      previousVersion: reader.text('previous_version', versionNameRule),
      previousSha256: reader.text('previous_sha256', sha256Rule),
    }),
    strategy: reader.oneOf('strategy', ['all']),
  };
}
