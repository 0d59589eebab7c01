/** What a process of a node remembers from the start: the newest that any of them knew. */
import { mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { processStateFolder, takeOverNewestState } from '../../../cli/processes/process-state.ts';
import { temporaryFolder } from '../served.ts';

async function write(folder: string, name: string, text: string, writtenS: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), text);
  await utimes(join(folder, name), writtenS, writtenS);
}

async function remember(folder: string, text: string, writtenS: number): Promise<void> {
  await write(join(folder, 'kept'), text, text, writtenS);
  for (const name of ['memory.json', 'memory-copy.json']) await write(folder, name, text, writtenS);
}

const memoryOf = (folder: string): Promise<string> => readFile(join(folder, 'memory.json'), 'utf8');

test('a process has a folder of its own, one alone that of the node', () => {
  expect(processStateFolder('/state', undefined)).toBe('/state');
  expect(processStateFolder('/state', 3)).toBe('/state/process-3');
});

test('a first start takes nothing over, and needs no folder', async () => {
  const state = join(await temporaryFolder(), 'state');
  await takeOverNewestState(state, processStateFolder(state, 0));
  expect(await readdir(state).catch(() => 'none')).toBe('none');
});

test.each([undefined, 0, 1, 5])('process %s begins with the newest memory of the node', async (slot) => {
  const state = await temporaryFolder();
  await remember(state, 'alone', 1000);
  await remember(processStateFolder(state, 0), 'first', 2000);
  await remember(processStateFolder(state, 1), 'second', 3000);
  await write(state, 'rollouts.json', 'old', 1000);
  await write(processStateFolder(state, 0), 'rollouts.json', 'newest', 4000);
  const folder = processStateFolder(state, slot);
  await takeOverNewestState(state, folder);
  expect(await memoryOf(folder)).toBe('second');
  expect(await readFile(join(folder, 'memory-copy.json'), 'utf8')).toBe('second');
  expect(await readdir(join(folder, 'kept'))).toContain('second');
  expect(await readFile(join(folder, 'rollouts.json'), 'utf8')).toBe('newest');
  expect(await memoryOf(processStateFolder(state, 1))).toBe('second');
  expect((await readdir(folder)).filter((name) => name.endsWith('.taken-over'))).toEqual([]);
});
