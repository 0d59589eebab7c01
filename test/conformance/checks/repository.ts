/** The model repository extension. Loading and unloading change what others see, so they are done only when asked for. */
import { type Check, type CheckContext, CheckSkipped, failureOf } from '../check.ts';
import { modelPath } from '../discovered-model.ts';
import {
  expectInference,
  expectJson,
  expectOk,
  expectRefused,
  inferBody,
  inferRequest,
  modelFor,
} from '../expectations.ts';
import type { Exchange, HttpRequest } from '../http-talk.ts';
import { isObject } from '../infer-message.ts';
import { unknownName } from './model.ts';

const states = new Set(['UNKNOWN', 'READY', 'UNAVAILABLE', 'LOADING', 'UNLOADING']);
const jsonType = { 'content-type': 'application/json' };

export const repositoryChecks: readonly Check[] = [
  repository({
    id: 'index',
    title: 'the index lists the models with their states',
    clause: 'POST v2/repository/index, with or without a body, gives [{name, version?, state, reason}]',
    run: async (context: CheckContext): Promise<void> => {
      const bodies = [{}, { headers: jsonType, body: '{}' }] as const;
      for (const body of bodies) {
        await expectIndex(context, { method: 'POST', path: '/v2/repository/index', ...body });
      }
    },
  }),
  repository({
    id: 'index-ready',
    title: 'the index can be of ready models alone',
    clause: 'POST v2/repository/index with {"ready": true} leaves out what is not ready',
    run: async (context: CheckContext): Promise<void> => {
      const request = {
        method: 'POST',
        path: '/v2/repository/index',
        headers: jsonType,
        body: '{"ready":true}',
      } as const;
      await expectIndex(context, request, 'READY');
    },
  }),
  repository({
    id: 'load-unknown',
    title: 'a model that there is not cannot be loaded',
    clause: 'POST v2/repository/models/{m}/load; errors are {"error": "..."}',
    run: (context: CheckContext): Promise<void> => expectRefused(context, change(unknownName, 'load')),
  }),
  repository({
    id: 'unload-load',
    title: 'a model that is unloaded does not answer, and answers when it is loaded again',
    clause: 'POST v2/repository/models/{m}/unload and /load are 200; loading what is loaded loads it again',
    run: async (context: CheckContext): Promise<void> => {
      if (!context.mayChangeModels) {
        throw new CheckSkipped('it takes a model out of service for a moment; allow it with --change-models');
      }
      await expectUnloadAndLoad(context);
    },
  }),
];

function repository({ id, title, clause, run }: Pick<Check, 'id' | 'title' | 'clause' | 'run'>): Check {
  const where = `Model Repository extension: ${clause}`;
  return {
    id: `repository.${id}`,
    title,
    level: 'extension',
    extension: 'model_repository',
    clause: where,
    run,
  };
}

async function expectIndex(context: CheckContext, request: HttpRequest, state?: string): Promise<void> {
  const [exchange, index] = await expectJson(context, request);
  const entries: readonly unknown[] | undefined = Array.isArray(index) ? index : undefined;
  if (entries === undefined) throw failureOf(exchange, 'a list');
  const names = new Set<unknown>();
  for (const entry of entries) {
    if (!isObject(entry) || typeof entry['name'] !== 'string')
      throw failureOf(exchange, "entries with a 'name'");
    const { name, version, reason } = entry;
    names.add(name);
    for (const field of [version, reason]) {
      if (field !== undefined && typeof field !== 'string')
        throw failureOf(exchange, "'version' and 'reason' as texts");
    }
    const given = typeof entry['state'] === 'string' ? entry['state'] : undefined;
    if (given === undefined || !states.has(given))
      throw failureOf(exchange, `'state' as one of ${[...states].join(', ')}`);
    if (state !== undefined && given !== state) throw failureOf(exchange, `only entries that are ${state}`);
  }
  const missing = context.models.find(({ name }) => !names.has(name));
  if (missing !== undefined) throw failureOf(exchange, `the model '${missing.name}' in the index`);
}

async function expectUnloadAndLoad(context: CheckContext): Promise<void> {
  const model = modelFor(context, 'any');
  const { form, tensors } = model.sample;
  const infer = inferRequest(model, inferBody(form, tensors));
  let loaded: Exchange;
  try {
    await expectOk(context, change(model.name, 'unload'));
    const ready = await context.talk.send({ method: 'GET', path: `${model.path}/ready` });
    if (ready.answer.status === 200) throw failureOf(ready, 'a model that is not ready any more');
    const refused = await context.talk.send(infer);
    if (refused.answer.status < 400) throw failureOf(refused, 'an error from a model that is unloaded');
  } finally {
    // Whatever was found, the server is left as it was.
    loaded = await context.talk.send(change(model.name, 'load'));
  }
  if (loaded.answer.status !== 200) throw failureOf(loaded, 'status 200');
  await expectOk(context, { method: 'GET', path: `${modelPath(model.name)}/ready` });
  await expectInference(context, model, infer);
  await expectOk(context, change(model.name, 'load'));
  await expectInference(context, model, infer);
}

function change(model: string, what: 'load' | 'unload'): HttpRequest {
  const path = `/v2/repository/models/${encodeURIComponent(model)}/${what}`;
  return { method: 'POST', path, headers: jsonType, body: '{}' };
}
