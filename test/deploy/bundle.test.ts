/** What `tidegate` runs from: the files of dist/bin, as the last build left them. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../../dist/bin/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.js'));

/** A file and all that it imports before it does anything, without what it imports later. */
function reached(start: string, found: Set<string> = new Set<string>()): Set<string> {
  const file = resolve(folder, start);
  if (found.has(file)) return found;
  found.add(file);
  for (const [, path = ''] of text(file).matchAll(/^(?:import|export) [^;]*?"(\.\/[^"]+)";/gm)) {
    reached(resolve(dirname(file), path), found);
  }
  return found;
}

function text(file: string): string {
  return readFileSync(resolve(folder, file), 'utf8');
}

/** What the file was joined from. The one with nothing but what the bundler adds has no map. */
function sourcesOf(file: string): readonly string[] {
  if (!existsSync(resolve(folder, `${file}.map`))) return [];
  const { sources } = JSON.parse(text(`${file}.map`)) as { readonly sources: readonly string[] };
  return sources.map((source) => source.replace(/^(\.\.\/)+/, ''));
}

function startOf(name: string): readonly string[] {
  return [...reached(name)].flatMap(sourcesOf);
}

describe('the joined files', () => {
  test('hold every file that they name, threads included', () => {
    for (const name of names) {
      const all = text(name).matchAll(/(?:from |import\(|import |new URL\()["'](\.\/[^"']+\.js)["']/g);
      for (const [, path = ''] of all)
        expect(existsSync(resolve(folder, path)), `${name}: ${path}`).toBe(true);
    }
    expect(names).toContain('runtime-worker-main.js');
    expect(names).toContain('registry-store-storage-store-thread.js');
    expect(names).toContain('gateway-dispatch-bodies-body-thread.js');
  });

  test('come with the license of every package that they hold a part of', () => {
    const packages = names
      .flatMap(sourcesOf)
      .flatMap((source) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.slice(1) ?? []);
    const licenses = text('licenses.txt');
    expect(new Set(packages).size).toBeGreaterThan(10);
    for (const name of new Set(packages)) expect(licenses).toMatch(new RegExp(`^${name} \\d`, 'm'));
  });

  test('read for a start what serving takes, and not what changes a store or fetches one', () => {
    const start = [
      ...startOf('tidegate-serve-here.js'),
      ...startOf('registry-store-storage-store-thread.js'),
    ];
    expect(start).toContain('registry-store/storage/open-store.ts');
    expect(start).toContain('registry-store/storage/store-keeper.ts');
    expect(start.filter((source) => /^registry-store\/(lifecycle|onnx)\//.test(source))).toEqual([]);
    expect(start).not.toContain('registry-store/storage/http-source.ts');
  });
});
