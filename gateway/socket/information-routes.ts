/**
 * The routes that only tell: health, metadata and metrics. They read the route table in force and answer at once.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import type { RouteTable } from '../route/route-table.ts';
import { fail } from '../wire/error-code.ts';
import { modelMetadata, type ServerIdentity, serverMetadata } from '../wire/oip-metadata.ts';
import { pathParameter } from './path-parameter.ts';
import { answerJson, type RouteRegistry } from './route-registry.ts';

export interface InformationRoutesOptions {
  readonly registry: RouteRegistry;
  readonly identity: ServerIdentity;
  readonly routes: () => RouteTable<ModelGeneration>;
  /** Whether the gateway takes requests and every deployed model can answer. */
  readonly ready: () => boolean;
  readonly metrics: { readonly contentType: string; readonly render: () => Promise<string> };
}

export function addInformationRoutes(options: InformationRoutesOptions): void {
  const { registry } = options;
  registry.add('get', '/v2', (res) => {
    answerJson(res, 200, serverMetadata(options.identity));
  });
  registry.add('get', '/v2/health/live', (res) => {
    answerJson(res, 200, { live: true });
  });
  registry.add('get', '/v2/health/ready', (res) => {
    const ready = options.ready();
    answerJson(res, ready ? 200 : 503, { ready });
  });
  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    registry.add('get', path, (res, req) => {
      answerMetadata(res, req, options);
    });
    registry.add('get', `${path}/ready`, (res, req) => {
      answerModelReady(res, req, options);
    });
  }
  registry.add('get', '/metrics', (res) => {
    answerMetrics(res, options);
  });
}

function answerMetadata(res: HttpResponse, req: HttpRequest, options: InformationRoutesOptions): void {
  const name = pathParameter(req, 0) ?? '';
  const target = options.routes().resolve(name, pathParameter(req, 1));
  if (!target.ok) {
    options.registry.answerError(res, target);
    return;
  }
  const { signature, platform } = target.value;
  const versions = [...(options.routes().models.get(name)?.versions.keys() ?? [])].sort();
  answerJson(res, 200, modelMetadata({ name, versions, platform, signature }));
}

function answerModelReady(res: HttpResponse, req: HttpRequest, options: InformationRoutesOptions): void {
  const name = pathParameter(req, 0) ?? '';
  const target = options.routes().resolve(name, pathParameter(req, 1));
  if (target.ok) answerJson(res, 200, { name, ready: true });
  else if (target.code === 'MODEL_NOT_READY') answerJson(res, 503, { name, ready: false });
  else options.registry.answerError(res, target);
}

function answerMetrics(res: HttpResponse, options: InformationRoutesOptions): void {
  let gone = false;
  res.onAborted(() => {
    gone = true;
  });
  const answer = (write: () => void): void => {
    if (!gone) res.cork(write);
  };
  options.metrics.render().then(
    (text) => {
      answer(() => res.writeHeader('content-type', options.metrics.contentType).end(text));
    },
    () => {
      answer(() => {
        options.registry.answerError(res, fail('INTERNAL', 'The metrics could not be collected.'));
      });
    },
  );
}
