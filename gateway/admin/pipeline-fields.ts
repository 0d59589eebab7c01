/** The field of a request that names the models which run before and after the deployed one, and what is answered of it. */
import type { PipelineModelRequest, PipelineRequest } from '../../registry-store/main.ts';
import { pipelineModelsMax } from '../../registry-store/manifest/pipeline.ts';
import { type Schema, list, object, text } from '../openapi/schemas.ts';
import { RequestFields, fieldsOf } from './request-fields.ts';

/** `{"before": [{"model": "scale", "version": "1.0.0"}], "after": [...]}`; without models it ends a pipeline. */
export function readPipelineField(reader: RequestFields): PipelineRequest | undefined {
  if (!reader.has('pipeline')) return undefined;
  const sides = sidesOf(reader.objectIfGiven('pipeline'));
  if (sides === undefined) reader.reject('pipeline', what);
  return sides;
}

const what =
  'is not {"before": [{"model": text, "version": text, "wires": [{"output": text, "input": text}] or left out}], "after": the same}';

function sidesOf(fields: ReadonlyMap<string, unknown> | undefined): PipelineRequest | undefined {
  if (fields === undefined) return undefined;
  const reader = new RequestFields(fields, ['before', 'after']);
  const sides = { before: reader.listIfGiven('before') ?? [], after: reader.listIfGiven('after') ?? [] };
  const [before, after] = [sides.before.map(modelOf), sides.after.map(modelOf)];
  if (reader.problem !== undefined || !isWhole(before) || !isWhole(after)) return undefined;
  return { before, after };
}

function modelOf(value: unknown): PipelineModelRequest | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  const reader = new RequestFields(fields, ['model', 'version', 'wires']);
  const [model, version] = [reader.text('model'), reader.text('version')];
  const wires = reader.listIfGiven('wires')?.map(wireOf);
  if (reader.problem !== undefined) return undefined;
  if (wires === undefined) return { model, version };
  return isWhole(wires) ? { model, version, wires } : undefined;
}

function wireOf(value: unknown): { readonly output: string; readonly input: string } | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  const reader = new RequestFields(fields, ['output', 'input']);
  const wire = { output: reader.text('output'), input: reader.text('input') };
  return reader.problem === undefined ? wire : undefined;
}

function isWhole<Value>(values: readonly (Value | undefined)[]): values is readonly Value[] {
  return values.every((value) => value !== undefined);
}

const wires = list({ ...object({ output: text, input: text }), additionalProperties: false });

export const pipelineRequestSchema: Schema = {
  ...sidesSchema({ model: text, version: text, wires }, ['wires']),
  description: `Models that run before and after this one, ${pipelineModelsMax} in all. Left out, those of the live version stay; without models it runs alone.`,
};

export const pipelineAnswerSchema: Schema = sidesSchema(
  { model: text, version: text, sha256: text, wires },
  [],
);

function sidesSchema(properties: Readonly<Record<string, Schema>>, optional: readonly string[]): Schema {
  const side = { ...list({ ...object(properties, optional), additionalProperties: false }) };
  const sides = {
    before: { ...side, maxItems: pipelineModelsMax },
    after: { ...side, maxItems: pipelineModelsMax },
  };
  return { ...object(sides, optional.length === 0 ? [] : ['before', 'after']), additionalProperties: false };
}
