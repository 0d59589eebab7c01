/** Tokens, the file they are kept in, and the commands that make and revoke them. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { pino } from 'pino';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { registerToken } from '../../../cli/commands/token.ts';
import { type ServeControlOptions, addControlOptions } from '../../../cli/options/control-options.ts';
import { withControl } from '../../../cli/serving/serve-control.ts';
import {
  type TokenEntry,
  findToken,
  makeToken,
  mayUse,
  scopes,
} from '../../../gateway/admin/control-tokens.ts';
import { TokenFile, changeTokenFile, readTokenFile } from '../../../gateway/admin/token-file.ts';

const nowMs = Date.UTC(2026, 0, 1);

function made(name: string, lifetimeMs?: number): ReturnType<typeof makeToken> {
  return makeToken({ name, scopes: ['read'], nowMs, lifetimeMs });
}

let path: string;
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-tokens-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  path = join(folder, 'of-a-node', 'tokens.json');
  await mkdir(join(folder, 'of-a-node'));
});

describe('a token', () => {
  test('is 256 random bits, of which only the digest is kept', () => {
    const [one, other] = [made('a'), made('a')];
    expect(one.token).toMatch(/^tgt_[\w-]{43}$/);
    expect(one.token).not.toBe(other.token);
    expect(JSON.stringify(one.entry)).not.toContain(one.token.slice(4));
  });

  test('is found by what it is', () => {
    const [one, other] = [made('one'), made('other')];
    const entries = [one.entry, other.entry];
    expect(findToken(entries, `Bearer ${other.token}`, nowMs)).toEqual({ ok: true, value: other.entry });
    expect(findToken(entries, `bearer  ${one.token}`, nowMs)).toEqual({ ok: true, value: one.entry });
    const wrong = [
      '',
      one.token,
      `Basic ${one.token}`,
      `Bearer ${one.token} x`,
      'Bearer ',
      `Bearer ${one.token}=`,
    ];
    for (const authorization of [
      ...wrong,
      `Bearer ${one.token.slice(0, -1)}`,
      `Bearer ${one.entry.sha256}`,
    ]) {
      expect(findToken(entries, authorization, nowMs)).toMatchObject({ ok: false, code: 'UNAUTHENTICATED' });
    }
    expect(findToken([], `Bearer ${one.token}`, nowMs)).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('counts until it expires', () => {
    const { token, entry } = made('short', 1000);
    expect(entry.expiresAt).toBe('2026-01-01T00:00:01.000Z');
    expect(findToken([entry], `Bearer ${token}`, nowMs + 999).ok).toBe(true);
    expect(findToken([entry], `Bearer ${token}`, nowMs + 1000)).toMatchObject({ code: 'TOKEN_EXPIRED' });
  });

  test('may what its scopes say, and read with any', () => {
    const may = (...granted: TokenEntry['scopes']): readonly string[] =>
      scopes.filter((scope) => mayUse({ ...made('a').entry, scopes: granted }, scope));
    expect(may('read')).toEqual(['read']);
    expect(may('deploy')).toEqual(['read', 'deploy']);
    expect(may('publish')).toEqual(['read', 'publish']);
    expect(may('admin')).toEqual([...scopes]);
    expect(may()).toEqual([]);
  });
});

describe('the file', () => {
  test('is for its owner alone and is read again when it changed', async () => {
    const [one, other] = [made('one'), made('other')];
    await changeTokenFile(path, () => [one.entry]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const file = new TokenFile(path);
    const before = await file.entries();
    expect(await file.entries()).toBe(before);
    await changeTokenFile(path, (entries) => [...entries, other.entry]);
    expect((await file.entries()).map(({ name }) => name)).toEqual(['one', 'other']);
    await chmod(path, 0o644);
    await expect(file.entries()).rejects.toMatchObject({ code: 'KEY_UNSAFE' });
    await expect(readTokenFile(path)).rejects.toThrow(`Run: chmod 600 ${path}`);
    await chmod(path, 0o600);
    expect(await file.entries()).toHaveLength(2);
    await rm(path);
    await expect(file.entries()).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('behind a link, as secrets are mounted, is read', async () => {
    await changeTokenFile(path, () => [made('one').entry]);
    await symlink(path, `${path}.link`);
    expect(await readTokenFile(`${path}.link`)).toHaveLength(1);
  });

  test.each([
    ['', 'is not an object'],
    ['{"kind": "tidegate-tokens", "schema": 2, "tokens": []}', 'schema'],
    ['{"kind": "tidegate-key", "schema": 1, "tokens": []}', 'kind'],
  ])('%j is none', async (text, problem) => {
    await writeFile(path, text, { mode: 0o600 });
    await expect(readTokenFile(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(readTokenFile(path)).rejects.toThrow(problem);
  });

  test('with an entry that does not hold is none, and a name stands once', async () => {
    const { entry } = made('one');
    const spoiled = [
      { ...entry, sha256: 'x' },
      { ...entry, scopes: ['all'] },
      { ...entry, name: '../x' },
    ];
    for (const token of [...spoiled, { ...entry, expiresAt: 'never' }]) {
      const text = JSON.stringify({ kind: 'tidegate-tokens', schema: 1, tokens: [token] });
      await writeFile(path, text, { mode: 0o600 });
      await expect(readTokenFile(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    await rm(path);
    await changeTokenFile(path, () => [entry, entry]);
    await expect(readTokenFile(path)).rejects.toThrow('has a name twice');
  });

  test('is changed by one command at a time', async () => {
    await writeFile(`${path}.lock`, '');
    await expect(changeTokenFile(path, () => [])).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await rm(`${path}.lock`);
    await expect(
      changeTokenFile(path, () => {
        throw new Error('given up');
      }),
    ).rejects.toThrow('given up');
    await changeTokenFile(path, () => []);
  });
});

describe('tidegate token', () => {
  async function run(...args: readonly string[]): Promise<string> {
    return (await speak(...args)).out;
  }

  async function speak(...args: readonly string[]): Promise<{ readonly out: string; readonly err: string }> {
    let [out, err] = ['', ''];
    const output = { out: (text: string) => (out += text), err: (text: string) => (err += text) };
    const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    registerToken(program, output);
    await program.parseAsync(['token', ...args, '--tokens', path], { from: 'user' });
    return { out, err };
  }

  test('creates, lists and revokes', async () => {
    const scopes = ['--scope', 'publish', '--scope', 'deploy'];
    const { out, err } = await speak('create', 'ci', ...scopes, '--expires', '90d');
    // A shell that catches the output gets the token and nothing else.
    const token = out.trim();
    expect(out).toBe(`${token}\n`);
    expect(err).toMatch(/The token ci may deploy, publish until \d{4}-/);
    const [entry] = await readTokenFile(path);
    expect(entry).toMatchObject({ name: 'ci', scopes: ['deploy', 'publish'] });
    expect(findToken([entry!], `Bearer ${token}`, Date.now()).ok).toBe(true);
    expect(await readFile(path, 'utf8')).not.toContain(token.slice(4));
    const listed = await run('list');
    expect(listed).toMatch(/^ci {2}deploy,publish {2}made .* {2}expires in /);
    expect(listed).not.toContain(token.slice(4));
    await expect(run('create', 'ci', '--scope', 'read')).rejects.toThrow('There is a token ci already');
    expect(await run('revoke', 'ci')).toContain('worthless');
    await expect(run('revoke', 'ci')).rejects.toThrow('There is no token ci.');
    expect(await run('list')).toContain('There is no token yet');
  });

  test('prints one JSON value for programs, and makes the folder', async () => {
    await rm(join(path, '..'), { recursive: true });
    const created = JSON.parse(await run('create', 'ci', '--scope', 'read', '--json')) as Record<
      string,
      unknown
    >;
    expect(created).toMatchObject({ name: 'ci', scopes: ['read'], expires_at: null });
    expect(JSON.parse(await run('list', '--json'))).toMatchObject({ tokens: [{ name: 'ci' }] });
  });

  test('refuses a scope or a name that is none', async () => {
    await expect(run('create', 'ci', '--scope', 'all')).rejects.toThrow('A scope is one of');
    await expect(run('create', 'ci')).rejects.toThrow('--scope');
    await expect(run('create', 'a b', '--scope', 'read')).rejects.toThrow('A token name');
  });
});

describe('the options of serve', () => {
  let isClosed: boolean;
  const gateway = {
    port: 8080,
    loaded: Promise.resolve(),
    memoryRefusalOf: () => undefined,
    close: () => {
      isClosed = true;
      return Promise.resolve();
    },
  };

  async function start(...args: readonly string[]): Promise<unknown> {
    isClosed = false;
    const program = addControlOptions(new Command().exitOverride(), Number).parse(args, { from: 'user' });
    const options: ServeControlOptions = program.opts();
    return withControl(
      { ...options, store: path, keys: path, state: path, host: '127.0.0.1' },
      {
        gateway,
        current: () => {
          throw new Error('not asked');
        },
        graceMs: 0,
        output: { out: () => undefined, err: () => undefined },
        log: pino({ level: 'silent' }),
      },
    );
  }

  test('start nothing unless there is a port', async () => {
    expect(await start()).toBe(gateway);
    expect(isClosed).toBe(false);
  });

  test('need a token file, and a key for a certificate; otherwise nothing is served', async () => {
    await expect(start('--control-port', '0', '--control-tokens', path)).rejects.toThrow(
      'tidegate token create',
    );
    expect(isClosed).toBe(true);
    await expect(start('--control-port', '0', '--control-cert', path)).rejects.toThrow('go together');
    expect(isClosed).toBe(true);
  });
});
