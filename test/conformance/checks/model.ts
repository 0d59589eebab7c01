/** Metadata and readiness of models, with a version in the path and without. */
import { inspect } from 'node:util';
import { type Check, type CheckContext, CheckSkipped, failureOf } from '../check.ts';
import { isDatatype } from '../datatype.ts';
import type { DiscoveredModel } from '../discovered-model.ts';
import {
  expectErrorBody,
  expectFields,
  expectLive,
  expectObject,
  expectOk,
  expectRefused,
} from '../expectations.ts';
import type { Exchange } from '../http-talk.ts';
import { isObject } from '../infer-message.ts';
import { expectHealthBody } from './server.ts';

export const unknownName = 'no-such-model-4711';

export const modelChecks: readonly Check[] = [
  {
    id: 'model.metadata',
    title: 'every model describes its inputs and outputs',
    level: 'core',
    clause:
      'Model Metadata: GET v2/models/{m} gives name, versions?, platform, inputs and outputs of {name, datatype, shape}',
    run: async (context: CheckContext): Promise<void> => {
      for (const model of context.models) await expectMetadata(context, model, model.path);
    },
  },
  {
    id: 'model.metadata-version',
    title: 'a version of a model describes itself',
    level: 'core',
    clause: 'Model Metadata: GET v2/models/{m}/versions/{v}',
    run: async (context: CheckContext): Promise<void> => {
      const { model, path } = await versioned(context);
      await expectMetadata(context, model, path);
    },
  },
  {
    id: 'model.ready',
    title: 'every model says that it is ready',
    level: 'core',
    clause: 'Health: GET v2/models/{m}/ready is 200; empty or {"name", "ready": true}',
    run: async (context: CheckContext): Promise<void> => {
      for (const { path } of context.models) {
        expectHealthBody(await expectOk(context, { method: 'GET', path: `${path}/ready` }));
      }
    },
  },
  {
    id: 'model.ready-version',
    title: 'a version of a model says that it is ready',
    level: 'core',
    clause: 'Health: GET v2/models/{m}/versions/{v}/ready',
    run: async (context: CheckContext): Promise<void> => {
      const { path } = await versioned(context);
      expectHealthBody(await expectOk(context, { method: 'GET', path: `${path}/ready` }));
    },
  },
  {
    id: 'model.unknown',
    title: 'a model that there is not has no metadata',
    level: 'core',
    clause: 'Errors: unknown model; 404, or 400 as current Triton',
    run: (context: CheckContext): Promise<void> =>
      expectRefused(context, { method: 'GET', path: `/v2/models/${unknownName}` }, [400, 404]),
  },
  {
    id: 'model.unknown-version',
    title: 'a version that there is not has no metadata',
    level: 'core',
    clause: 'Errors: unknown version; 404, or 400',
    run: (context: CheckContext): Promise<void> => {
      const model = anyModel(context);
      return expectRefused(context, { method: 'GET', path: `${model.path}/versions/987654321` }, [400, 404]);
    },
  },
  {
    id: 'model.unknown-ready',
    title: 'a model that there is not is not ready',
    level: 'core',
    clause: 'Health: the status decides; 400, 404 or 503, with a body that may be empty',
    run: async (context: CheckContext): Promise<void> => {
      const request = { method: 'GET', path: `/v2/models/${unknownName}/ready` } as const;
      const exchange = await context.talk.send(request);
      if (![400, 404, 503].includes(exchange.answer.status))
        throw failureOf(exchange, 'status 400, 404 or 503');
      expectNotReadyBody(exchange);
      await expectLive(context, request);
    },
  },
  {
    id: 'model.wrong-method',
    title: 'metadata is not to be had by POST',
    level: 'robustness',
    clause: 'Errors: wrong method; documented servers answer 405',
    run: (context: CheckContext): Promise<void> =>
      expectRefused(context, { method: 'POST', path: anyModel(context).path, body: '{}' }),
  },
];

async function expectMetadata(context: CheckContext, model: DiscoveredModel, path: string): Promise<void> {
  const [exchange, metadata] = await expectObject(context, { method: 'GET', path });
  expectFields(exchange, metadata, { name: 'string', platform: 'string', inputs: 'list', outputs: 'list' });
  const { name, versions, inputs, outputs } = metadata;
  if (name !== model.name) throw failureOf(exchange, `'name' '${model.name}'`);
  if (versions !== undefined && !isTexts(versions))
    throw failureOf(exchange, "'versions' as a list of texts");
  for (const port of [inputs, outputs].flat()) expectPort(exchange, port);
}

function expectPort(exchange: Exchange, port: unknown): void {
  if (!isObject(port)) throw failureOf(exchange, 'inputs and outputs as objects');
  expectFields(exchange, port, { name: 'string', datatype: 'string', shape: 'list' });
  const { datatype, shape } = port;
  if (!isDatatype(datatype))
    throw failureOf(exchange, 'a datatype of the protocol', `it is ${String(datatype)}`);
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= -1);
  if (!isShape) throw failureOf(exchange, 'a shape of whole numbers, -1 for a free one', inspect(shape));
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function expectNotReadyBody(exchange: Exchange): void {
  const { body } = exchange.answer;
  if (body.length === 0 || /"ready"\s*:\s*false/.test(body.toString())) return;
  expectErrorBody(exchange);
}

/**
 * The first version of a model that says it is ready. Versions are optional in the protocol, and a server may list some
 * that are not loaded; when none of those listed is ready, the first is taken, and fails.
 */
export async function versioned(
  context: CheckContext,
  models: readonly DiscoveredModel[] = context.models,
): Promise<{ readonly model: DiscoveredModel; readonly version: string; readonly path: string }> {
  const all = models.flatMap((model) =>
    model.versions.map((version) => {
      return { model, version, path: `${model.path}/versions/${encodeURIComponent(version)}` };
    }),
  );
  const [first] = all;
  if (first === undefined) throw new CheckSkipped('no model says that it has versions');
  for (const one of all) {
    const { answer } = await context.talk.send({ method: 'GET', path: `${one.path}/ready` });
    if (answer.status === 200) return one;
  }
  return first;
}

export function anyModel({ models }: CheckContext): DiscoveredModel {
  const [first] = models;
  if (first === undefined) throw new CheckSkipped('there is no model');
  return first;
}
