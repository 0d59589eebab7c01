/** Codes and checks are API: what the README lists is what the code has, no more and no less. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { checks } from '../../registry-store/trust/check.ts';

const folder = new URL('../../registry-store/', import.meta.url);

async function rowsBelow(heading: string): Promise<readonly (readonly [string, string])[]> {
  const readme = await readFile(new URL('README.md', folder), 'utf8');
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `([\w-]+)` +\| (.+?) +\|$/gm)].map(([, name = '', text = '']) => [
    name,
    text,
  ]);
}

test('every check stands in the README with its attack', async () => {
  expect(await rowsBelow('Checks')).toEqual(Object.entries(checks));
});

test('every code stands in the README with its meaning', async () => {
  const source = await readFile(new URL('store-error.ts', folder), 'utf8');
  const codes = [...source.matchAll(/\/\*\* (.+) \*\/\n {2}\| '(\w+)'/g)].map(([, meaning, code]) => [
    code,
    meaning,
  ]);
  expect(codes.length).toBeGreaterThan(10);
  expect(await rowsBelow('Error codes')).toEqual(codes);
});
