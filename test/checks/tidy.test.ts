/**
 * Rules about the source itself that no linter states: every file says what it is, none is a bucket, none outgrows
 * one idea, and the documentation's tables say what the code says.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorTable } from '../../gateway/wire/error-code.ts';

/** One idea seldom needs more; tests carry tables, so they may be longer. */
const linesMax = { product: 350, test: 400 };
const bucketNames = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'misc', 'shared', 'types']);

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '');
const sources = tracked.filter((name) => /\.(ts|mjs)$/.test(name) && !name.endsWith('.d.ts'));

function read(name: string): string {
  return readFileSync(name, 'utf8');
}

describe('every source file', () => {
  test('opens with a comment that says what it is', () => {
    const bare = sources.filter((name) => !/^(#!.*\n)?\/\*\*/.test(read(name)));
    expect(bare).toEqual([]);
  });

  test('is not longer than one idea needs', () => {
    const long = sources.filter(
      (name) => read(name).split('\n').length > (name.startsWith('test/') ? linesMax.test : linesMax.product),
    );
    expect(long).toEqual([]);
  });

  test('has the name of an idea and not of a bucket', () => {
    const buckets = sources.filter(
      (name) =>
        bucketNames.has(basename(name).split('.')[0] ?? '') ||
        dirname(name)
          .split('/')
          .some((part) => bucketNames.has(part)),
    );
    expect(buckets).toEqual([]);
  });

  test('leaves no marker of unfinished work', () => {
    const marker = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|'));
    expect(sources.filter((name) => marker.test(read(name)))).toEqual([]);
  });
});

test('the documentation lists every error code with its status, and no other', () => {
  const rows = [...read('docs/protocol.md').matchAll(/^\| `([A-Z_]+)`\s*\|\s*(\d+)\s*\|/gm)].map((row) => [
    row[1],
    Number(row[2]),
  ]);
  const wanted = Object.entries(errorTable).map(([code, row]) => [code, row.status]);
  expect(rows.toSorted()).toEqual(wanted.toSorted());
});

test('the documentation gives a reason for every dependency, and for no other', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
  const page = read('docs/dependencies.md');
  const named = [...page.matchAll(/^\| (`[^|]+`)\s*\|/gm)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((name) => name[1]),
  );
  const declared = [
    ...Object.keys(manifest['dependencies'] ?? {}),
    ...Object.keys(manifest['devDependencies'] ?? {}),
  ];
  expect(named.toSorted()).toEqual(declared.toSorted());
});

test('each error code is asserted by a test', () => {
  const tests = tracked
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('test/checks/'))
    .map(read)
    .join('\n');
  const unasserted = Object.keys(errorTable).filter((code) => !tests.includes(`'${code}'`));
  expect(unasserted).toEqual([]);
});
