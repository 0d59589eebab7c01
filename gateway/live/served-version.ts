/**
 * A version as this node runs it: with a pipeline it is several models as one, whose signature, size and digest are those of
 * the whole. So whatever loads, places, batches, caches or compares versions meets one model and need not know.
 */
import { createHash } from 'node:crypto';
import type { Deployment, StoreSnapshot, VersionMetadata } from '../../registry-store/main.ts';
import { candidatesOf } from '../../registry-store/manifest/candidate-arms.ts';
import { chainOf, type ModelChain } from '../../registry-store/manifest/model-chain.ts';
import { type Pipeline, pipelineText } from '../../registry-store/manifest/pipeline.ts';
import type { ChainLink } from '../../runtime/tensor/chain.ts';

export interface ServedVersion extends VersionMetadata {
  readonly pipeline?: ServedPipeline | undefined;
}

/** What a version with a pipeline is made of, or why it cannot be. */
export type ServedPipeline =
  | {
      readonly ok: true;
      /** `scale@1.0.0 -> digits@2.0.0`, in the order in which they run. */
      readonly text: string;
      readonly links: readonly ChainLink[];
      readonly versions: readonly VersionMetadata[];
    }
  | { readonly ok: false; readonly reason: string };

type Versions = ReadonlyMap<string, ServedVersion>;

/** The versions of the deployed model, those that the deployment gives a pipeline as what they then are. */
export function servedVersions(deployment: Deployment, { models }: Pick<StoreSnapshot, 'models'>): Versions {
  const versions = models.get(deployment.model) ?? new Map<string, VersionMetadata>();
  const { previousVersion: version, previousPipeline } = deployment;
  const previous = version === undefined ? [] : [{ version, pipeline: previousPipeline }];
  // A version has one pipeline at a time. Where it is named twice, what takes the traffic counts.
  const named = [...previous, ...candidatesOf(deployment), deployment];
  const served = new Map<string, ServedVersion>();
  for (const pin of named) {
    const alone = versions.get(pin.version);
    if (alone === undefined) continue;
    served.set(pin.version, pin.pipeline === undefined ? alone : inPipeline(alone, pin.pipeline, models));
  }
  return new Map([...versions, ...served]);
}

/** Every file that a version runs, one behind the other, in memory of the caller's own. Rejects with what `readArtifact` rejects with. */
export async function readModelFiles(
  version: ServedVersion,
  readArtifact: (version: VersionMetadata) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  if (version.pipeline?.ok !== true) return readArtifact(version);
  const files = new Uint8Array(version.artifact.lengthBytes);
  let end = 0;
  for (const one of version.pipeline.versions) {
    const file = await readArtifact(one);
    files.set(file, end);
    end += file.byteLength;
  }
  return files;
}

/** What `readModelFiles` gave, taken apart again. */
export function filesIn({ pipeline }: ServedVersion, files: Uint8Array): readonly Uint8Array[] {
  if (pipeline?.ok !== true) return [files];
  let end = 0;
  return pipeline.links.map(({ fileBytes }) => files.subarray(end, (end += fileBytes)));
}

function inPipeline(
  deployed: VersionMetadata,
  pipeline: Pipeline,
  models: StoreSnapshot['models'],
): ServedVersion {
  const chain = chainOf(pipeline, deployed, ({ model, version }) => models.get(model)?.get(version));
  if (!chain.ok)
    return { ...deployed, pipeline: { ok: false, reason: `PIPELINE_REFUSED: ${chain.message}` } };
  const { models: parts, signature } = chain.value;
  const versions = parts.map(({ version }) => version);
  const links = parts.map(({ version, sources }): ChainLink => ({
    name: `${version.name} ${version.version}`,
    fileBytes: version.artifact.lengthBytes,
    signature: version.signature,
    sources,
  }));
  const text = pipelineText(pipeline, { model: deployed.name, version: deployed.version });
  const artifact = {
    ...deployed.artifact,
    lengthBytes: versions.reduce((sum, { artifact: { lengthBytes } }) => sum + lengthBytes, 0),
    sha256: digestOf(chain.value),
  };
  return { ...deployed, signature, artifact, pipeline: { ok: true, text, links, versions } };
}

/** Of what is run: two chains differ in it when a file or the way of a tensor differs. */
function digestOf({ models }: ModelChain): string {
  const parts = models.map(({ version, sources }) => [version.artifact.sha256, sources]);
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
