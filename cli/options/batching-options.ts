/** Options of `deploy` and `scale` that say how the requests of a model are batched, and how long a run may take. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ScaleOptions } from '../../registry-store/main.ts';
import {
  allowedRowsCountMax,
  batchDelayUsMax,
  batchRowsMax,
  defaultTimeoutMsMax,
  runMsMaxMax,
  runMsMaxMin,
  weightMax,
} from '../../registry-store/manifest/batching.ts';
import { type OrNone, orNone } from './quantity.ts';

export interface BatchingOptions {
  readonly batchRows?: number;
  readonly batchSizes?: readonly number[];
  readonly batchDelay?: number;
  readonly weight?: number;
  readonly defaultTimeout?: OrNone<number>;
  readonly runLimit?: OrNone<number>;
}

export function addBatchingOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--batch-rows <number>', 'most rows that requests may join to; 1 joins none').argParser(
        wholeNumber(1, batchRowsMax),
      ),
    )
    .addOption(
      new Option(
        '--batch-sizes <numbers>',
        'rows that batches are cut down to, such as 1,4,16; any for all',
      ).argParser(sizesOption),
    )
    .addOption(
      new Option(
        '--batch-delay <us>',
        'microseconds that a free worker waits for more rows; 0 for none',
      ).argParser(wholeNumber(0, batchDelayUsMax)),
    )
    .addOption(
      new Option('--weight <number>', 'share of worker time beside the other models, which have 1').argParser(
        wholeNumber(1, weightMax),
      ),
    )
    .addOption(
      new Option(
        '--default-timeout <ms>',
        'milliseconds for requests that set no time themselves; none for no end',
      ).argParser(orNone(wholeNumber(1, defaultTimeoutMsMax))),
    )
    .addOption(
      new Option(
        '--run-limit <ms>',
        'milliseconds after which a run counts as hanging; none for as nodes say',
      ).argParser(orNone(wholeNumber(runMsMaxMin, runMsMaxMax))),
    );
}

/** Undefined leaves all of it as it is. */
export function batchingOf({
  batchRows,
  batchSizes,
  batchDelay,
  weight,
  defaultTimeout,
  runLimit,
}: BatchingOptions): ScaleOptions['batching'] {
  const batching = {
    ...(batchRows !== undefined && { rowsMax: batchRows }),
    ...(batchSizes !== undefined && { allowedRows: batchSizes }),
    ...(batchDelay !== undefined && { delayUsMax: batchDelay }),
    ...(weight !== undefined && { weight }),
    ...(defaultTimeout !== undefined && {
      defaultTimeoutMs: defaultTimeout === 'none' ? null : defaultTimeout,
    }),
    ...(runLimit !== undefined && { runMsMax: runLimit === 'none' ? null : runLimit }),
  };
  return Object.keys(batching).length === 0 ? undefined : batching;
}

function sizesOption(text: string): readonly number[] {
  if (text === 'any') return [];
  const sizes = text.split(',').map(Number);
  const isAscending = sizes.every((size, index) => size > (sizes[index - 1] ?? 0));
  const isFitting = sizes.every((size) => Number.isInteger(size) && size <= batchRowsMax);
  if (isAscending && isFitting && sizes.length <= allowedRowsCountMax) return sizes;
  throw new InvalidArgumentError(
    `Write up to ${allowedRowsCountMax} ascending sizes from 1 to ${batchRowsMax} with commas between, such as 1,4,16, or any.`,
  );
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,9}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`This is a whole number from ${min} to ${max}.`);
  };
}
