/** Inference as JSON: what every server of the protocol must do with a well-formed request. */
import { type Check, type CheckContext, CheckSkipped, failureOf } from '../check.ts';
import {
  expectInference,
  inferBody,
  inferRequest,
  isReady,
  modelFor,
  type ReadyModel,
} from '../expectations.ts';
import { jsonBody, jsonMessage, jsonInput } from '../infer-message.ts';
import { versioned } from './model.ts';

/** For checks that ask the model about something else than its datatypes: whichever form it speaks. */
function sampleRequest(model: ReadyModel, options: Parameters<typeof inferBody>[2] = {}, path?: string) {
  return inferRequest(model, inferBody(model.sample.form, model.sample.tensors, options), path);
}

export const inferChecks: readonly Check[] = [
  {
    id: 'infer.content-type',
    title: 'the answer to a JSON request says that it is JSON',
    level: 'core',
    clause: 'HTTP/REST: requests and responses are JSON, with Content-Type application/json',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      const [exchange] = await expectInference(context, model, sampleRequest(model));
      const type = exchange.answer.headers.get('content-type') ?? 'missing';
      if (!/^application\/json\b/i.test(type)) {
        throw failureOf(exchange, 'Content-Type application/json', `it is ${type}`);
      }
    },
  },
  {
    id: 'infer.version',
    title: 'a version in the path answers, and says so',
    level: 'core',
    clause: 'Inference: POST v2/models/{m}/versions/{v}/infer; model_version in the response',
    run: async (context: CheckContext): Promise<void> => {
      const { model, version, path } = await versioned(context, context.models.filter(isReady));
      if (!isReady(model)) throw new CheckSkipped('no model answers requests');
      const [exchange, answer] = await expectInference(context, model, sampleRequest(model, {}, path));
      if (answer.modelVersion !== undefined && answer.modelVersion !== version) {
        throw failureOf(exchange, `'model_version' '${version}'`);
      }
    },
  },
  {
    id: 'infer.id',
    title: 'the id of a request comes back',
    level: 'core',
    clause: 'Inference Response: "id" is the identifier given in the request',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      for (const id of ['conformance-1', 'gr\u00fc\u00dfe "2" \\ \u4e16', '9007199254740993']) {
        const [exchange, answer] = await expectInference(context, model, sampleRequest(model, { id }));
        if (answer.id !== id) throw failureOf(exchange, `'id' ${JSON.stringify(id)}`);
      }
    },
  },
  {
    id: 'infer.nested',
    title: 'data may be nested as the shape says',
    level: 'core',
    clause: 'Tensor Data: row-major, flat or in nested lists',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json', { of: 'with two dimensions', is: (one) => hasRank(one, 2) });
      const body = jsonBody(model.sample.tensors, { isNested: true });
      await expectInference(context, model, inferRequest(model, body));
    },
  },
  {
    id: 'infer.outputs',
    title: 'only the outputs asked for come back',
    level: 'core',
    clause: 'Inference Request: "outputs" are those requested; without it all',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json', {
        of: 'with two outputs',
        is: (one) => one.outputs.length > 1,
      });
      for (const { name } of model.outputs) {
        await expectInference(context, model, sampleRequest(model, { outputs: [{ name }] }), [name]);
      }
    },
  },
  {
    id: 'infer.input-order',
    title: 'inputs are known by their names and not by their place',
    level: 'core',
    clause: 'Inference Request: each input has the name that the metadata gives it',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json', { of: 'with two inputs', is: (one) => one.inputs.length > 1 });
      const reversed = jsonBody(model.sample.tensors.toReversed());
      await expectInference(context, model, inferRequest(model, reversed));
    },
  },
  {
    id: 'infer.empty-parameters',
    title: 'parameters without members are as good as none',
    level: 'core',
    clause: 'Parameters: an object of zero or more name/value pairs at request, input and output',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      const inputs = model.sample.tensors.map((tensor) => ({ ...jsonInput(tensor), parameters: {} }));
      const outputs = model.outputs.map(({ name }) => ({ name, parameters: {} }));
      await expectInference(
        context,
        model,
        inferRequest(model, jsonMessage({ parameters: {}, inputs, outputs })),
      );
    },
  },
  {
    id: 'infer.json-forms',
    title: 'the same JSON in another spelling is the same request',
    level: 'core',
    clause: 'RFC 8259: white space between tokens, escapes in texts, members in any order',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'json');
      await expectInference(context, model, inferRequest(model, respelled(model)));
    },
  },
  {
    id: 'infer.parameters',
    title: 'parameters of the three kinds of value are taken',
    level: 'extension',
    extension: 'parameters',
    clause: 'Parameters extension: string, number or boolean by name; those that nobody knows do no harm',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'any');
      const parameters = { conformance_text: 'a', conformance_number: 1, conformance_flag: true };
      await expectInference(context, model, sampleRequest(model, { parameters }));
    },
  },
];

function hasRank(model: ReadyModel, rank: number): boolean {
  return model.sample.tensors.some(({ shape }) => shape.length >= rank);
}

function respelled({ sample, outputs }: ReadyModel): ReturnType<typeof jsonMessage> {
  const inputs = sample.tensors.map((tensor) => {
    const { name, shape, datatype, data } = jsonInput(tensor);
    return { data: data ?? [], datatype, shape, name };
  });
  const compact = jsonMessage({ outputs: outputs.map(({ name }) => ({ name })), inputs });
  const text = compact.body
    .toString()
    .replace(/^\{/, ' {\r\n\t')
    .replaceAll('"datatype":', '"\\u0064atatype" :\n')
    .replace(/\}$/, '\n}\n');
  return { ...compact, body: Buffer.from(text) };
}
