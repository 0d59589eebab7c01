/** Options of `serve` about answers that are kept and given again to the same question. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ResponseCacheOptions } from '../gateway/main.ts';
import { parseSizeBytes } from '../registry-store/platform/quantity.ts';
import { sizeOption } from './quantity.ts';

export interface CacheOptions {
  readonly responseCache?: string;
  readonly responseCacheModel: readonly string[];
}

export function addResponseCacheOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--response-cache <size>',
        'memory for answers that are given again to the same inputs, for models that always answer alike (default: none)',
      )
        .env('TIDEGATE_RESPONSE_CACHE')
        .argParser(sizeOption),
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
  if (bytesMax < 1) throw new InvalidArgumentError('A response cache needs room. Leave it away for none.');
  return { bytesMax, ...(models.length > 0 && { models }) };
}

/** Given by option several times, or by environment variable with spaces or commas between. */
function collectModels(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(/[\s,]+/).filter((part) => part !== '')];
}
