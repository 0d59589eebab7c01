/**
 * Which loaded version answers a request. Immutable: a change of deployments makes a new table, and one pointer swap
 * puts it in force, so that no request ever sees half of a change.
 */
import { fail, type Result, succeed, type WireError } from '../wire/error-code.ts';

/** What a model offers right now. `Target` is whatever runs a version; the table does not look inside. */
export interface ModelRoutes<Target> {
  /** Takes the requests that name no version. */
  readonly live: Target;
  /** Every version that can be called by name, the live one included. */
  readonly versions: ReadonlyMap<string, Target>;
}

export class RouteTable<Target> {
  readonly models: ReadonlyMap<string, ModelRoutes<Target>>;
  /** Deployed models whose live version is not loaded, with the reason for the operator's eyes. */
  readonly notReady: ReadonlyMap<string, string>;

  constructor(models: ReadonlyMap<string, ModelRoutes<Target>>, notReady: ReadonlyMap<string, string>) {
    this.models = models;
    this.notReady = notReady;
  }

  /** `version` empty or undefined means the live one. */
  resolve(modelName: string, version: string | undefined): Result<Target> {
    const routes = this.models.get(modelName);
    if (routes === undefined) return this.#unknownModel(modelName);
    if (version === undefined || version === '') return succeed(routes.live);
    const target = routes.versions.get(version);
    if (target !== undefined) return succeed(target);
    const known = listed([...routes.versions.keys()]);
    return fail(
      'UNKNOWN_VERSION',
      `Model '${modelName}' has no version '${version}' loaded here. Loaded: ${known}.`,
    );
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

/** Names in an error message are a help, not a catalogue. */
const namesListedMax = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, namesListedMax).join(', ');
  return names.length > namesListedMax ? `${shown} and ${names.length - namesListedMax} more` : shown;
}
