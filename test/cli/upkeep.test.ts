/** What keeps a store in order: refresh from cron, verify, and gc. */
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { CommandLine, modelFile } from './command-line.ts';

let cli: CommandLine;

/** Revision 5. */
beforeEach(async () => {
  cli = await CommandLine.makeWithIris();
});

describe('refresh', () => {
  test('signs the timestamp anew and says nothing to cron', async () => {
    const before = await cli.json('status');
    expect(await cli.ok('refresh')).toBe('');
    const after = await cli.json('status');
    const timestamp = ({ roles }: Readonly<Record<string, unknown>>): number =>
      (roles as { role: string; version: number }[]).find(({ role }) => role === 'timestamp')?.version ?? 0;
    expect(timestamp(after)).toBe(timestamp(before) + 1);
    expect(after['revision']).toBe(5);
  });

  test('tells a person at a terminal, and a script, what it did', async () => {
    expect((await cli.typing([], 'refresh')).out).toMatch(
      /^Signed timestamp anew, until \d{4}-\d\d-\d\d \d\d:\d\d\n$/,
    );
    expect(await cli.json('refresh')).toMatchObject({
      revision: 5,
      renewed: [{ role: 'timestamp' }],
      half_spent: [],
    });
  });
});

describe('refresh as time goes by', () => {
  const dayMs = 24 * 60 * 60 * 1000;

  function daysLater(days: number): void {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * dayMs });
    onTestFinished(() => {
      vi.useRealTimers();
    });
  }

  test('with the two keys of a machine warns of what it cannot renew', async () => {
    const machine = join(cli.store.base, 'machine');
    await mkdir(machine, { mode: 0o700 });
    for (const file of ['root.json', 'timestamp.key', 'snapshot.key']) {
      await copyFile(join(cli.store.keysFolder, file), join(machine, file));
    }
    daysLater(200);
    const { code, out, err } = await cli.run('refresh', '--keys', machine);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(err).toMatch(/^warning: deployments expires in 5 months \(.+\); run this with --all and its key/m);
    expect(err).not.toMatch(/timestamp|snapshot|root/);
    expect(await cli.json('refresh', '--keys', machine)).toMatchObject({
      renewed: [{ role: 'timestamp' }],
      half_spent: expect.arrayContaining([expect.objectContaining({ role: 'targets' })]) as unknown,
    });
  });

  test('with --all and every key renews whatever is past half of its time', async () => {
    daysLater(200);
    expect(await cli.json('refresh', '--all')).toMatchObject({ half_spent: [] });
    daysLater(200);
    await cli.ok('status');
  });

  test.each([
    ['all but the root', 400],
    ['the root too', 6 * 365],
  ])('with --all mends a store of which %s has expired', async (_what, days) => {
    daysLater(days);
    expect(await cli.failure('status')).toMatchObject({ code: 'STORE_REFUSED', check: 'expiry' });
    await cli.ok('refresh', '--all');
    await cli.ok('verify');
    expect(await cli.json('status')).toMatchObject({ revision: 5 });
  });
});

describe('verify', () => {
  test('says what it proved, needs no key, and one byte makes it fail', async () => {
    await rm(`${cli.store.keysFolder}/models.key`);
    const out = await cli.ok('verify');
    expect(out).toMatch(
      /verifies, revision 5\n {2}1 model, 2 versions, 1 deployment, \d+ events?, \d+ files of /,
    );
    expect(out).toMatch(/\nProved:\n {2}\S/);
    expect(out).toMatch(/\nroot +v1 +1 of 1 key +until /);
    const [artifact = ''] = (await cli.store.files()).filter((file) => file.endsWith('.onnx'));
    await cli.store.write(artifact, Buffer.from('other bytes'));
    expect(await cli.failure('verify')).toMatchObject({ code: 'STORE_REFUSED' });
  });
});

describe('gc', () => {
  test('says what would go, removes it, and the store still verifies', async () => {
    for (let round = 0; round < 12; round += 1) {
      await cli.ok('deploy', 'iris', '--version', round % 2 === 0 ? '1.0.0' : '2.0.0');
    }
    const before = await cli.store.files();
    const plan = await cli.json('gc', '--dry-run', '--keep-superseded', '1');
    expect(plan).toMatchObject({ dry_run: true, unknown: [] });
    expect(await cli.store.files()).toEqual(before);
    const paths = (plan as unknown as { removed: { path: string }[] }).removed.map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(3);
    expect(await cli.ok('gc', '--keep-superseded', '1')).toMatch(/Removed \d+ files, .* in use\n$/);
    const after = await cli.store.files();
    expect(paths.filter((path) => after.includes(path))).toEqual([]);
    expect(await cli.ok('gc', '--keep-superseded', '1')).toMatch(/^Nothing to remove; \d+ files in use\n$/);
    await cli.ok('verify');
  });

  test('leaves alone what it does not know and names it', async () => {
    await writeFile(cli.store.path('notes.txt'), 'mine');
    expect(await cli.ok('gc')).toContain('Not part of a store and left alone: notes.txt');
    expect(await cli.store.files()).toContain('notes.txt');
  });
});

test('publishing goes on while a store is kept in order', async () => {
  await Promise.all([
    cli.ok('publish', 'rose', modelFile('1.0.0'), '--version', '1'),
    cli.ok('refresh'),
    cli.ok('gc'),
    cli.ok('publish', 'rose', modelFile('2.0.0'), '--version', '2'),
  ]);
  expect(await cli.json('verify')).toMatchObject({ revision: 7, versions: 4 });
});
