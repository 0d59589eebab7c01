/**
 * Which loaded version answers a request. Immutable: a change of deployments makes a new table, and one pointer swap
 * puts it in force, so that no request ever sees half of a change.
 */
import { fail, succeed, type WireError } from '../wire/error-code.ts';
import type { Caller } from './caller.ts';
import type { Routed, TrafficSplit } from './traffic-split.ts';

/** What a model offers right now. `Target` is whatever runs a version; the table does not look inside. */
export interface ModelRoutes<Target, Mirror = unknown> {
  /** Takes the requests that name no version. */
  readonly live: Target;
  /** Every version that can be called by name, the live one and a candidate included. */
  readonly versions: ReadonlyMap<string, Target>;
  /** While a rollout divides the requests that name no version; see traffic-split.ts. */
  readonly split?: TrafficSplit<Target>;
  /** Gets copies of requests that name no version, while a shadow rollout or a preview that wants them is on. */
  readonly mirror?: Mirror;
}

export class RouteTable<Target, Mirror = unknown> {
  readonly models: ReadonlyMap<string, ModelRoutes<Target, Mirror>>;
  /** Deployed models whose live version is not loaded, with the reason for the operator's eyes. */
  readonly notReady: ReadonlyMap<string, string>;
  /** Whether any model has a rollout that needs a key; most tables have none, and then nobody looks for keys. */
  readonly divides: boolean;

  constructor(
    models: ReadonlyMap<string, ModelRoutes<Target, Mirror>>,
    notReady: ReadonlyMap<string, string>,
  ) {
    this.models = models;
    this.notReady = notReady;
    this.divides = [...models.values()].some(({ split, mirror }) => (split ?? mirror) !== undefined);
  }

  /**
   * `version` empty or undefined means the live one, or what the rollout of the model says for the caller. A named version
   * comes before that, also for a caller whom a rule keeps off the candidate.
   */
  resolve(
    modelName: string,
    version: string | undefined,
    caller: Caller = nobody,
  ): Routed<Target, Mirror> | WireError {
    const routes = this.models.get(modelName);
    if (routes === undefined) return this.#unknownModel(modelName);
    const { split, mirror } = routes;
    if (version === undefined || version === '') {
      if (split !== undefined)
        return mirror === undefined ? split.choose(caller) : { ...split.choose(caller), mirror };
      // Who names a version tries something out: it is not what users do, and is not copied.
      return mirror === undefined ? succeed(routes.live) : { ok: true, value: routes.live, mirror };
    }
    const target = routes.versions.get(version);
    if (target !== undefined) return split === undefined ? succeed(target) : split.forced(target);
    const known = listed([...routes.versions.keys()]);
    return fail(
      'UNKNOWN_VERSION',
      `Model '${modelName}' has no version '${version}' loaded here. Loaded: ${known}.`,
    );
  }

  /** Headers that the rollout of a model has rules about; none for most models. */
  cohortHeaders(modelName: string): readonly string[] {
    return this.models.get(modelName)?.split?.cohortHeaders ?? noHeaders;
  }

  #unknownModel(modelName: string): WireError {
    if (this.notReady.has(modelName)) {
      return fail(
        'MODEL_NOT_READY',
        `Model '${modelName}' is deployed but not at ready state yet. Try again shortly.`,
      );
    }
    const known = [...this.models.keys()].sort();
    const hint = known.length === 0 ? 'No model is deployed.' : `Deployed: ${listed(known)}.`;
    return fail('UNKNOWN_MODEL', `Request for unknown model: '${modelName}' is not found. ${hint}`);
  }
}

const nobody: Caller = {};
const noHeaders: readonly string[] = [];

/** Names in an error message are a help, not a catalogue. */
const namesListedMax = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, namesListedMax).join(', ');
  return names.length > namesListedMax ? `${shown} and ${names.length - namesListedMax} more` : shown;
}
