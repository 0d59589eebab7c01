/** Deployments that are not carried out as the store says: for machines by model, and for people in the log. */
import type { Deployment } from '../../registry-store/main.ts';
import type { Logger } from '../telemetry/logger.ts';
import { codeOf, type DeploymentProblem } from '../telemetry/store-report.ts';

type Named = Pick<Deployment, 'model' | 'version'>;

export class DeploymentProblems {
  readonly #log: Logger;
  readonly #byModel = new Map<string, DeploymentProblem>();
  #closed = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  get all(): ReadonlyMap<string, DeploymentProblem> {
    return this.#byModel;
  }

  /** The gateway ends: a load that the end cuts off is no trouble with its model. */
  close(): void {
    this.#closed = true;
  }

  /** The model is served as it should be, or is gone. */
  clear(model: string): void {
    this.#byModel.delete(model);
  }

  /** The live version does not load; where another one serves on, the model is behind. */
  notServed({ model, version }: Named, reason: string, servesOn: boolean): void {
    if (this.#closed) return;
    const problem = servesOn ? 'NOT_CURRENT' : 'NOT_SERVED';
    this.#byModel.set(model, { problem, ...reasonOf(reason) });
    this.#log.error({ model, version, reason }, 'deployment not served');
  }

  candidateNotServed({ model, version }: Named, reason: string): void {
    if (this.#closed) return;
    this.#byModel.set(model, { problem: 'NOT_CURRENT', ...reasonOf(reason) });
    this.#log.error({ model, version, reason }, 'candidate not served, the live version takes all requests');
  }

  /** The live version serves on; that the rollout beside it does not happen must not go unnoticed. */
  strategyUnsupported({ model, strategy, candidate }: Deployment): void {
    this.#byModel.set(model, { problem: 'STRATEGY_UNSUPPORTED', reason: strategy });
    this.#log.warn(
      { model, code: 'STRATEGY_UNSUPPORTED', strategy, candidate: candidate?.version },
      'strategy not carried out yet, the live version takes all requests',
    );
  }

  rolledBack(model: string): void {
    this.#byModel.set(model, { problem: 'ROLLED_BACK', reason: 'CANDIDATE_WORSE' });
  }

  quarantined(model: string): void {
    this.#byModel.set(model, quarantined);
  }

  /** The end of a quarantine, unless something else has come up meanwhile. */
  released(model: string): void {
    if (this.#byModel.get(model) === quarantined) this.#byModel.delete(model);
  }
}

const quarantined: DeploymentProblem = { problem: 'NOT_SERVED', reason: 'QUARANTINED' };

/** Most reasons may name places on this machine, and only their codes go out; these say numbers, and what to do. */
const publicReasons: ReadonlySet<string> = new Set(['MODEL_MEMORY', 'MEMORY_LIMIT', 'INPUT_TOO_LARGE']);

function reasonOf(text: string): Pick<DeploymentProblem, 'reason' | 'detail'> {
  const reason = codeOf(text);
  return publicReasons.has(reason) ? { reason, detail: text.slice(reason.length + 2) } : { reason };
}
