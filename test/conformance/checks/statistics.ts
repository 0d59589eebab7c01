/** The statistics extension: its shape, and that it counts what is asked. */
import { inspect } from 'node:util';
import { type Check, type CheckContext, CheckSkipped, failureOf } from '../check.ts';
import {
  expectFields,
  expectInference,
  expectObject,
  expectRefused,
  inferBody,
  inferRequest,
  modelFor,
} from '../expectations.ts';
import type { Exchange } from '../http-talk.ts';
import { isObject } from '../infer-message.ts';
import { unknownName, versioned } from './model.ts';

const durations = ['success', 'fail', 'queue', 'compute_input', 'compute_infer', 'compute_output'];

export const statisticsChecks: readonly Check[] = [
  statistics({
    id: 'all',
    title: 'the statistics of all models',
    clause: 'GET v2/models/stats gives {"model_stats": [...]}',
    run: async (context: CheckContext): Promise<void> => {
      const [exchange, stats] = await statisticsAt(context, '/v2/models/stats');
      const missing = context.models.find(({ name }) => stats.every((one) => one['name'] !== name));
      if (missing !== undefined) throw failureOf(exchange, `statistics of '${missing.name}'`);
    },
  }),
  statistics({
    id: 'model',
    title: 'the statistics of one model count its requests',
    clause: 'GET v2/models/{m}/stats; inference_stats.success counts answered requests, inference_count rows',
    run: async (context: CheckContext): Promise<void> => {
      const model = modelFor(context, 'any');
      const { form, tensors } = model.sample;
      const [, before] = await statisticsAt(context, `${model.path}/stats`);
      await expectInference(context, model, inferRequest(model, inferBody(form, tensors)));
      const [exchange, after] = await statisticsAt(context, `${model.path}/stats`);
      const grown = successes(after) - successes(before);
      if (grown < 1)
        throw failureOf(exchange, 'inference_stats.success.count larger by the request just answered');
    },
  }),
  statistics({
    id: 'version',
    title: 'the statistics of one version',
    clause: 'GET v2/models/{m}/versions/{v}/stats',
    run: async (context: CheckContext): Promise<void> => {
      const { model, version, path } = await versioned(context);
      const [exchange, stats] = await statisticsAt(context, `${path}/stats`);
      const isOther = stats.some((one) => one['name'] !== model.name || one['version'] !== version);
      if (isOther || stats.length === 0) throw failureOf(exchange, `statistics of version ${version} alone`);
    },
  }),
  statistics({
    id: 'unknown-model',
    title: 'a model that there is not has no statistics',
    clause: 'errors are {"error": "..."}; 404, or 400',
    run: (context: CheckContext): Promise<void> => {
      return expectRefused(context, { method: 'GET', path: `/v2/models/${unknownName}/stats` }, [400, 404]);
    },
  }),
];

function statistics({ id, title, clause, run }: Pick<Check, 'id' | 'title' | 'clause' | 'run'>): Check {
  const where = `Statistics extension: ${clause}`;
  return { id: `statistics.${id}`, title, level: 'extension', extension: 'statistics', clause: where, run };
}

type Fields = Readonly<Record<string, unknown>>;

async function statisticsAt(context: CheckContext, path: string): Promise<[Exchange, readonly Fields[]]> {
  const [exchange, value] = await expectObject(context, { method: 'GET', path });
  expectFields(exchange, value, { model_stats: 'list' });
  const list = (value['model_stats'] as readonly unknown[]).filter(isObject);
  for (const one of list) {
    expectFields(exchange, one, {
      name: 'string',
      version: 'string',
      inference_stats: 'object',
      batch_stats: 'list',
    });
    for (const count of ['last_inference', 'inference_count', 'execution_count'])
      expectCount(exchange, one, count);
    for (const name of durations) {
      const duration = isObject(one['inference_stats']) ? one['inference_stats'][name] : undefined;
      if (!isObject(duration)) throw failureOf(exchange, `inference_stats.${name} as {"count", "ns"}`);
      expectCount(exchange, duration, 'count');
      expectCount(exchange, duration, 'ns');
    }
  }
  if (list.length === 0 && context.models.length > 0)
    throw new CheckSkipped('the server has no statistics yet');
  return [exchange, list];
}

/** Nanoseconds may be beyond what a double holds. */
function expectCount(exchange: Exchange, fields: Fields, name: string): void {
  const value = fields[name];
  const isCount = typeof value === 'bigint' || (Number.isInteger(value) && Number(value) >= 0);
  if (!isCount) throw failureOf(exchange, `'${name}' as a whole number`, `it is ${inspect(value)}`);
}

function successes(stats: readonly Fields[]): number {
  const counts = stats.map(({ inference_stats: inference }) => {
    const success = isObject(inference) ? inference['success'] : undefined;
    return isObject(success) ? Number(success['count']) : 0;
  });
  return counts.reduce((sum, count) => sum + count, 0);
}
