/** What can be looked at: models, versions, what is live, the history, and the description of the API itself. */
import { findDeployment, findModel, findVersion } from '../../registry-store/lifecycle/find-version.ts';
import { eventJson } from '../../registry-store/manifest/change.ts';
import { deploymentAnswer, versionAnswer, versionsAnswer } from './control-answers.ts';
import { controlDocument } from './control-document.ts';
import type { ReadKind } from './control-endpoints.ts';
import { type ControlResult, accepted, refuse } from './control-error.ts';
import type { ControlLimits } from './control-limits.ts';
import { type Fields, readHistoryQuery, readModelFilter, readNothing } from './control-requests.ts';
import type { ControlStore } from './control-store.ts';

export interface ViewOptions {
  readonly store: ControlStore;
  readonly endpointOf: (model: string) => string;
  readonly limits: ControlLimits;
  /** Of the software, for the description. */
  readonly version: string;
}

export interface ViewRequest {
  readonly kind: ReadKind;
  readonly parameters: ReadonlyMap<string, string>;
  readonly query: Fields;
}

/** Rejects with a StoreError, of which UNKNOWN_MODEL, UNKNOWN_VERSION and NOT_DEPLOYED are the asker's. */
export async function view(options: ViewOptions, request: ViewRequest): Promise<ControlResult<object>> {
  const { kind, query } = request;
  switch (kind) {
    case 'models': {
      const filter = readModelFilter(query);
      if (!filter.ok) return filter;
      return accepted(versionsAnswer(await options.store.snapshot(), filter.value));
    }
    case 'history':
      return history(options, query);
    case 'model':
    case 'version':
    case 'deployments':
    case 'deployment':
    case 'document': {
      const nothing = readNothing(query);
      return nothing.ok ? accepted(await show(options, { ...request, kind })) : nothing;
    }
  }
}

async function history({ store, limits }: ViewOptions, query: Fields): Promise<ControlResult<object>> {
  const wanted = readHistoryQuery(query, limits.historyEventsMax);
  if (!wanted.ok) return wanted;
  if (store.history === undefined) {
    return refuse(
      'NOT_SUPPORTED',
      'This node follows a store on a file server and cannot tell its history. Where the folder of the store is, run: tidegate history',
    );
  }
  const events = await store.history(wanted.value);
  return accepted({ events: events.map(eventJson) });
}

async function show(
  { store, endpointOf, version }: ViewOptions,
  { kind, parameters }: ViewRequest & { readonly kind: Exclude<ReadKind, 'models' | 'history'> },
): Promise<object> {
  if (kind === 'document') return controlDocument(version);
  const snapshot = await store.snapshot();
  const { revision, deployments } = snapshot;
  const name = parameters.get('name') ?? parameters.get('model') ?? '';
  const live = deployments.get(name);
  switch (kind) {
    case 'model': {
      const versions = findModel(snapshot, name);
      return {
        name,
        deployment: live === undefined ? null : deploymentAnswer(live, endpointOf(name)),
        versions: [...versions.values()].map((one) => versionAnswer(one, live)),
        revision,
      };
    }
    case 'version': {
      const found = findVersion(snapshot, { model: name, version: parameters.get('version') ?? '' });
      return { ...versionAnswer(found, live), revision };
    }
    case 'deployments':
      return {
        revision,
        deployments: [...deployments.values()].map((one) => deploymentAnswer(one, endpointOf(one.model))),
      };
    case 'deployment':
      return { ...deploymentAnswer(findDeployment(snapshot, name), endpointOf(name)), revision };
  }
}
