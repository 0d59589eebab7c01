/** Options about answers that are kept and given again to the same question: the room of a node, and what a deployment says. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ResponseCacheOptions } from '../../gateway/main.ts';
import type { DeploymentCache } from '../../registry-store/main.ts';
import { cacheTtlMsMax } from '../../registry-store/manifest/cache.ts';
import { parseSizeBytes } from '../../registry-store/platform/quantity.ts';
import { durationOption, sizeOption } from './quantity.ts';

export interface CacheOptions {
  readonly responseCache?: string;
  readonly responseCacheModel: readonly string[];
}

/** Of `deploy` and `scale`. */
export interface DeploymentCacheOptions {
  readonly cache?: boolean;
  readonly cacheTtl?: number;
}

export function addDeploymentCacheOptions(command: Command): Command {
  return command
    .option('--cache', 'nodes with --response-cache keep answers of it for the same inputs')
    .option('--no-cache', 'no node keeps answers of it')
    .addOption(
      new Option('--cache-ttl <time>', 'so long an answer counts, such as 10m; 0s without an end').argParser(
        ttlOption,
      ),
    );
}

/** Undefined leaves all of it as it is. */
export function deploymentCacheOf({ cache, cacheTtl }: DeploymentCacheOptions): DeploymentCache | undefined {
  if (cache === undefined && cacheTtl === undefined) return undefined;
  return {
    ...(cache !== undefined && { enabled: cache }),
    ...(cacheTtl !== undefined && { ttlMs: cacheTtl }),
  };
}

function ttlOption(text: string): number {
  const ttlMs = durationOption(text);
  if (ttlMs <= cacheTtlMsMax) return ttlMs;
  throw new InvalidArgumentError('An answer counts for 30 days at most.');
}

export function addResponseCacheOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--response-cache <size>',
        'memory for answers that are given again to the same inputs, for models that always answer alike (default: 0, none)',
      )
        .env('TIDEGATE_RESPONSE_CACHE')
        .argParser((text: string) => (text === '0' ? text : sizeOption(text))),
    )
    .addOption(
      new Option('--response-cache-model <name>', 'keep answers of this model only; may be repeated')
        .env('TIDEGATE_RESPONSE_CACHE_MODEL')
        .default([], 'all')
        .argParser(collectModels),
    );
}

/** For the gateway; undefined when no answers are kept. */
export function responseCacheOf({
  responseCache,
  responseCacheModel: models,
}: CacheOptions): ResponseCacheOptions | undefined {
  if (responseCache === undefined) {
    if (models.length === 0) return undefined;
    throw new InvalidArgumentError('--response-cache-model needs --response-cache <size> beside it.');
  }
  const bytesMax = Math.floor(parseSizeBytes(responseCache) ?? 0);
  if (bytesMax < 1) return undefined;
  return { bytesMax, ...(models.length > 0 && { models }) };
}

/** Given by option several times, or by environment variable with spaces or commas between. */
function collectModels(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(/[\s,]+/).filter((part) => part !== '')];
}
