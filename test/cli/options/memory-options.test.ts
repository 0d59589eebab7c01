/** Options of `serve` about the memory for models: what is read, and what is refused before anything starts. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addMemoryOptions, type MemoryOptions, memoryOf } from '../../../cli/options/memory-options.ts';
import { run } from '../command-line.ts';

function parsed(...args: readonly string[]): ReturnType<typeof memoryOf> {
  const command = addMemoryOptions(new Command());
  return memoryOf(command.parse(args, { from: 'user' }).opts<MemoryOptions>());
}

test('nothing said is no limit and no pins', () => {
  expect(parsed()).toEqual({ pinnedModels: [] });
});

test('a size, and models by name', () => {
  expect(parsed('--model-memory', '2Gi', '--pin', 'iris', '--pin', 'digits,other')).toEqual({
    modelMemoryBytesMax: 2 * 1024 ** 3,
    pinnedModels: ['iris', 'digits', 'other'],
  });
});

test.each([
  [['--model-memory', 'much'], /Write a size like 512Mi/],
  [['--model-memory', '0'], /Models need memory|Write a size/],
] as const)('%j is told to be wrong', async (args, message) => {
  const { err, code } = await run(['serve', '--root', '/dev/null', ...args]);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});
