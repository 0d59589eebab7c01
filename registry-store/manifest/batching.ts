/**
 * How the requests of a model are batched, signed with its deployment and obeyed by gateways without loading anything anew.
 * What is left out is as the limits of each gateway say; what it means is in docs/operations.md.
 */
import { FieldReader } from './field-reader.ts';

export interface DeploymentBatching {
  /** Most rows that requests may join to, 1 to 65 536; a gateway's own limit holds beside it. 1 switches joining off. */
  readonly rowsMax?: number;
  /** How long a free worker may wait for more rows, microseconds, 0 to a second. */
  readonly delayUsMax?: number;
  /** Share of the workers' time, in proportion to that of the other models of a gateway, 1 to 1000. */
  readonly weight?: number;
  /** When answers are due of requests that do not say, milliseconds after they came, 1 to an hour. */
  readonly defaultTimeoutMs?: number;
}

export const batchRowsMax = 65_536;
export const batchDelayUsMax = 1_000_000;
export const weightMax = 1000;
export const defaultTimeoutMsMax = 3_600_000;

/** Problems go to the reader. */
export function readBatching(reader: FieldReader): DeploymentBatching {
  return {
    ...(reader.has('max_rows') && { rowsMax: reader.integer('max_rows', { min: 1, max: batchRowsMax }) }),
    ...(reader.has('max_delay_us') && {
      delayUsMax: reader.integer('max_delay_us', { min: 0, max: batchDelayUsMax }),
    }),
    ...(reader.has('weight') && { weight: reader.integer('weight', { min: 1, max: weightMax }) }),
    ...(reader.has('default_timeout_ms') && {
      defaultTimeoutMs: reader.integer('default_timeout_ms', { min: 1, max: defaultTimeoutMsMax }),
    }),
  };
}

/** `readBatching` of it gives the same back. */
export function batchingJson(batching: DeploymentBatching): Readonly<Record<string, unknown>> {
  const { rowsMax, delayUsMax, weight, defaultTimeoutMs } = batching;
  return {
    ...(rowsMax !== undefined && { max_rows: rowsMax }),
    ...(delayUsMax !== undefined && { max_delay_us: delayUsMax }),
    ...(weight !== undefined && { weight }),
    ...(defaultTimeoutMs !== undefined && { default_timeout_ms: defaultTimeoutMs }),
  };
}

/** Why this cannot be signed; undefined when it can. It is read as nodes will read it. */
export function batchingProblem(batching: DeploymentBatching): string | undefined {
  const reader = new FieldReader(batchingJson(batching), 'what is said about batches');
  readBatching(reader);
  return reader.problem;
}

/** Fields that are given replace those that are there. Undefined when nothing is said. */
export function mergeBatching(
  before: DeploymentBatching | undefined,
  given: DeploymentBatching | undefined,
): DeploymentBatching | undefined {
  return before === undefined && given === undefined ? undefined : { ...before, ...given };
}
