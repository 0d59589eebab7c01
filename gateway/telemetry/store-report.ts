/**
 * What the gateway says about its store: counted for metrics, logged once per change, and told by the health endpoint.
 * Health gets codes and times only; messages, which may name places on this machine, are for the logs.
 */
import type { StoreCondition, StoreError, StoreEvent, StoreSnapshot } from '../../registry-store/main.ts';
import type { Logger } from './logger.ts';
import type { MetricsPage, Sample } from './metrics-page.ts';

/** Why a deployment is not carried out as the store says, for machines. */
export interface DeploymentProblem {
  /**
   * `NOT_SERVED`: no version of the model answers; `NOT_CURRENT`: the version before serves on;
   * `STRATEGY_UNSUPPORTED`: the live version serves, the rollout beside it is not carried out; `ROLLED_BACK`: this node
   * took the candidate out of the traffic, because it was worse; `FEWER_REPLICAS`: it is on fewer threads than it should be;
   * `OVER_LIMIT`: it serves, but takes more than it may, so that it would not be loaded again.
   */
  readonly problem:
    'NOT_SERVED' | 'NOT_CURRENT' | 'STRATEGY_UNSUPPORTED' | 'ROLLED_BACK' | 'FEWER_REPLICAS' | 'OVER_LIMIT';
  /** Code of the failure below, or the strategy. */
  readonly reason: string;
  /** The same for people, where that says more; nothing in it is secret. */
  readonly detail?: string;
}

/** `MODEL_INVALID: the graph has no output` begins with its code; what has none is a failure that may pass. */
export function codeOf(reason: string): string {
  return /^([A-Z][A-Z0-9_]+): /.exec(reason)?.[1] ?? 'LOAD_FAILED';
}

export interface StoreReportSources {
  readonly store: { readonly current: StoreSnapshot; readonly condition: StoreCondition };
  readonly problems: () => ReadonlyMap<string, DeploymentProblem>;
  readonly log: Logger;
}

/** More than this many models with a problem are counted, not listed: the answer stays small. */
const problemsListedMax = 50;

export class StoreReport {
  readonly #sources: StoreReportSources;
  readonly #refusals = new Map<string, number>();
  #interruptions = 0;

  constructor(sources: StoreReportSources) {
    this.#sources = sources;
    this.#logCondition(sources.store.condition);
  }

  take(event: StoreEvent): void {
    if (event.kind === 'condition') this.#logCondition(event.condition);
    if (event.kind === 'refused') this.#count(event.error);
    if (event.kind === 'interrupted') this.#countInterruption(event);
  }

  /** For the body of the readiness answer. */
  health(): object {
    const { store } = this.#sources;
    const { fresh, lastVerifiedAtMs, lastError, expiresSoon } = store.condition;
    const problems = [...this.#sources.problems()];
    return {
      store: {
        revision: store.current.revision,
        fresh,
        last_verified: lastVerifiedAtMs === 0 ? null : new Date(lastVerifiedAtMs).toISOString(),
        ...(lastError === undefined
          ? {}
          : {
              error: {
                code: lastError.code,
                check: lastError.check,
                since: new Date(lastError.atMs).toISOString(),
              },
            }),
        ...(expiresSoon.length === 0 ? {} : { expires_soon: expiresSoon }),
      },
      ...(problems.length === 0
        ? {}
        : {
            problems: problems.slice(0, problemsListedMax).map(([model, problem]) => ({ model, ...problem })),
          }),
    };
  }

  addTo(page: MetricsPage): void {
    const { store, problems } = this.#sources;
    page.gauge({
      name: 'tidegate_store_fresh',
      help: '1 while the source shows the state that is served and nothing in it has expired.',
      read: () => [{ labels: {}, value: Number(store.condition.fresh) }],
      acrossProcesses: 'min',
    });
    page.gauge({
      name: 'tidegate_store_last_verified_timestamp_seconds',
      help: 'When the state that is served was last verified against its source; 0 if not since the start.',
      read: () => [{ labels: {}, value: store.condition.lastVerifiedAtMs / 1000 }],
      acrossProcesses: 'min',
    });
    page.gauge({
      name: 'tidegate_store_metadata_expires_seconds',
      help: 'Time until signed metadata expires; negative when it has. Roles of single models as one, the first.',
      read: () => expirySamples(store.condition, Date.now()),
      acrossProcesses: 'min',
    });
    page.counter({
      name: 'tidegate_store_refusals_total',
      help: 'States of the store that were not accepted, by failed check, or by code where no check was reached.',
      read: () => [...this.#refusals].map(([check, value]) => ({ labels: { check }, value })),
    });
    page.counter({
      name: 'tidegate_store_interruptions_total',
      help: 'Times that nobody followed the store, because its thread ended or could not open it again.',
      read: () => [{ labels: {}, value: this.#interruptions }],
    });
    page.gauge({
      name: 'tidegate_deployment_problem',
      help: '1 for each deployment that is not carried out as the store says.',
      read: () =>
        [...problems()].map(([model, { problem, reason }]) => ({
          labels: { model, problem, reason },
          value: 1,
        })),
      acrossProcesses: 'max',
    });
  }

  #count(error: StoreError): void {
    const { code, check, message } = error;
    const name = check ?? code;
    this.#refusals.set(name, (this.#refusals.get(name) ?? 0) + 1);
    const { log } = this.#sources;
    log.error({ code, check, detail: message }, 'store change refused, keeping the last good state');
  }

  #countInterruption({ error, restartMs }: Extract<StoreEvent, { kind: 'interrupted' }>): void {
    this.#interruptions += 1;
    const { code, check, message } = error;
    const { log } = this.#sources;
    log.error(
      { code, check, detail: message, restartMs },
      'store is not followed, its thread is started again',
    );
  }

  #logCondition({ fresh, lastError, expires, expiresSoon }: StoreCondition): void {
    const { log } = this.#sources;
    const facts = {
      revision: this.#sources.store.current.revision,
      ...Object.fromEntries(whenExpires(expires)),
    };
    if (!fresh) {
      const { code, check, message: detail } = lastError ?? {};
      log.warn({ ...facts, code, check, detail }, 'store is not fresh, serving the last good state');
    } else if (expiresSoon.length > 0) {
      log.warn({ ...facts, roles: expiresSoon }, 'store metadata expires soon, sign it anew');
    } else log.info(facts, 'store is fresh');
  }
}

function expirySamples({ expires }: StoreCondition, nowMs: number): Sample[] {
  return [...expires].map(([role, at]) => ({
    labels: { role },
    value: Math.round((Date.parse(at) - nowMs) / 1000),
  }));
}

/** The first one that will be over. */
function whenExpires(expires: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  const first = [...expires].sort(([, left], [, right]) => (left < right ? -1 : 1))[0];
  return first === undefined ? [] : [['expiresFirst', `${first[0]} ${first[1]}`]];
}
