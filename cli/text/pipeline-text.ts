/** The pipelines of a deployment for people: which models run, in which order, and what they take and give together. */
import type {
  Deployment,
  ModelSignature,
  StoreSnapshot,
  TensorSignature,
} from '../../registry-store/main.ts';
import { candidatesOf } from '../../registry-store/manifest/candidate-arms.ts';
import { chainOf } from '../../registry-store/manifest/model-chain.ts';
import { type Pipeline, isSamePipeline, pipelineText } from '../../registry-store/manifest/pipeline.ts';

interface Pin {
  readonly version: string;
  readonly pipeline?: Pipeline | undefined;
}

/** `scale@1.0.0 -> iris@2.0.0`, of candidates too where theirs is another one; nothing where all run alone. */
export function pipelinesText(deployment: Deployment): string {
  const { model, pipeline } = deployment;
  const candidates = candidatesOf(deployment);
  const others = candidates.filter((candidate) => !isSamePipeline(candidate.pipeline, pipeline));
  const named = [...(pipeline === undefined ? [] : [deployment]), ...others];
  return named.map((pin) => oneText(model, pin)).join(', ');
}

function oneText(model: string, { version, pipeline }: Pin): string {
  if (pipeline === undefined) return `${version} alone`;
  return pipelineText(pipeline, { model, version });
}

/** What callers of the live version send and get. Undefined for one that runs alone. */
export function pipelineSignature(
  deployment: Deployment,
  { models }: StoreSnapshot,
): ModelSignature | undefined {
  const { model: name, version, pipeline } = deployment;
  const deployed = models.get(name)?.get(version);
  if (pipeline === undefined || deployed === undefined) return undefined;
  const chain = chainOf(pipeline, deployed, (id) => models.get(id.model)?.get(id.version));
  return chain.ok ? chain.value.signature : undefined;
}

/** `takes pixels UINT8 [-1, 28, 28]; gives word BYTES [-1]` */
export function signatureLine({ inputs, outputs }: ModelSignature): string {
  return `  takes ${tensorsText(inputs)}; gives ${tensorsText(outputs)}`;
}

function tensorsText(tensors: readonly TensorSignature[]): string {
  return tensors.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join(', ')}]`).join(', ');
}
