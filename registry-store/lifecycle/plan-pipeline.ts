/** Makes the pipeline that is signed with a version: what an operator said about it, found in the store, wired and checked. */
import { chainOf, evidentWires } from '../manifest/model-chain.ts';
import {
  type Pipeline,
  type PipelineModel,
  pipelineModels,
  pipelineModelsMax,
  type Wire,
} from '../manifest/pipeline.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import { StoreError } from '../store-error.ts';
import { findDeployable, type VersionId } from './find-version.ts';

/** A model of a pipeline as it is asked for. */
export interface PipelineModelRequest extends VersionId {
  /** Left out, what has one name on both sides goes there, or else the only output to the only input. */
  readonly wires?: readonly Wire[];
}

/** Both left out, or empty, is no pipeline. */
export interface PipelineRequest {
  readonly before?: readonly PipelineModelRequest[];
  readonly after?: readonly PipelineModelRequest[];
}

/**
 * Undefined for a version that runs alone.
 * Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYABLE for a model of the pipeline, PIPELINE_REFUSED for what cannot be one.
 */
export function planPipeline(
  { before = [], after = [] }: PipelineRequest,
  deployed: VersionMetadata,
  snapshot: StoreSnapshot,
): Pipeline | undefined {
  const count = before.length + after.length;
  if (count === 0) return undefined;
  if (count > pipelineModelsMax) {
    refuse(`A pipeline has ${pipelineModelsMax} models beside the deployed one at most, not ${count}.`);
  }
  const found = (one: PipelineModelRequest): VersionMetadata => findDeployable(snapshot, one);
  const [first, last] = [before.map(found), after.map(found)];
  const pipeline: Pipeline = {
    before: before.map((one, index) => {
      const giver = first[index] ?? deployed;
      return pinned(one, giver, { giver, taker: first[index + 1] ?? deployed });
    }),
    after: after.map((one, index) => {
      const taker = last[index] ?? deployed;
      return pinned(one, taker, { giver: last[index - 1] ?? deployed, taker });
    }),
  };
  const pins = new Map(
    [...first, ...last].map((version) => [`${version.name}@${version.version}`, version] as const),
  );
  const chain = chainOf(pipeline, deployed, ({ model, version }) => pins.get(`${model}@${version}`));
  if (!chain.ok) refuse(chain.message);
  return pipeline;
}

/** Codes: PIPELINE_REFUSED for pipelines that were signed and do not fit this version; whoever asks may name another. */
export function inheritedPipeline(
  pipeline: Pipeline | undefined,
  deployed: VersionMetadata,
  snapshot: StoreSnapshot,
): Pipeline | undefined {
  if (pipeline === undefined) return undefined;
  try {
    return planPipeline(pipeline, deployed, snapshot);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const models = pipelineModels(pipeline).map(({ model, version }) => `${model} ${version}`);
    throw new StoreError(
      error.code,
      `${deployed.name} ${deployed.version} would go on with ${models.join(', ')}, and cannot: ${error.message} Name the models that run before and after it, or say that it has no pipeline.`,
      { cause: error },
    );
  }
}

function pinned(
  { model, version, wires }: PipelineModelRequest,
  found: VersionMetadata,
  { giver, taker }: { readonly giver: VersionMetadata; readonly taker: VersionMetadata },
): PipelineModel {
  const all = wires ?? evidentWires(giver.signature, taker.signature);
  if (all === undefined || all.length === 0) {
    const [output, input] = [giver.signature.outputs, taker.signature.inputs].map((tensors) =>
      tensors.map(({ name }) => name).join(', '),
    );
    refuse(
      `It does not go without saying what of ${giver.name} ${giver.version} goes into ${taker.name} ${taker.version}. Wire an output (${output ?? ''}) to an input (${input ?? ''}), as in ${model}@${version}:${giver.signature.outputs[0]?.name ?? ''}=${taker.signature.inputs[0]?.name ?? ''}.`,
    );
  }
  return { model, version, sha256: found.artifact.sha256, wires: all };
}

function refuse(message: string): never {
  throw new StoreError('PIPELINE_REFUSED', message);
}
