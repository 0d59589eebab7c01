/**
 * Requests that cannot be answered, as the protocol and the tests of other servers name them. Each is refused with a 4xx
 * and a reason, and leaves the server live.
 */
import type { Check, CheckContext } from '../check.ts';
import type { JsonValue } from '../exact-json.ts';
import { expectRefused, inferBody, inferRequest, modelFor, type ReadyModel } from '../expectations.ts';
import { headOf, type InferBody, jsonInput, jsonMessage } from '../infer-message.ts';
import type { Tensor } from '../tensor.ts';
import { anyModel, unknownName } from './model.ts';

export const inferErrorChecks: readonly Check[] = [
  badBody('bad-json', 'a body that is not JSON', () => text('{"inputs": [')),
  badBody('no-inputs-field', "a request without 'inputs'", () => jsonMessage({})),
  badBody('no-inputs', "a request whose 'inputs' are empty", () => jsonMessage({ inputs: [] })),
  badBody('not-an-object', 'a body that is a list', () => jsonMessage([])),
  badInput('no-name', 'an input without a name', ({ shape, datatype, elements }) => ({
    shape,
    datatype,
    data: elements,
  })),
  badInput('no-shape', 'an input without a shape', ({ name, datatype, elements }) => ({
    name,
    datatype,
    data: elements,
  })),
  badInput('no-datatype', 'an input without a datatype', ({ name, shape, elements }) => ({
    name,
    shape,
    data: elements,
  })),
  badInput('no-data', 'an input without data', (tensor) => headOf(tensor)),
  badInput('unknown-input', 'an input that the model does not have', (tensor) => {
    return jsonInput({ ...tensor, name: 'no-such-input' });
  }),
  badInput('wrong-datatype', 'a datatype other than that of the model', (tensor) => {
    return { ...jsonInput(tensor), datatype: otherDatatype(tensor) };
  }),
  badInput('unknown-datatype', 'a datatype that the protocol does not have', (tensor) => {
    return { ...jsonInput(tensor), datatype: 'FP33' };
  }),
  badInput('wrong-shape', 'a shape with one dimension too many', (tensor) => {
    return { ...jsonInput(tensor), shape: [...tensor.shape, 1] };
  }),
  {
    ...refusal('wrong-size', 'a fixed dimension of another size'),
    run: (context: CheckContext): Promise<void> => {
      const isFixed = ({ inputs }: ReadyModel): boolean => (inputs[0]?.shape ?? []).some((size) => size > 0);
      const model = modelFor(context, 'json', { of: 'with a fixed dimension', is: isFixed });
      const fixed = model.inputs[0]?.shape.findIndex((size) => size > 0);
      const body = withFirstInput(model, (tensor) => {
        const shape = tensor.shape.map((size, at) => (at === fixed ? size * 2 : size));
        return { ...headOf(tensor), shape, data: [...tensor.elements, ...tensor.elements] };
      });
      return expectRefused(context, inferRequest(model, body));
    },
  },
  badInput('too-few-elements', 'fewer elements than the shape says', (tensor) => {
    return { ...jsonInput(tensor), data: tensor.elements.slice(1) };
  }),
  badInput('too-many-elements', 'more elements than the shape says', (tensor) => {
    return { ...jsonInput(tensor), data: [...tensor.elements, ...tensor.elements.slice(0, 1)] };
  }),
  {
    ...refusal('missing-input', 'a request without one of the inputs'),
    run: (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json', {
        of: 'with two inputs',
        is: ({ inputs }) => inputs.length > 1,
      });
      const body = inferBody('json', model.sample.tensors.slice(1));
      return expectRefused(context, inferRequest(model, body));
    },
  },
  {
    ...refusal('unknown-output', 'an output that the model does not have'),
    run: (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'any');
      const { form, tensors } = model.sample;
      const body = inferBody(form, tensors, { outputs: [{ name: 'no-such-output' }] });
      return expectRefused(context, inferRequest(model, body));
    },
  },
  {
    ...refusal('unknown-model', 'a model that there is not'),
    clause: 'Errors: unknown model; 404, or 400 as current Triton',
    run: (context: CheckContext): Promise<void> => {
      const path = `/v2/models/${unknownName}/infer`;
      return expectRefused(context, { method: 'POST', path, ...anyBody(context) }, [400, 404]);
    },
  },
  {
    ...refusal('unknown-version', 'a version that there is not'),
    clause: 'Errors: unknown version; 404, or 400',
    run: (context: CheckContext): Promise<void> => {
      const path = `${anyModel(context).path}/versions/987654321/infer`;
      return expectRefused(context, { method: 'POST', path, ...anyBody(context) }, [400, 404]);
    },
  },
];

export function refusal(id: string, title: string): Omit<Check, 'run'> {
  const clause = 'Errors: a failed inference request has an HTTP error status and {"error": "..."}';
  return { id: `error.${id}`, title: `${title} is refused`, level: 'core', clause };
}

/** The body has the form that is asked of the first model, so that nothing else is wrong with the request. */
export function badBody(id: string, title: string, body: (model: ReadyModel) => InferBody): Check {
  return {
    ...refusal(id, title),
    run: (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      return expectRefused(context, inferRequest(model, body(model)));
    },
  };
}

/** All inputs are right but the first. */
function badInput(id: string, title: string, spoilt: (tensor: Tensor) => JsonValue): Check {
  return badBody(id, title, (model) => withFirstInput(model, spoilt));
}

export function withFirstInput(model: ReadyModel, change: (tensor: Tensor) => JsonValue): InferBody {
  const [first, ...others] = model.sample.tensors;
  const inputs = [
    ...(first === undefined ? [] : [change(first)]),
    ...others.map((tensor) => jsonInput(tensor)),
  ];
  return jsonMessage({ inputs });
}

export function text(body: string | Uint8Array): InferBody {
  return { headers: { 'content-type': 'application/json' }, body: Buffer.from(body) };
}

/** One whose elements look the same in JSON, so that nothing but its name is wrong. */
function otherDatatype({ datatype }: Tensor): string {
  const others: Readonly<Record<string, string>> = {
    INT64: 'INT32',
    FP32: 'FP64',
    BOOL: 'UINT8',
    BYTES: 'BOOL',
  };
  return others[datatype] ?? (datatype.startsWith('FP') ? 'FP32' : 'INT64');
}

function anyBody(context: CheckContext): InferBody {
  const { sample } = modelFor(context, 'any');
  return inferBody(sample.form, sample.tensors);
}
