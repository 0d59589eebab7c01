/** A file is there whole or not at all, and never in the place of another, with hard links or without. */
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExclusively } from '../../../registry-store/lifecycle/exclusive-file.ts';
import { armFaults, disarmFaults } from './fault-injection.mjs';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-exclusive-'));
});
afterEach(async () => {
  disarmFaults();
  await rm(folder, { recursive: true });
});

/** Calls are: open, write and flush the draft, link. */
const callOfLink = 4;

describe.each([
  ['with hard links', 'none'],
  ['without', 'fail'],
] as const)('%s', (_, effect) => {
  const arm = (): void => {
    armFaults({ at: callOfLink, effect, code: 'ENOTSUP' });
  };

  test.each([undefined, 'bench'])('the file is whole and its draft is gone', async (bench) => {
    arm();
    const path = join(folder, 'key');
    const options = { mode: 0o600, ...(bench !== undefined && { via: folder }) };
    await createExclusively(path, Buffer.from('content'), options);
    expect(await readFile(path, 'utf8')).toBe('content');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['key']);
  });

  test('another file of that name stays', async () => {
    const path = join(folder, 'key');
    await writeFile(path, 'precious');
    arm();
    await expect(createExclusively(path, Buffer.from('content'))).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(path, 'utf8')).toBe('precious');
    expect(await readdir(folder)).toEqual(['key']);
  });
});

test('of many at once, exactly one makes it', async () => {
  const path = join(folder, 'lock');
  const outcomes = await Promise.allSettled(
    Array.from({ length: 16 }, (_, index) => createExclusively(path, Buffer.from(`${index}`))),
  );
  const made = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [`${index}`] : []));
  expect(made).toHaveLength(1);
  expect([await readFile(path, 'utf8')]).toEqual(made);
});

test.each([1, 2, 3, 4, 5])('an error at call %i leaves nothing behind', async (at) => {
  armFaults({ at, effect: 'fail', code: 'EIO' });
  await expect(createExclusively(join(folder, 'key'), Buffer.from('x'))).rejects.toMatchObject({
    code: 'EIO',
  });
  expect(await readdir(folder)).toEqual([]);
});
