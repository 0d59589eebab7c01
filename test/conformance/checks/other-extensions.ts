/** Extensions with one or two things to check each, and the trailing slash, which no server has to accept. */
import { type Check, type CheckContext, CheckSkipped, failureOf } from '../check.ts';
import {
  expectFields,
  expectInference,
  expectObject,
  expectOk,
  expectRefused,
  inferBody,
  inferRequest,
  modelFor,
  type ReadyModel,
} from '../expectations.ts';
import type { InferOptions } from '../infer-message.ts';
import { isObject, readInferAnswer } from '../infer-message.ts';
import { anyModel, unknownName, versioned } from './model.ts';

export const otherExtensionChecks: readonly Check[] = [
  {
    id: 'config.model',
    title: 'a model says how it is configured',
    level: 'extension',
    extension: 'model_configuration',
    clause:
      'Model Configuration extension: GET v2/models/{m}/config gives name, max_batch_size, input, output',
    run: (context: CheckContext): Promise<void> => expectConfiguration(context, anyModel(context)),
  },
  {
    id: 'config.version',
    title: 'a version says how it is configured',
    level: 'extension',
    extension: 'model_configuration',
    clause: 'Model Configuration extension: GET v2/models/{m}/versions/{v}/config',
    run: async (context: CheckContext): Promise<void> =>
      expectConfiguration(context, { ...(await versioned(context)) }),
  },
  {
    id: 'config.unknown-model',
    title: 'a model that there is not has no configuration',
    level: 'extension',
    extension: 'model_configuration',
    clause: 'Model Configuration extension: errors are {"error": "..."}; 404, or 400',
    run: (context: CheckContext): Promise<void> => {
      return expectRefused(context, { method: 'GET', path: `/v2/models/${unknownName}/config` }, [400, 404]);
    },
  },
  {
    id: 'schedule.priority',
    title: 'a request may have a priority',
    level: 'extension',
    extension: 'schedule_policy',
    clause: 'Schedule Policy extension: parameter "priority", 0 is the default and 1 the most urgent',
    run: async (context: CheckContext): Promise<void> => {
      for (const priority of [0, 1]) await expectAnswer(context, { parameters: { priority } });
    },
  },
  {
    id: 'schedule.timeout',
    title: 'a request may have a timeout',
    level: 'extension',
    extension: 'schedule_policy',
    clause: 'Schedule Policy extension: parameter "timeout" in microseconds, 0 for none',
    run: async (context: CheckContext): Promise<void> => {
      for (const timeout of [0, 60_000_000]) await expectAnswer(context, { parameters: { timeout } });
    },
  },
  {
    id: 'classification.largest',
    title: 'an output can be had as its largest elements',
    level: 'extension',
    extension: 'classification',
    clause:
      'Classification extension: output parameter "classification": N gives BYTES "value:index[:label]", largest first',
    run: expectClassification,
  },
  {
    id: 'logging.settings',
    title: 'the settings of the log can be read',
    level: 'extension',
    extension: 'logging',
    clause: 'Logging extension: GET v2/logging gives an object of settings',
    run: async (context: CheckContext): Promise<void> => {
      await expectObject(context, { method: 'GET', path: '/v2/logging' });
    },
  },
  {
    id: 'trace.settings',
    title: 'the settings of the trace can be read',
    level: 'extension',
    extension: 'trace',
    clause: 'Trace extension: GET v2/trace/setting gives an object of settings',
    run: async (context: CheckContext): Promise<void> => {
      await expectObject(context, { method: 'GET', path: '/v2/trace/setting' });
    },
  },
  {
    id: 'slash.everywhere',
    title: 'a server that accepts a slash at the end of a path does so everywhere',
    level: 'extension',
    clause: 'Optional: the OpenAPI text of the protocol has /v2/, and Triton answers 404 to it',
    run: async (context: CheckContext): Promise<void> => {
      const probe = await context.talk.send({ method: 'GET', path: '/v2/health/live/' });
      if (probe.answer.status !== 200) {
        throw new CheckSkipped(
          `a slash at the end is not accepted (${probe.answer.status}), and need not be`,
        );
      }
      const model = modelFor(context, 'any');
      const paths = ['/v2/', '/v2/health/ready/', `${model.path}/`, `${model.path}/ready/`];
      for (const path of paths) await expectOk(context, { method: 'GET', path });
      const request = inferRequest(model, inferBody(model.sample.form, model.sample.tensors));
      await expectInference(context, model, { ...request, path: `${request.path}/` });
    },
  },
];

async function expectConfiguration(
  context: CheckContext,
  of: { readonly path: string; readonly name?: string; readonly model?: { readonly name: string } },
): Promise<void> {
  const [exchange, configuration] = await expectObject(context, { method: 'GET', path: `${of.path}/config` });
  expectFields(exchange, configuration, {
    name: 'string',
    max_batch_size: 'number',
    input: 'list',
    output: 'list',
  });
  const name = of.name ?? of.model?.name;
  if (configuration['name'] !== name) throw failureOf(exchange, `'name' '${name ?? ''}'`);
  for (const port of [configuration['input'], configuration['output']].flat()) {
    if (!isObject(port)) throw failureOf(exchange, 'inputs and outputs as objects');
    expectFields(exchange, port, { name: 'string', data_type: 'string', dims: 'list' });
    if (!String(port['data_type']).startsWith('TYPE_')) throw failureOf(exchange, "'data_type' as TYPE_...");
  }
}

async function expectAnswer(context: CheckContext, options: InferOptions): Promise<void> {
  const model = modelFor(context, 'any');
  await expectInference(
    context,
    model,
    inferRequest(model, inferBody(model.sample.form, model.sample.tensors, options)),
  );
}

async function expectClassification(context: CheckContext): Promise<void> {
  const isClassified = ({ inputs, outputs }: ReadyModel): boolean => {
    return (
      inputs.length > 0 &&
      outputs.some(({ datatype, shape }) => /^FP32|^FP64/.test(datatype) && shape.length === 2)
    );
  };
  const model = modelFor(context, 'json', { of: 'with a float output of two dimensions', is: isClassified });
  const output = model.outputs.find(
    ({ datatype, shape }) => /^FP32|^FP64/.test(datatype) && shape.length === 2,
  );
  const outputs = [{ name: output?.name ?? '', parameters: { classification: 1 } }];
  const exchange = await expectOk(
    context,
    inferRequest(model, inferBody('json', model.sample.tensors, { outputs })),
  );
  const read = readInferAnswer(exchange.answer);
  if (!read.ok) throw failureOf(exchange, 'an inference response', read.problem);
  const [classes] = read.value.outputs;
  if (classes?.datatype !== 'BYTES') throw failureOf(exchange, 'BYTES');
  const odd = classes.elements.find((element) => !/^[^:]+:\d+(:.*)?$/.test(String(element)));
  if (odd !== undefined)
    throw failureOf(exchange, 'texts of the form value:index[:label]', JSON.stringify(odd));
}
