/** Options of `serve` about kept answers: what is read, and what is refused before anything starts. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import {
  addResponseCacheOptions,
  type CacheOptions,
  responseCacheOf,
} from '../../../cli/options/response-cache-options.ts';
import { run } from '../command-line.ts';

function parsed(...args: readonly string[]): ReturnType<typeof responseCacheOf> {
  const command = addResponseCacheOptions(new Command());
  return responseCacheOf(command.parse(args, { from: 'user' }).opts<CacheOptions>());
}

test('nothing said keeps no answers, and neither does no room', () => {
  expect(parsed()).toBeUndefined();
  expect(parsed('--response-cache', '0', '--response-cache-model', 'iris')).toBeUndefined();
});

test('a size, for all models or for those that are named', () => {
  expect(parsed('--response-cache', '64Mi')).toEqual({ bytesMax: 64 * 1024 * 1024 });
  const named = ['--response-cache-model', 'iris', '--response-cache-model', 'digits,other'];
  expect(parsed('--response-cache', '1000', ...named)).toEqual({
    bytesMax: 1000,
    models: ['iris', 'digits', 'other'],
  });
});

test.each([
  [['--response-cache', 'much'], /Write a size like 512Mi/],
  [['--response-cache-model', 'iris'], /needs --response-cache <size> beside it/],
] as const)('%j is told to be wrong', async (args, message) => {
  const { err, code } = await run(['serve', '--root', '/dev/null', ...args]);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});
