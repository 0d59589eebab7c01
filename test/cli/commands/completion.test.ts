/**
 * Completion as a shell asks for it: the script is sourced by a real bash and its function called with the words that a
 * person has typed. For zsh and fish, which are rarely on a build machine, that nothing of the program is missing.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../../../cli/run.ts';

async function output(...args: readonly string[]): Promise<string> {
  let out = '';
  expect(await runCli(args, { out: (text) => (out += text), err: () => undefined })).toBe(0);
  return out;
}

let script = '';

beforeAll(async () => {
  script = await output('completion', 'bash');
});

/** What bash would offer for the last of these words. */
function complete(words: readonly string[], cwd = tmpdir()): readonly string[] {
  const typed = ['tidegate', ...words];
  const program = `${script}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tidegate; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const ran = spawnSync('bash', ['--norc', '-c', program, 'bash', ...typed], { encoding: 'utf8', cwd });
  // Outside of a completion `compopt` may complain; everything else is a fault.
  expect(ran.stderr).toBe('');
  expect(ran.status).toBe(0);
  return ran.stdout.split('\n').filter((line) => line !== '');
}

describe('bash completes', () => {
  test.each([
    [['pub'], ['publish']],
    [['reg'], ['register']],
    [['ro'], ['rollback', 'rollout']],
    [
      ['rollout', ''],
      ['watch', 'status', 'help'],
    ],
    [['rollout', 'watch', 'iris', '--unt'], ['--until-done']],
    [
      ['keys', ''],
      ['new', 'list', 'grant', 'rotate', 'revoke', 'help'],
    ],
    [['keys', 'ro'], ['rotate']],
    [['deploy', '--can'], ['--canary']],
    [['deploy', 'iris', '--version', '2.0.0', '--min-r'], ['--min-replicas']],
    [['keys', 'grant', 'models', '--thr'], ['--threshold']],
    [['register', 'iris', 'x.onnx', '--met'], ['--metric']],
    [
      ['publish', '--stage', ''],
      ['training', 'staged'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['init', '--profile', 'f'], ['fleet']],
  ])('%j', (words, offered) => {
    expect(complete(words)).toEqual(offered);
  });

  test('nothing where only the person knows', () => {
    expect(complete(['deploy', '--version', ''])).toEqual([]);
    expect(complete(['deploy', '--version', '--'])).toEqual([]);
    expect(complete(['status', ''])).toEqual([]);
  });

  test('an option value that is called like a command does not lead astray', () => {
    expect(complete(['deploy', 'iris', '--why', 'list', '--can'])).toEqual(['--canary']);
  });

  test('files for a model, folders for a store, also with a space in the name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidegate-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'my model.onnx'), '');
    await mkdir(join(folder, 'my store'));
    expect(complete(['publish', 'iris', 'my'], folder).toSorted()).toEqual(['my model.onnx', 'my store']);
    expect(complete(['status', '--store', 'my'], folder)).toEqual(['my store']);
    expect(complete(['serve', '--store', 'my'], folder)).toEqual(['my store']);
    expect(complete(['verify', '--root', 'my'], folder).toSorted()).toEqual(['my model.onnx', 'my store']);
  });
});

describe('every command and option of the program is in the script for', () => {
  test.each(['bash', 'zsh', 'fish'])('%s', async (shell) => {
    const made = await output('completion', shell);
    const commands = [...(await output('--help')).matchAll(/^ {2}([a-z]+)[| ]/gm)].map(
      ([, name = '']) => name,
    );
    expect(commands.length).toBeGreaterThan(20);
    for (const command of commands.filter((name) => name !== 'help')) {
      expect(made).toContain(command);
      const flags = [...(await output(command, '--help')).matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)];
      for (const [, flag = ''] of flags) expect(made, `${command} --${flag}`).toContain(flag);
    }
  });
});

test('descriptions with quotes cannot break out of the scripts', async () => {
  const { quote } = await import('../../../cli/completion/posix-quote.ts');
  const echoed = spawnSync('bash', ['-c', `printf %s ${quote('it\'s $(id) `id` \\ "x"')}`], {
    encoding: 'utf8',
  });
  expect(echoed.stdout).toBe('it\'s $(id) `id` \\ "x"');
});

test('as JSON', async () => {
  expect(JSON.parse(await output('completion', 'fish', '--json'))).toMatchObject({ shell: 'fish' });
});
