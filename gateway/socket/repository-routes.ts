/**
 * The model repository extension: what is in the store and what of it is loaded, and for a node that may change its
 * store, making a model live and taking it out of service. What `load` and `unload` mean here is in docs/protocol.md.
 */
import type { HttpRequest } from 'uWebSockets.js';
import type { StoreSnapshot } from '../../registry-store/main.ts';
import type { DeploymentProblem } from '../telemetry/store-report.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import type { RouteTable } from '../route/route-table.ts';
import { fail, type Result, type WireError } from '../wire/error-code.ts';
import { receiveJson, type Fields } from './json-body.ts';
import { pathParameter } from './path-parameter.ts';
import type { RouteAnswer } from './route-answer.ts';
import type { RouteRegistry } from './route-registry.ts';

/** How a node changes its store, if it may. */
export interface RepositoryControl {
  /** Deploys the model, or looks at its deployment again; the version that has to be live then. */
  load(model: string): Promise<Result<string>>;
  /** Takes the model out of service; nothing is deleted. */
  unload(model: string): Promise<Result<undefined>>;
}

/** What the store and the gateway know of models at this moment. */
export interface RepositoryView {
  readonly snapshot: () => StoreSnapshot;
  readonly routes: () => RouteTable<ModelGeneration>;
  /** Code of the reason why the live version of a model is not loaded. */
  readonly problemOf: (model: string) => string | undefined;
  /** What live versions lack or take too much of although they answer, by model. */
  readonly shortfalls: () => ReadonlyMap<string, Pick<DeploymentProblem, 'detail'>>;
}

export interface RepositoryRoutesOptions {
  readonly registry: RouteRegistry;
  readonly view: RepositoryView;
  /** Undefined on a node that only follows its store. */
  readonly control: RepositoryControl | undefined;
  readonly onFault: (fault: unknown) => void;
}

/** The change is signed by then; how long its effect may take before the caller is told to look for itself. */
const effectMsMax = 60_000;
const lookAgainMs = 20;

export function addRepositoryRoutes(options: RepositoryRoutesOptions): void {
  const { registry } = options;
  registry.add('post', '/v2/repository/index', (answer, req) => {
    receiveJson(answer, req, ({ ready = false }) => {
      if (typeof ready === 'boolean') answer.json(200, repositoryIndex(options.view, ready));
      else answer.error(fail('INVALID_REQUEST', "'ready' must be true or false."));
    });
  });
  registry.add('post', '/v2/repository/models/:model/load', (answer, req) => {
    change(answer, req, options, load);
  });
  registry.add('post', '/v2/repository/models/:model/unload', (answer, req) => {
    change(answer, req, options, unload);
  });
  for (const path of ['index', 'models/:model/load', 'models/:model/unload']) {
    registry.add('post', `/v2/repository/:repository/${path}`, (answer) => {
      answer.error(
        fail('NOT_SUPPORTED', 'There is one repository here. Leave its name out: /v2/repository/...'),
      );
    });
  }
}

interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'LOADING' | 'UNAVAILABLE';
  readonly reason: string;
}

/** Every version of the store, or with `readyOnly` those that answer. */
function repositoryIndex(view: RepositoryView, readyOnly: boolean): readonly IndexEntry[] {
  const entries: IndexEntry[] = [];
  const shortfalls = view.shortfalls();
  for (const [name, versions] of view.snapshot().models) {
    for (const version of versions.keys()) {
      const entry = indexEntry(view, { name, version, shortfall: shortfalls.get(name)?.detail });
      if (!readyOnly || entry.state === 'READY') entries.push(entry);
    }
  }
  return entries;
}

function indexEntry(
  view: RepositoryView,
  {
    name,
    version,
    shortfall = '',
  }: Pick<IndexEntry, 'name' | 'version'> & { readonly shortfall?: string | undefined },
): IndexEntry {
  const routes = view.routes();
  const loaded = routes.models.get(name)?.versions.get(version);
  if (loaded !== undefined) {
    const lacking = routes.models.get(name)?.live === loaded ? shortfall : '';
    // It answers: the first request waits for it.
    return { name, version, state: 'READY', reason: loaded.isDormant ? 'not in memory' : lacking };
  }
  const isLive = view.snapshot().deployments.get(name)?.version === version;
  if (!isLive) return { name, version, state: 'UNAVAILABLE', reason: 'not deployed' };
  const problem = view.problemOf(name);
  if (problem !== undefined) return { name, version, state: 'UNAVAILABLE', reason: problem };
  return { name, version, state: 'LOADING', reason: '' };
}

interface Change {
  readonly model: string;
  readonly fields: Fields;
  readonly control: RepositoryControl;
  readonly view: RepositoryView;
}

type Outcome = WireError | { readonly ok: true; readonly value: object };

function change(
  answer: RouteAnswer,
  req: HttpRequest,
  { control, view, onFault }: RepositoryRoutesOptions,
  carryOut: (change: Change) => Promise<Outcome>,
): void {
  const model = pathParameter(req, 0) ?? '';
  if (answer.isForeign) {
    answer.error(
      fail('ORIGIN_NOT_ALLOWED', 'Web pages of this origin may not change models. See --cors-origin.'),
    );
    return;
  }
  receiveJson(answer, req, (fields) => {
    if (control === undefined) {
      answer.error(readOnly(model));
      return;
    }
    carryOut({ model, fields, control, view }).then(
      (outcome) => {
        if (outcome.ok) answer.json(200, outcome.value);
        else answer.error(outcome);
      },
      (fault: unknown) => {
        onFault(fault);
        answer.error(fail('INTERNAL', 'The gateway failed on this change. The log has the details.'));
      },
    );
  });
}

async function load({ model, fields, control, view }: Change): Promise<Outcome> {
  const given = fields['parameters'];
  if (typeof given === 'object' && given !== null && Object.keys(given).length > 0) {
    return fail(
      'NOT_SUPPORTED',
      "A model is loaded as it is in the signed store; 'config' and files cannot be sent along. Publish a version with 'tidegate publish'.",
    );
  }
  const wanted = await control.load(model);
  if (!wanted.ok) return wanted;
  const isSettled = await takesEffect(
    () =>
      view.routes().models.get(model)?.live.modelVersion === wanted.value ||
      (view.snapshot().deployments.get(model)?.version === wanted.value &&
        view.problemOf(model) !== undefined),
  );
  const problem = view.problemOf(model);
  if (isSettled && view.routes().models.get(model)?.live.modelVersion === wanted.value) {
    return { ok: true, value: { name: model, load: true } };
  }
  return fail(
    'MODEL_NOT_READY',
    `Version ${wanted.value} of model '${model}' is deployed but does not answer yet${problem === undefined ? '' : ` (${problem})`}. The log of the gateway says why.`,
  );
}

async function unload({ model, control, view }: Change): Promise<Outcome> {
  const done = await control.unload(model);
  if (!done.ok) return done;
  if (await takesEffect(() => !view.routes().models.has(model))) {
    return { ok: true, value: { name: model, unload: true } };
  }
  return fail('STORE_CHANGE_REFUSED', `Model '${model}' is undeployed in the store but still answers here.`);
}

async function takesEffect(isSo: () => boolean): Promise<boolean> {
  const until = performance.now() + effectMsMax;
  while (!isSo()) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return true;
}

function readOnly(model: string): WireError {
  const name = /^[\w.-]{1,100}$/.test(model) ? model : '<model>';
  return fail(
    'STORE_READ_ONLY',
    `This node follows its signed store and holds no key to change it. Where the keys are, run 'tidegate deploy ${name} <version>' or 'tidegate undeploy ${name}'.`,
  );
}
