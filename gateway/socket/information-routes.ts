/**
 * The routes that only tell: health, rollouts, scaling, metadata, configuration, statistics and metrics. They read the route
 * table in force and answer at once.
 */
import type { HttpRequest } from 'uWebSockets.js';
import type { EngineChoice } from '../../runtime/protocol/engine-choice.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import type { RouteTable } from '../route/route-table.ts';
import { modelStatistics } from '../telemetry/model-statistics.ts';
import { type RolloutReport, withoutEvidence } from '../telemetry/rollout-report.ts';
import type { ScalingReport } from '../telemetry/scaling-report.ts';
import { fail } from '../wire/error-code.ts';
import {
  type ModelConfiguration,
  modelConfiguration,
  type ModelDescription,
  modelMetadata,
  type ServerIdentity,
  serverMetadata,
} from '../wire/oip-metadata.ts';
import { pathParameter } from './path-parameter.ts';
import type { RouteAnswer } from './route-answer.ts';
import type { RouteRegistry } from './route-registry.ts';

export interface InformationRoutesOptions {
  readonly registry: RouteRegistry;
  readonly identity: ServerIdentity;
  readonly engine: EngineChoice;
  /** Whether this node may load and unload models. */
  readonly mayChangeStore: boolean;
  readonly routes: () => RouteTable<ModelGeneration>;
  /** Whether the gateway takes requests and every deployed model can answer. */
  readonly ready: () => boolean;
  /** What else there is to know for whoever asks whether it is ready; a node that serves the last good state is. */
  readonly health: () => object;
  readonly rollouts: () => RolloutReport;
  readonly scaling: () => ScalingReport;
  /** What a version takes on all threads together, bytes. */
  readonly memoryOf: (generation: ModelGeneration) => number;
  readonly metrics: { readonly contentType: string; readonly render: () => Promise<string> };
  readonly batchRowsMax: number;
  readonly sequenceIdleMsMax: number;
  readonly threads: number;
}

const modelPaths = ['/v2/models/:model', '/v2/models/:model/versions/:version'];

export function addInformationRoutes(options: InformationRoutesOptions): void {
  const { registry } = options;
  registry.add('get', '/v2', (answer) => {
    answer.json(200, serverMetadata(options.identity, options));
  });
  registry.add('get', '/v2/health/live', (answer) => {
    answer.json(200, { live: true });
  });
  registry.add('get', '/v2/health/ready', (answer) => {
    const ready = options.ready();
    answer.json(ready ? 200 : 503, { ready, ...options.health() });
  });
  registry.add('get', '/v2/rollouts', (answer, req) => {
    const report = options.rollouts();
    answer.json(200, req.getQuery('evidence') === 'true' ? report : withoutEvidence(report));
  });
  registry.add('get', '/v2/scaling', (answer) => {
    answer.json(200, options.scaling());
  });
  for (const path of modelPaths) addModelRoutes(path, options);
  registry.add('get', '/v2/models/stats', (answer) => {
    const models = [...options.routes().models.values()];
    const generations = models.flatMap(({ versions }) => [...versions.values()]);
    answerStatistics(answer, generations, options);
  });
  registry.add('get', '/metrics', (answer) => {
    options.metrics.render().then(
      (page) => {
        answer.text(options.metrics.contentType, page);
      },
      () => {
        answer.error(fail('INTERNAL', 'The metrics could not be collected.'));
      },
    );
  });
}

function addModelRoutes(path: string, options: InformationRoutesOptions): void {
  const { registry, batchRowsMax, threads, sequenceIdleMsMax } = options;
  registry.add('get', path, (answer, req) => {
    const model = resolve(answer, req, options);
    if (model !== undefined) answer.json(200, modelMetadata(model));
  });
  registry.add('get', `${path}/config`, (answer, req) => {
    const model = resolve(answer, req, options);
    if (model !== undefined)
      answer.json(200, modelConfiguration({ ...model, batchRowsMax, threads, sequenceIdleMsMax }));
  });
  registry.add('get', `${path}/ready`, (answer, req) => {
    answerModelReady(answer, req, options);
  });
  registry.add('get', `${path}/stats`, (answer, req) => {
    const name = pathParameter(req, 0) ?? '';
    const version = pathParameter(req, 1);
    const target = options.routes().resolve(name, version);
    if (!target.ok) answer.error(target);
    else if (version !== undefined && version !== '') answerStatistics(answer, [target.value], options);
    else {
      const versions = options.routes().models.get(name)?.versions.values() ?? [];
      answerStatistics(answer, [...versions], options);
    }
  });
}

/** The model that the path names; when there is none, that is the answer. */
function resolve(
  answer: RouteAnswer,
  req: HttpRequest,
  options: InformationRoutesOptions,
): (ModelDescription & Pick<ModelConfiguration, 'state' | 'pipeline'>) | undefined {
  const name = pathParameter(req, 0) ?? '';
  const target = options.routes().resolve(name, pathParameter(req, 1));
  if (!target.ok) {
    answer.error(target);
    return undefined;
  }
  const { signature, platform, layout, pipeline } = target.value;
  const versions = [...(options.routes().models.get(name)?.versions.keys() ?? [])].sort();
  return { name, versions, platform, signature, state: layout?.tensors, pipeline };
}

function answerModelReady(answer: RouteAnswer, req: HttpRequest, options: InformationRoutesOptions): void {
  const name = pathParameter(req, 0) ?? '';
  const target = options.routes().resolve(name, pathParameter(req, 1));
  if (target.ok) {
    const ready = target.value.refusal === undefined;
    answer.json(ready ? 200 : 503, { name, ready });
  } else if (target.code === 'MODEL_NOT_READY') answer.json(503, { name, ready: false });
  else answer.error(target);
}

function answerStatistics(
  answer: RouteAnswer,
  generations: readonly ModelGeneration[],
  { memoryOf }: Pick<InformationRoutesOptions, 'memoryOf'>,
): void {
  const { timeOrigin: timeOriginMs } = performance;
  const stats = generations.map((generation) =>
    modelStatistics(generation.metrics, { timeOriginMs, memoryBytes: memoryOf(generation) }),
  );
  answer.json(200, { model_stats: stats });
}
