/** Keys as their holders use them: made, granted, rotated, revoked, locked, and kept apart for a threshold. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { useCheapPassphrases } from '../../registry-store/cheap-passphrases.ts';
import { CommandLine, modelFile } from '../command-line.ts';

let cli: CommandLine;

beforeEach(async () => {
  cli = await CommandLine.make();
});

interface Listing {
  readonly keys: readonly {
    name: string;
    key_id: string;
    public: string;
    form: string;
    roles: readonly string[];
  }[];
  readonly roles: readonly { role: string; threshold: number; key_ids: readonly string[] }[];
}

async function listing(...args: readonly string[]): Promise<Listing> {
  return (await cli.json('keys', 'list', ...args)) as unknown as Listing;
}

describe('keys list', () => {
  test('shows what is here and what each may sign', async () => {
    await cli.ok('init');
    const out = await cli.ok('keys', 'list');
    expect(out).toMatch(/^deployments +[0-9a-f]{12} +plain +deployments$/m);
    expect(out).toMatch(/^root +1 of 1 key +1 here +[0-9a-f]{12} +until \d{4}-\d\d-\d\d, in [45] years$/m);
    const { keys, roles } = await listing();
    expect(keys.map(({ name }) => name)).toContain('timestamp');
    expect(roles[0]).toMatchObject({ role: 'root', threshold: 1 });
  });

  test('has one line for the roles of all models', async () => {
    await cli.ok('init');
    for (const model of ['iris', 'rose']) {
      await cli.ok('publish', model, modelFile('1.0.0'), '--version', '1');
    }
    const out = await cli.ok('keys', 'list');
    expect(out).toMatch(/^models-\* +2 roles/m);
    expect(out).not.toContain('models-iris');
    expect(await cli.ok('status')).toMatch(/^models-\* +2 roles +until/m);
  });
});

describe('keys that others can read', () => {
  const chmodAll = async (mode: number): Promise<readonly string[]> => {
    const paths = (await readdir(cli.store.keysFolder))
      .filter((name) => name.endsWith('.key'))
      .map((name) => join(cli.store.keysFolder, name));
    for (const path of paths) await chmod(path, mode);
    return paths;
  };

  test('are told of with what to do, and are not called missing', async () => {
    await cli.ok('init');
    const paths = await chmodAll(0o644);
    const { code, out, err } = await cli.run('keys', 'list');
    expect(code).toBe(0);
    expect(out).toContain('No key here can be used.');
    for (const path of paths)
      expect(err).toContain(`warning: ${path} can be read by others. Run: chmod 600 ${path}\n`);
    const { keys, unusable } = (await cli.json('keys', 'list')) as unknown as Listing & {
      readonly unusable: readonly { readonly path: string; readonly code: string }[];
    };
    expect(keys).toEqual([]);
    expect(unusable.map(({ path }) => path)).toEqual([...paths].sort());
    expect(new Set(unusable.map((one) => one.code))).toEqual(new Set(['KEY_UNSAFE']));
    await chmodAll(0o600);
    expect(await cli.ok('keys', 'list')).toMatch(/^deployments +[0-9a-f]{12} +plain/m);
  });

  test('are not replaced by one that is less safe', async () => {
    await cli.ok('init');
    await chmod(join(cli.store.keysFolder, 'timestamp.key'), 0o644);
    expect(await cli.failure('keys', 'rotate', 'timestamp')).toMatchObject({ code: 'KEY_UNSAFE' });
  });
});

describe('a key', () => {
  test('is made, granted, and signs', async () => {
    await cli.ok('init');
    const made = (await cli.json('keys', 'new', 'ada')) as { key_id: string; public: string };
    expect(await cli.failure('keys', 'new', 'ada')).toMatchObject({ code: 'STORE_EXISTS' });
    expect((await listing()).keys.find(({ name }) => name === 'ada')).toMatchObject({ roles: [] });
    expect(await cli.ok('keys', 'grant', 'deployments', made.public, '--why', 'Ada is on call')).toMatch(
      new RegExp(`deployments: ${made.key_id.slice(0, 12)} may sign \\(revision 2\\)`),
    );
    await rename(join(cli.store.keysFolder, 'deployments.key'), join(cli.store.base, 'deployments.key'));
    await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1');
    await cli.ok('deploy', 'iris', '--version', '1');
    expect(await cli.ok('history')).toMatch(
      /^2 .* keys +deployments: \+[0-9a-f]{12} threshold 1 +Ada is on call$/m,
    );
  });

  test('that is rotated away does not count any more', async () => {
    await cli.ok('init');
    await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1');
    const before = (await listing()).roles.find(({ role }) => role === 'deployments')?.key_ids[0];
    const rotated = await cli.json('keys', 'rotate', 'deployments', '--why', 'yearly');
    expect(rotated).toMatchObject({ removed: [before], changed: true });
    const after = (await listing()).roles.find(({ role }) => role === 'deployments')?.key_ids;
    expect(after).toEqual((rotated as unknown as { added: readonly string[] }).added);
    await cli.ok('deploy', 'iris', '--version', '1');
    await cli.ok('verify');
  });

  test('that is revoked does not count any more', async () => {
    await cli.ok('init');
    const made = (await cli.json('keys', 'new', 'ada')) as { key_id: string; public: string };
    await cli.ok('keys', 'grant', 'models', made.public);
    expect(await cli.json('keys', 'revoke', made.key_id)).toMatchObject({ removed: [made.key_id] });
    expect((await listing()).keys.find(({ name }) => name === 'ada')).toMatchObject({ roles: [] });
    expect(await cli.failure('keys', 'revoke', made.key_id)).toMatchObject({ code: 'UNKNOWN_KEY' });
  });

  test('that is missing is named', async () => {
    await cli.ok('init');
    await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1');
    await rename(join(cli.store.keysFolder, 'deployments.key'), join(cli.store.base, 'gone'));
    const { code, error } = await cli.failure('deploy', 'iris', '--version', '1');
    expect(code).toBe('KEY_MISSING');
    expect(error).toContain('deployments');
  });
});

test('a ceremony: three root keys with three people, two of whom must agree', async () => {
  await cli.ok('init', '--root-keys', '3', '--root-threshold', '2');
  const roots = (await listing()).keys.filter(({ roles }) => roles.includes('root'));
  expect(roots).toHaveLength(3);
  // Each root key goes home with somebody.
  const homes = await Promise.all(
    roots.map(async ({ name }) => {
      const home = join(cli.store.base, `home-of-${name}`);
      await mkdir(home);
      await rename(join(cli.store.keysFolder, `${name}.key`), join(home, `${name}.key`));
      return home;
    }),
  );
  expect(await cli.failure('keys', 'rotate', 'timestamp')).toMatchObject({
    code: expect.stringMatching(/KEY_MISSING|THRESHOLD_NOT_MET/) as unknown,
  });
  const alone = await cli.failure(
    'keys',
    'rotate',
    'timestamp',
    '--keys',
    cli.store.keysFolder,
    '--keys',
    homes[0] ?? '',
  );
  expect(alone.code).toMatch(/KEY_MISSING|THRESHOLD_NOT_MET/);
  const together = ['--keys', cli.store.keysFolder, '--keys', homes[0] ?? '', '--keys', homes[2] ?? ''];
  expect(await cli.ok('keys', 'rotate', 'timestamp', ...together)).toMatch(
    /^timestamp: .* may sign, .* may not any more/,
  );
  // Day to day nobody needs them.
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1');
  await cli.ok('verify');
});

describe('passphrases', () => {
  useCheapPassphrases();

  test('are asked for twice when made, once for each key when needed, and never shown', async () => {
    const made = await cli.typing(['correct horse', 'correct horse'], 'init', '--encrypt');
    expect(made).toMatchObject({ code: 0, asked: ['New passphrase: ', 'The same again: '] });
    expect((await listing()).keys.every(({ form }) => form === 'encrypted')).toBe(true);
    const refreshed = await cli.typing(['correct horse', 'correct horse'], 'refresh');
    expect(refreshed.code).toBe(0);
    expect(refreshed.asked).toContain('Passphrase of the key timestamp: ');
    expect(made.out + made.err + refreshed.out + refreshed.err).not.toContain('horse');
  });

  test('that differ, or are empty, make nothing', async () => {
    const differ = await cli.typing(['one', 'two'], 'init', '--encrypt', '--json');
    expect(differ.code).toBe(1);
    expect(JSON.parse(differ.err)).toMatchObject({ code: 'KEY_LOCKED' });
    expect((await cli.typing([''], 'keys', 'new', 'ada', '--encrypt')).err).toMatch(/empty passphrase/);
    await cli.ok('init');
  });

  test.each([
    [['init', '--encrypt']],
    [['keys', 'new', 'ada', '--encrypt']],
    [['keys', 'new', 'ada', '--encrypt', '--json']],
  ])('that nobody wants to type end %j with 130 and make nothing', async (args) => {
    const { code, out, err } = await cli.typing(['one', '^C'], ...args);
    expect({ code, out }).toEqual({ code: 130, out: '' });
    expect(err).toMatch(/Interrupted; nothing was changed\./);
    expect(existsSync(cli.store.folder)).toBe(false);
    expect(existsSync(join(cli.store.keysFolder, 'ada.key'))).toBe(false);
  });

  test('come from a file or the environment for machines', async () => {
    const file = join(cli.store.base, 'passphrase');
    await writeFile(file, 'correct horse\nnot this line\n');
    await cli.ok('init', '--passphrase-file', file);
    await cli.ok('refresh', '--passphrase-file', file);
    onTestFinished(() => {
      delete process.env['TIDEGATE_PASSPHRASE'];
    });
    process.env['TIDEGATE_PASSPHRASE'] = 'wrong horse';
    expect(await cli.failure('refresh')).toMatchObject({ code: 'KEY_LOCKED' });
    process.env['TIDEGATE_PASSPHRASE'] = 'correct horse';
    await cli.ok('refresh');
    delete process.env['TIDEGATE_PASSPHRASE'];
    const { code, error } = await cli.failure('refresh');
    expect(code).toBe('KEY_LOCKED');
    expect(error).toMatch(/--passphrase-file or set TIDEGATE_PASSPHRASE/);
    await writeFile(file, '\n');
    expect(await cli.failure('refresh', '--passphrase-file', file)).toMatchObject({ code: 'KEY_LOCKED' });
    expect(await cli.failure('refresh', '--passphrase-file', '/nowhere')).toMatchObject({
      code: 'FILE_UNREADABLE',
    });
  });
});

test('a command can hold the key', async () => {
  await cli.ok('init');
  const { keys } = await listing();
  const held = keys.find(({ name }) => name === 'timestamp');
  const out = await cli.json(
    'keys',
    'new',
    'hsm',
    '--command',
    '/bin/false slot 1',
    '--public',
    held?.public ?? '',
  );
  expect(out).toMatchObject({ name: 'hsm', key_id: held?.key_id });
  expect((await listing()).keys.find(({ name }) => name === 'hsm')).toMatchObject({ form: 'command' });
  await rename(join(cli.store.keysFolder, 'timestamp.key'), join(cli.store.base, 'gone'));
  const { error } = await cli.failure('refresh');
  expect(error).toContain('/bin/false');
});

describe('a command line about keys that is not clear is wrong usage', () => {
  test.each([
    [['keys', 'new', 'hsm', '--command', 'x'], /--command and --public go together/],
    [['keys', 'grant', 'root'], /public key, or a new --threshold/],
    [['keys', 'grant', 'root', '--threshold', '0'], /whole number from 1/],
    [['keys', 'rotat'], /Did you mean rotate/],
  ])('%j', async (args, message) => {
    const { code, err } = await cli.run(...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});

describe('a key that is rotated', () => {
  const formOf = async (name: string): Promise<string | undefined> =>
    (await listing()).keys.find((key) => key.name === name)?.form;

  test('is plain when the old one is, also when that one is lost', async () => {
    await cli.ok('init');
    await rename(join(cli.store.keysFolder, 'timestamp.key'), join(cli.store.base, 'lost'));
    await cli.ok('keys', 'rotate', 'timestamp', '--why', 'the disk died');
    expect(await formOf('timestamp-2')).toBe('plain');
  });

  test('is locked on request, with a passphrase that is asked for twice', async () => {
    await cli.ok('init');
    const { code, asked } = await cli.typing(['a', 'a', 'a'], 'keys', 'rotate', 'deployments', '--encrypt');
    expect(code).toBe(0);
    expect(asked.slice(0, 2)).toEqual(['New passphrase: ', 'The same again: ']);
    expect(await formOf('deployments-2')).toBe('encrypted');
  });
});

test('a lost root key is replaced by those that are left', async () => {
  await cli.ok('init', '--root-keys', '3', '--root-threshold', '2');
  const lost = (await listing()).keys.find(({ name }) => name === 'root-2')?.key_id ?? '';
  await rename(join(cli.store.keysFolder, 'root-2.key'), join(cli.store.base, 'lost'));
  expect(await cli.json('keys', 'rotate', 'root', '--key', lost, '--why', 'the stick broke')).toMatchObject({
    roles: ['root'],
    removed: [lost],
  });
  expect((await listing()).roles[0]).toMatchObject({ role: 'root', threshold: 2 });
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1');
  await cli.ok('verify');
});

test('a delegated key is rotated with the key of targets, without root', async () => {
  await cli.ok('init');
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1');
  await rename(join(cli.store.keysFolder, 'root.key'), join(cli.store.base, 'safe'));
  await cli.ok('keys', 'rotate', 'deployments');
  await cli.ok('keys', 'rotate', 'models');
  await cli.ok('publish', 'iris', modelFile('2.0.0'), '--version', '2');
  await cli.ok('deploy', 'iris', '--version', '2');
  await cli.ok('verify');
});

test('Ctrl-C while the keys of a new store are locked leaves nothing behind', async () => {
  const file = join(cli.store.base, 'passphrase');
  await writeFile(file, 'correct horse\n');
  const before = await readdir(cli.store.base);
  const made = cli.run('init', '--passphrase-file', file);
  // Six keys take seconds; the first of them is under way.
  await vi.waitFor(async () => {
    expect((await readdir(cli.store.base)).length).toBeGreaterThan(before.length);
  }, 20_000);
  process.emit('SIGINT');
  expect(await made).toMatchObject({ code: 130, out: '' });
  expect(await readdir(cli.store.base)).toEqual(before);
});
