/**
 * What several models are as one: how the tensors go from each to the next, what callers send and what they get. It is
 * asked before a pipeline is signed and again by every node that is to run it, so both say the same.
 */
import type { Parsed } from './field-reader.ts';
import { type Pipeline, pipelineModels, pipelineModelsMax, type Wire } from './pipeline.ts';
import { type ModelSignature, shapeFits, type TensorSignature } from './signature.ts';
import type { VersionMetadata } from './version-metadata.ts';

/** Where an input of a model comes from. */
export type InputSource =
  /** From the caller: the index among the inputs of the whole. */
  | { readonly from: 'caller'; readonly index: number }
  /** From the model before it: the index among its outputs. */
  | { readonly from: 'before'; readonly index: number };

export interface ChainedModel {
  readonly version: VersionMetadata;
  /** In the order of its signature. */
  readonly sources: readonly InputSource[];
}

export interface ModelChain {
  readonly models: readonly ChainedModel[];
  /** What callers send and get. */
  readonly signature: ModelSignature;
}

/** Finds a version of the store by its names. */
export type FindVersion = (id: {
  readonly model: string;
  readonly version: string;
}) => VersionMetadata | undefined;

/** Bounds the inputs of the whole, as those of one model are. */
const callerInputsMax = 256;

/** The models in the order in which they run, or why they cannot be one, as a whole sentence. */
export function chainOf(
  pipeline: Pipeline,
  deployed: VersionMetadata,
  find: FindVersion,
): Parsed<ModelChain> {
  const { before, after } = pipeline;
  const parts = pipelineModels(pipeline);
  if (parts.length > pipelineModelsMax) {
    return no(
      `A pipeline has ${pipelineModelsMax} models beside the deployed one at most, not ${parts.length}.`,
    );
  }
  const versions: VersionMetadata[] = [];
  for (const id of [...before, { model: deployed.name, version: deployed.version }, ...after]) {
    const version = versions.length === before.length ? deployed : find(id);
    if (version === undefined) return no(`${id.model} ${id.version} is not in the store.`);
    versions.push(version);
  }
  const stateful = versions.find(({ state }) => state.length > 0);
  if (stateful !== undefined) {
    return no(
      `${nameOf(stateful)} has state, and a model with state runs alone: deploy it without a pipeline.`,
    );
  }
  return joined(
    versions,
    parts.map(({ wires }) => wires),
  );
}

/** `wires[i]` are those from model `i` to the next one. */
function joined(
  versions: readonly VersionMetadata[],
  wires: readonly (readonly Wire[])[],
): Parsed<ModelChain> {
  const inputs: TensorSignature[] = [];
  const models: ChainedModel[] = [];
  for (const [index, version] of versions.entries()) {
    const giver = versions[index - 1];
    const taken =
      giver === undefined ? new Map<string, number>() : wiring(giver, version, wires[index - 1] ?? []);
    if (typeof taken === 'string') return no(taken);
    const sources: InputSource[] = [];
    for (const input of version.signature.inputs) {
      const output = taken.get(input.name);
      if (output !== undefined) {
        sources.push({ from: 'before', index: output });
        continue;
      }
      if (inputs.some(({ name }) => name === input.name)) {
        return no(
          `Two models would take an input ${input.name} from callers, one of them ${nameOf(version)}. Wire it, or rename it in one of them.`,
        );
      }
      sources.push({ from: 'caller', index: inputs.length });
      inputs.push(input);
    }
    models.push({ version, sources });
  }
  if (inputs.length > callerInputsMax) {
    return no(`Callers would have to send ${inputs.length} inputs; the limit is ${callerInputsMax}.`);
  }
  const batching = versions.every(({ signature }) => signature.batching === 'rows') ? 'rows' : 'none';
  const outputs = versions.at(-1)?.signature.outputs ?? [];
  return { ok: true, value: { models, signature: { inputs, outputs, batching } } };
}

/** By input of `taker` the index of the output that goes there, or what is wrong with the wires. */
function wiring(
  giver: VersionMetadata,
  taker: VersionMetadata,
  wires: readonly Wire[],
): ReadonlyMap<string, number> | string {
  const taken = new Map<string, number>();
  for (const wire of wires) {
    const outputIndex = giver.signature.outputs.findIndex(({ name }) => name === wire.output);
    const output = giver.signature.outputs[outputIndex];
    const input = taker.signature.inputs.find(({ name }) => name === wire.input);
    if (output === undefined) {
      return `${nameOf(giver)} has no output ${wire.output}. It has: ${namesOf(giver.signature.outputs)}.`;
    }
    if (input === undefined) {
      return `${nameOf(taker)} has no input ${wire.input}. It has: ${namesOf(taker.signature.inputs)}.`;
    }
    if (taken.has(input.name)) return `The input ${input.name} of ${nameOf(taker)} is wired twice.`;
    if (output.datatype !== input.datatype || !shapeFits(output.shape, input.shape)) {
      return `The output ${output.name} of ${nameOf(giver)} is ${typeText(output)}, and the input ${input.name} of ${nameOf(taker)} takes ${typeText(input)}.`;
    }
    taken.set(input.name, outputIndex);
  }
  return taken.size > 0 ? taken : `Nothing goes from ${nameOf(giver)} to ${nameOf(taker)}.`;
}

/**
 * The wires that nobody needs to name: every tensor with one name on both sides, or else the only output and the only
 * input. Undefined when neither leads anywhere.
 */
export function evidentWires(giver: ModelSignature, taker: ModelSignature): readonly Wire[] | undefined {
  const inputs = new Set(taker.inputs.map(({ name }) => name));
  const same = giver.outputs.filter(({ name }) => inputs.has(name));
  if (same.length > 0) return same.map(({ name }) => ({ output: name, input: name }));
  const [[output, second], [input, further]] = [giver.outputs, taker.inputs];
  if (output === undefined || input === undefined || second !== undefined || further !== undefined) {
    return undefined;
  }
  return [{ output: output.name, input: input.name }];
}

function nameOf({ name, version }: VersionMetadata): string {
  return `${name} ${version}`;
}

function namesOf(tensors: readonly TensorSignature[]): string {
  return tensors.map(({ name }) => name).join(', ');
}

function typeText({ datatype, shape }: TensorSignature): string {
  return `${datatype} [${shape.join()}]`;
}

function no(message: string): Parsed<never> {
  return { ok: false, message };
}
