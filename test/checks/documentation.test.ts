/**
 * What the pages say of the code, held against it: links and anchors lead somewhere, the page of limits has the limits
 * with their defaults and bounds, and the metrics that are named are those that there are.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { limitBounds } from '../../gateway/admission/limits.ts';

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '' && existsSync(name));
const pages = tracked.filter((name) => name.endsWith('.md'));

/** Without blocks of code, in which a bracket is no link and a `#` no heading. */
function prose(name: string): string {
  return readFileSync(name, 'utf8').replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
}

/** As GitHub makes them: of the text that is seen, in lower case, with a dash for each space. */
function anchorsOf(name: string): ReadonlySet<string> {
  const anchors = [...prose(name).matchAll(/^#+ (.*)$/gm)].map((heading) =>
    (heading[1] ?? '')
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set(anchors);
}

test('every link of a page leads to a file, and to a heading of it where it names one', () => {
  const broken = pages.flatMap((page) =>
    [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)]
      .map((link) => link[1] ?? '')
      .filter((href) => !/^[a-z]+:/.test(href))
      .filter((href) => {
        const [path = '', anchor] = href.split('#');
        const target = path === '' ? page : join(dirname(page), path);
        if (!existsSync(target)) return true;
        return anchor !== undefined && !anchorsOf(target).has(anchor);
      })
      .map((href) => `${page}: ${href}`),
  );
  expect(broken).toEqual([]);
});

test('the page of limits has every limit with its default and its bounds, and no other', () => {
  const row = /^\| `([a-z][A-Za-z]+)` *\| *([^|]+?) *\| *([^|]+?) to ([^|]+?) *\|/gm;
  const rows = [...readFileSync('docs/operations/limits.md', 'utf8').matchAll(row)].map(
    ([, name = '', initial = '', min = '', max = '']) => [
      name,
      { min: inUnits(min), max: inUnits(max), initial: inUnits(initial) },
    ],
  );
  expect(Object.fromEntries(rows)).toEqual(limitBounds);
  expect(rows).toHaveLength(Object.keys(limitBounds).length);
});

const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `64 MiB` as bytes, `5 min` as milliseconds. */
function inUnits(text: string): number {
  const [count, unit = ''] = text.split(' ');
  return Number(count) * (units[unit] ?? Number.NaN);
}

test('the pages name every metric of the gateway, and no other', () => {
  const named = pages
    .filter((page) => page.startsWith('docs/'))
    .flatMap((page) => [...readFileSync(page, 'utf8').matchAll(/`(tidegate_[a-z_]*[a-z])`/g)])
    .map((name) => name[1]);
  const made = tracked
    .filter((name) => /^gateway\/.*\.ts$/.test(name))
    .flatMap((name) => [...readFileSync(name, 'utf8').matchAll(/'(tidegate_[a-z_]*[a-z])'/g)])
    .map((name) => name[1]);
  expect([...new Set(named)].toSorted()).toEqual([...new Set(made)].toSorted());
});
