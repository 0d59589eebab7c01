/**
 * How the requests of a model are batched and how long a run of a batch may take, signed with its deployment and obeyed by
 * gateways without loading anything anew. What is left out is as the limits of each gateway say; what it means is in
 * docs/operations.md.
 */
import { FieldReader } from './field-reader.ts';

export interface DeploymentBatching {
  /** Most rows that requests may join to, 1 to 65 536; a gateway's own limit holds beside it. 1 switches joining off. */
  readonly rowsMax?: number;
  /**
   * Sizes that batches are cut down to, so that runs are of few sizes: ascending, 32 at most, each of 1 to 65 536 rows; none
   * of them allows any. Where less waits than the smallest, that is run.
   */
  readonly allowedRows?: readonly number[];
  /** How long a free worker may wait for more rows, microseconds, 0 to a second. */
  readonly delayUsMax?: number;
  /** Share of the workers' time, in proportion to that of the other models of a gateway, 1 to 1000. */
  readonly weight?: number;
  /** When answers are due of requests that do not say, milliseconds after they came, 1 to an hour. */
  readonly defaultTimeoutMs?: number;
  /**
   * A run that takes longer counts as hanging, and its thread is ended, milliseconds, 100 to an hour. It takes the place of
   * the limit that a gateway has and of the one that it derives from what was measured.
   */
  readonly runMsMax?: number;
}

export const batchRowsMax = 65_536;
export const batchDelayUsMax = 1_000_000;
export const allowedRowsCountMax = 32;
export const weightMax = 1000;
export const defaultTimeoutMsMax = 3_600_000;
/** As short as the limit of a gateway may be: a busy machine can keep any run from its processor for some 10 ms. */
export const runMsMaxMin = 100;
export const runMsMaxMax = 3_600_000;

/** As they are called in the manifest. */
export const batchingFields = [
  'max_rows',
  'allowed_rows',
  'max_delay_us',
  'weight',
  'default_timeout_ms',
  'max_run_ms',
] as const;

/** Problems go to the reader. */
export function readBatching(reader: FieldReader): DeploymentBatching {
  return {
    ...(reader.has('max_rows') && { rowsMax: reader.integer('max_rows', { min: 1, max: batchRowsMax }) }),
    ...(reader.has('allowed_rows') && { allowedRows: readAllowedRows(reader) }),
    ...(reader.has('max_delay_us') && {
      delayUsMax: reader.integer('max_delay_us', { min: 0, max: batchDelayUsMax }),
    }),
    ...(reader.has('weight') && { weight: reader.integer('weight', { min: 1, max: weightMax }) }),
    ...(reader.has('default_timeout_ms') && {
      defaultTimeoutMs: reader.integer('default_timeout_ms', { min: 1, max: defaultTimeoutMsMax }),
    }),
    ...(reader.has('max_run_ms') && {
      runMsMax: reader.integer('max_run_ms', { min: runMsMaxMin, max: runMsMaxMax }),
    }),
  };
}

function readAllowedRows(reader: FieldReader): readonly number[] {
  const sizes = reader.list('allowed_rows', allowedRowsCountMax);
  const rows = sizes.filter((size) => typeof size === 'number');
  const isFitting = rows.every(
    (size, index) => Number.isInteger(size) && size > (rows[index - 1] ?? 0) && size <= batchRowsMax,
  );
  if (rows.length === sizes.length && isFitting) return rows;
  reader.reject(`has allowed_rows that are not ascending whole numbers between 1 and ${batchRowsMax}`);
  return [];
}

/** `readBatching` of it gives the same back. */
export function batchingJson(batching: DeploymentBatching): Readonly<Record<string, unknown>> {
  const { rowsMax, allowedRows, delayUsMax, weight, defaultTimeoutMs, runMsMax } = batching;
  return {
    ...(rowsMax !== undefined && { max_rows: rowsMax }),
    ...(allowedRows !== undefined && { allowed_rows: allowedRows }),
    ...(delayUsMax !== undefined && { max_delay_us: delayUsMax }),
    ...(weight !== undefined && { weight }),
    ...(defaultTimeoutMs !== undefined && { default_timeout_ms: defaultTimeoutMs }),
    ...(runMsMax !== undefined && { max_run_ms: runMsMax }),
  };
}

/** Why this cannot be signed; undefined when it can. It is read as nodes will read it. */
export function batchingProblem(batching: DeploymentBatching): string | undefined {
  const reader = new FieldReader(batchingJson(batching), 'what is said about batches');
  readBatching(reader);
  return reader.problem;
}
