/**
 * One check for each datatype as JSON, over every model that takes it; and the 64-bit integers that a double cannot hold.
 * Values are compared where a model gives back what it gets; everywhere the answer must be as the metadata says.
 */
import { type Check, type CheckContext, CheckFailure, CheckSkipped, failureOf } from '../check.ts';
import { type Datatype, datatypes, datatypeTable, type Element } from '../datatype.ts';
import type { DiscoveredModel, Form } from '../discovered-model.ts';
import {
  expectEcho,
  expectInference,
  inferBody,
  inferRequest,
  isReady,
  type ReadyModel,
} from '../expectations.ts';
import { NoAnswer } from '../http-talk.ts';
import { filledTensor, type Tensor } from '../tensor.ts';

const jsonDatatypes = datatypes.filter((datatype) => datatypeTable[datatype].hasJson);

export const datatypeChecks: readonly Check[] = [
  ...jsonDatatypes.map((datatype): Check => ({
    id: `infer.json.${datatype}`,
    title: `${datatype} as JSON`,
    level: 'core',
    clause: `Tensor Data Types: ${datatype}; Inference Response: name, shape, datatype and data of each output`,
    run: (context: CheckContext): Promise<void> =>
      expectDatatype(context, { datatype, form: 'json', edges: datatypeTable[datatype].edges }),
  })),
  ...(['INT64', 'UINT64'] as const).map((datatype): Check => ({
    id: `infer.exact.${datatype}`,
    title: `${datatype} beyond 2^53 as JSON, exact to the last digit`,
    level: 'core',
    clause: `Tensor Data Types: ${datatype} holds 64 bits; JSON numbers have as many digits as they need`,
    run: async (context: CheckContext): Promise<void> => {
      const echoes = takers(context, datatype, 'json')
        .filter(isReady)
        .filter((model) => echoesOf(model, datatype));
      if (echoes.length === 0) throw new CheckSkipped(`no model gives an ${datatype} back as it came`);
      for (const model of echoes) {
        const edges = datatypeTable[datatype].binaryEdges;
        await expectRounds(context, model, { datatype, form: 'json', edges });
      }
    },
  })),
];

export interface DatatypeRun {
  readonly datatype: Datatype;
  readonly form: Form;
  /** For models that give back what they get; others are sent ordinary values. */
  readonly edges: readonly Element[];
}

/** Skipped when no model takes the datatype; a model that takes it and refuses it is a failure. */
export async function expectDatatype(context: CheckContext, run: DatatypeRun): Promise<void> {
  const { datatype, form } = run;
  for (const model of takers(context, datatype, form)) {
    if (!isReady(model)) throw refusal(model);
    if (echoesOf(model, datatype)) await expectRounds(context, model, run);
    else await expectRounds(context, model, { ...run, edges: [] });
  }
}

/** Models with an input of the datatype that can be asked in the form. */
function takers({ models }: CheckContext, datatype: Datatype, form: Form): readonly DiscoveredModel[] {
  const found = models.filter(({ inputs, sample }) => {
    const canBeAsked = sample.kind !== 'none' && (form === 'binary' || sample.form === 'json');
    return canBeAsked && inputs.some((input) => input.datatype === datatype);
  });
  if (found.length === 0)
    throw new CheckSkipped(`no model takes ${datatype}${form === 'json' ? ' as JSON' : ''}`);
  return found;
}

function echoesOf(model: ReadyModel, datatype: Datatype): boolean {
  return model.inputs.some((input) => input.datatype === datatype && model.echoes.has(input.name));
}

function refusal({ name, sample }: DiscoveredModel): Error {
  if (sample.kind !== 'refused') return new CheckSkipped(`'${name}' cannot be asked`);
  const expected = `an answer of '${name}' to inputs as its metadata says (does it need others? see --sample)`;
  const { last } = sample;
  if (!(last instanceof NoAnswer)) return failureOf(last, expected);
  return new CheckFailure({ sent: last.request, expected, received: last.message });
}

/** As many requests as the edges need, in tensors of the size that the model is known to take. */
async function expectRounds(
  context: CheckContext,
  model: ReadyModel,
  { datatype, form, edges }: DatatypeRun,
): Promise<void> {
  const { tensors } = model.sample;
  const takes = (tensor: Tensor): boolean => tensor.datatype === datatype && model.echoes.has(tensor.name);
  const size = Math.max(1, Math.min(...tensors.filter(takes).map(({ elements }) => elements.length)));
  const rounds = Number.isFinite(size) ? Math.max(1, Math.ceil(edges.length / size)) : 1;
  for (let round = 0; round < rounds; round++) {
    const sent = tensors.map((tensor) =>
      edges.length > 0 && takes(tensor) ? filledTensor(tensor, edges, round * size) : tensor,
    );
    const [exchange, answer] = await expectInference(
      context,
      model,
      inferRequest(model, inferBody(form, sent)),
    );
    expectEcho(exchange, { model, tensors: sent, answer });
    const odd = answer.outputs.find(({ isBinary }) => isBinary !== (form === 'binary'));
    if (odd !== undefined)
      throw failureOf(exchange, `'${odd.name}' as ${form === 'binary' ? 'bytes' : 'JSON'}`);
  }
}
