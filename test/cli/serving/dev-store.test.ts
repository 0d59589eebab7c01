/**
 * The store that `serve --dev` makes: whole or not at all, never over keys that were there before, and once when two
 * processes start at a time.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { prepareDevStore } from '../../../cli/serving/dev-store.ts';
import { verifyStore } from '../../../registry-store/main.ts';
import { run } from '../command-line.ts';
import { temporaryFolder } from '../served.ts';

interface Place {
  readonly folder: string;
  readonly store: string;
  readonly keys: string;
}

async function place(): Promise<Place> {
  const folder = await temporaryFolder();
  return { folder, store: join(folder, 'store'), keys: join(folder, 'keys') };
}

function prepare({ store, keys }: Place): Promise<void> {
  return prepareDevStore({ store, keys, progress: () => undefined });
}

async function models({ store, keys }: Place): Promise<number> {
  const pinnedRootPath = join(keys, 'root.json');
  const stateFolder = join(keys, 'state');
  return (await verifyStore({ folder: store, pinnedRootPath, stateFolder, nowMs: Date.now() })).versions;
}

async function contents(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.key') || name.endsWith('.json'));
  return new Map(
    await Promise.all(files.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

describe('a development store', () => {
  test('never touches keys that belong to another store, however often it is started', async () => {
    const at = await place();
    const other = join(at.folder, 'prod-store');
    expect((await run(['init', '--store', other, '--keys', at.keys])).code).toBe(0);
    const before = await contents(at.keys);
    expect(before.size).toBeGreaterThan(5);
    for (let start = 1; start <= 3; start++) {
      await expect(prepare(at)).rejects.toMatchObject({
        code: 'STORE_EXISTS',
        message: expect.stringMatching(/^There are keys in .* nothing was changed\..*--keys/) as string,
      });
    }
    expect(await contents(at.keys)).toEqual(before);
    expect((await readdir(at.folder)).sort()).toEqual(['keys', 'prod-store']);
    expect((await run(['verify', '--store', other, '--keys', at.keys])).code).toBe(0);
  });

  test('is not made anew over its keys when only the store was removed', async () => {
    const at = await place();
    await prepare(at);
    const before = await contents(at.keys);
    await rm(at.store, { recursive: true });
    for (let start = 1; start <= 2; start++) {
      await expect(prepare(at)).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    }
    expect(await contents(at.keys)).toEqual(before);
    await rm(at.keys, { recursive: true });
    await prepare(at);
    expect(await models(at)).toBeGreaterThan(2);
  });

  test('is made once when two start together, and both serve it', async () => {
    const at = await place();
    // Of two processes in the test, one is this: drafts are named after processes.
    const script = `import { prepareDevStore } from ${JSON.stringify(new URL('../../../dist/cli/serving/dev-store.js', import.meta.url).href)};
      await prepareDevStore({ store: ${JSON.stringify(at.store)}, keys: ${JSON.stringify(at.keys)}, progress: () => {} });`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' });
    const exit = once(child, 'exit');
    await prepare(at);
    expect(await exit).toEqual([0, null]);
    expect((await readdir(at.folder)).sort()).toEqual(['keys', 'store']);
    expect(await models(at)).toBeGreaterThan(2);
  });

  test('starts anew after a start that was killed, and removes what that one left', async () => {
    const at = await place();
    const child = spawn(process.execPath, ['--eval', '']);
    await once(child, 'exit');
    const left = [at.store, at.keys].map((path) => `${path}.making-${String(child.pid)}`);
    const notOurs = `${at.keys}.making-notes`;
    for (const folder of [...left, notOurs]) {
      await mkdir(folder);
      await writeFile(join(folder, 'half.key'), '');
    }
    await prepare(at);
    expect(left.filter((folder) => existsSync(folder))).toEqual([]);
    expect(existsSync(notOurs)).toBe(true);
    expect(await models(at)).toBeGreaterThan(2);
  });
});
