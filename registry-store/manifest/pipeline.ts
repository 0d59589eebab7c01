/**
 * Models that run before and after the one that is deployed, as one with it: what clients send goes into the first, what
 * they get comes out of the last. Signed with a version of a deployment, every model by its digest and every tensor that is
 * handed on by its names. Whether the models fit together is said in `model-chain.ts`.
 */
import type { FieldReader } from './field-reader.ts';
import { modelNameRule, sha256Rule, versionNameRule } from './names.ts';

/** A tensor that is handed on: an output of one model and the input of the next that takes it. */
export interface Wire {
  readonly output: string;
  readonly input: string;
}

/** A published version that runs before or after another. It needs no deployment of its own. */
export interface PipelineModel {
  readonly model: string;
  readonly version: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Of one that runs before: into what follows it. Of one that runs after: out of what comes before it. */
  readonly wires: readonly Wire[];
}

export interface Pipeline {
  /** In the order in which they run. */
  readonly before: readonly PipelineModel[];
  readonly after: readonly PipelineModel[];
}

/** Models of one pipeline beside the one that is deployed. */
export const pipelineModelsMax = 8;
/** As many as a model has tensors at most. */
const wiresMax = 256;
const tensorNameRule = { lengthMax: 512 };

/** All but the one that is deployed, in order; none where there is no pipeline. */
export function pipelineModels(pipeline: Pipeline | undefined): readonly PipelineModel[] {
  return pipeline === undefined ? [] : [...pipeline.before, ...pipeline.after];
}

/** Problems go to the reader. */
export function readPipeline(reader: FieldReader): Pipeline {
  const pipeline = { before: readModels(reader, 'before'), after: readModels(reader, 'after') };
  const count = pipelineModels(pipeline).length;
  if (count === 0) reader.reject('is empty');
  if (count > pipelineModelsMax) reader.reject(`has more than ${pipelineModelsMax} models`);
  return pipeline;
}

function readModels(reader: FieldReader, side: 'before' | 'after'): readonly PipelineModel[] {
  return reader.list(side, pipelineModelsMax).map((value, index) => {
    const one = reader.nest(value, `${side}[${index}] of a pipeline`);
    return {
      model: one.text('model', modelNameRule),
      version: one.text('version', versionNameRule),
      sha256: one.text('sha256', sha256Rule),
      wires: one.list('wires', wiresMax).map((wire) => {
        const ends = one.nest(wire, 'a wire');
        return { output: ends.text('output', tensorNameRule), input: ends.text('input', tensorNameRule) };
      }),
    };
  });
}

/** `readPipeline` of it gives the same back. */
export function pipelineJson({ before, after }: Pipeline): Readonly<Record<string, unknown>> {
  return { before: before.map(modelJson), after: after.map(modelJson) };
}

function modelJson({ model, version, sha256, wires }: PipelineModel): Readonly<Record<string, unknown>> {
  return { model, version, sha256, wires: wires.map(({ output, input }) => ({ output, input })) };
}

/** Whether both say the same, or nothing. */
export function isSamePipeline(left: Pipeline | undefined, right: Pipeline | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return JSON.stringify(pipelineJson(left)) === JSON.stringify(pipelineJson(right));
}

/** `scale@1.0.0 -> digits@2.0.0 -> top-label@1.0.0`, in the order in which they run. */
export function pipelineText(
  { before, after }: Pipeline,
  deployed: Pick<PipelineModel, 'model' | 'version'>,
): string {
  return [...before, deployed, ...after].map(({ model, version }) => `${model}@${version}`).join(' -> ');
}
