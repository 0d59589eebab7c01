/** The command line from the outside: how it ends when it is wrong or cannot be done, and its help. */
import { spawn, spawnSync } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { CommandLine, modelFile, run } from './command-line.ts';

const commands: readonly (readonly string[])[] = [
  ['init'],
  ...['new', 'list', 'grant', 'rotate', 'revoke'].map((name) => ['keys', name]),
  ['keys'],
  ['refresh'],
  ['verify'],
  ['gc'],
  ['inspect'],
  ['publish'],
  ['stage'],
  ['promote'],
  ['archive'],
  ['list'],
  ['show'],
  ['deploy'],
  ['scale'],
  ['undeploy'],
  ['rollback'],
  ['status'],
  ['rollout'],
  ['rollout', 'watch'],
  ['history'],
  ['diff'],
  ['completion'],
  ['pause'],
  ['resume'],
  ['approve'],
  ['abort'],
  ['tuf-client'],
  ['token'],
  ['bench'],
  ['serve'],
];

describe('a command line that is wrong ends with 2 and says why:', () => {
  test.each([
    [['stauts'], /unknown command 'stauts'[^]*Did you mean status/],
    [['status', '--jsno'], /unknown option '--jsno'[^]*Did you mean --json/],
    [['publish', 'iris', '--version', '1'], /missing required argument 'file'/],
    [['publish', 'iris', 'x.onnx'], /required option '--version/],
    [['publish', 'iris', 'x.onnx', '--version', '1', '--metric', 'accuracy'], /name=number/],
    [['publish', 'iris', 'x.onnx', '--version', '1', '--metric', 'accuracy=high'], /high is not a number/],
    [
      ['publish', 'iris', 'x.onnx', '--version', '1', '--metric', 'a=1', '--metric', 'a=2'],
      /a is given twice/,
    ],
    [
      ['publish', 'iris', 'x.onnx', '--version', '1', '--stage', 'archived'],
      /Allowed choices are training, staged/,
    ],
    [['deploy', 'iris', '--version', '1', 'extra'], /too many arguments/],
    [['deploy', 'iris', '--version', '1', '--canary', '120'], /percentage from 0 to 100/],
    [['deploy', 'iris', '--version', '1', '--canary', '5', '--blue-green'], /cannot be used with/],
    [['deploy', 'iris', '--version', '1', '--canary', '5', '--steps', '1,2'], /cannot be used with/],
    [['deploy', 'iris', '--version', '1', '--hold', '5m'], /--hold goes with --steps/],
    [['deploy', 'iris', '--version', '1', '--gate', 'speed=rollback'], /Write a gate like/],
    [['deploy', 'iris', '--version', '1', '--gate', 'error=rollback:0.5'], /from 1 to 100 times/],
    [['deploy', 'iris', '--version', '1', '--min-callers', '-1'], /whole number from 0/],
    [['deploy', 'iris', '--version', '1', '--steps', 'all'], /percentages with commas/],
    [['deploy', 'iris', '--version', '1', '--rolling', '--shadow', '5'], /cannot be used with/],
    [['deploy', 'iris', '--version', '1', '--memory-limit', 'lots'], /512Mi/],
    [['deploy', 'iris', '--version', '1', '--cpu-limit', 'all'], /1500m/],
    [['scale', 'iris', '--cpu-limit', '999999'], /--cpu-limit.*up to 1024\./],
    [['scale', 'iris', '--min-replicas', 'none', '--max-replicas', '3'], /leave out --max-replicas/],
    [['scale', 'iris'], /Name what changes/],
    [['scale', 'iris', '--target-cpu', '0.7'], /whole percentage/],
    [['inspect'], /missing required argument 'file'/],
    [['rollout', 'watch', '--node', 'localhost:8080'], /address of a gateway like http:/],
    [['rollout', 'watch', '--interval-ms', '5'], /milliseconds, 100 to/],
    [['rollout', 'watch', '--once', '--until-done'], /cannot be used with/],
    [['diff', '1'], /missing required argument 'to'/],
    [['diff', '1', 'now'], /whole number from 1/],
    [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
    [[], /Usage: tidegate/],
  ])('%j', async (args, message) => {
    const { code, out, err } = await run(args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(out).toBe('');
  });

  test.each([[['stauts']], [['status', '--jsno']], [['diff', '1', 'now']], [['scale', 'iris']]])(
    'as one JSON value for a script: %j',
    async (args) => {
      const { code, out, err } = await run([...args, '--json']);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(JSON.parse(err)).toMatchObject({ code: 'WRONG_USAGE', error: expect.any(String) as unknown });
    },
  );
});

describe('what cannot be done ends with 1 and says what to do:', () => {
  test.each([
    [['status'], /no store at .*tidegate init/],
    [['verify'], /no store at/],
    [['history'], /no store at/],
    [['gc'], /no store at/],
    [['refresh'], /no store at/],
    [['deploy', 'iris', '--version', '1'], /no store at/],
    [
      ['publish', 'iris', '/nowhere/x.onnx', '--version', '1'],
      /\/nowhere\/x\.onnx cannot be read \(ENOENT\)/,
    ],
  ])('without a store: %j', async (args, message) => {
    const cli = await CommandLine.make();
    const { code, err } = await cli.run(...args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).toMatch(/^error: /);
  });

  test('with a store, with a code for a script', async () => {
    const cli = await CommandLine.makeWithIris();
    const junk = join(cli.store.base, 'junk.onnx');
    await writeFile(junk, 'junk');
    const cases: readonly (readonly [readonly string[], string, RegExp])[] = [
      [['init'], 'STORE_EXISTS', /already/],
      [
        ['publish', 'iris', modelFile('2.0.0'), '--version', '1.0.0'],
        'DUPLICATE_VERSION',
        /published already/,
      ],
      [['publish', 'stats', modelFile('1.0.0'), '--version', '1'], 'INVALID_ARGUMENT', /\/v2\/models\/stats/],
      [['publish', 'junk', junk, '--version', '1.0.0'], 'MODEL_REFUSED', /NOT_ONNX/],
      [['publish', 'junk', '/nowhere', '--version', '1.0.0'], 'FILE_UNREADABLE', /ENOENT/],
      [['deploy', 'iris', '--version', '9'], 'UNKNOWN_VERSION', /no version "9"\. It has: 1\.0\.0, 2\.0\.0/],
      [['deploy', 'tulip', '--version', '1'], 'UNKNOWN_MODEL', /no model "tulip"\. It has: iris/],
      [['show', 'tulip'], 'UNKNOWN_MODEL', /no model "tulip"\. It has: iris/],
      [['show', 'iris', '9'], 'UNKNOWN_VERSION', /no version "9"/],
      [['archive', 'iris', '2.0.0'], 'VERSION_IN_USE', /is live/],
      [['promote', 'iris'], 'INVALID_STRATEGY', /no candidate/],
      [['deploy', 'iris', '--version', '2.0.0', '--canary', '5'], 'INVALID_STRATEGY', /live already/],
      [
        ['deploy', 'iris', '--version', '1.0.0', '--min-replicas', '4', '--max-replicas', '2'],
        'INVALID_ARGUMENT',
        /maxReplicas is 2, less than minReplicas/,
      ],
    ];
    for (const [args, code, message] of cases) {
      const failure = await cli.failure(...args);
      expect(failure.code, args.join(' ')).toBe(code);
      expect(failure.error).toMatch(message);
    }
    await cli.ok('archive', 'iris', '1.0.0');
    expect(await cli.failure('promote', 'iris', '1.0.0')).toMatchObject({ code: 'ILLEGAL_MOVE' });
    expect(await cli.failure('deploy', 'iris', '--version', '1.0.0')).toMatchObject({
      code: 'NOT_DEPLOYABLE',
    });
  });

  test('with the name of the check when a store does not verify', async () => {
    const cli = await CommandLine.makeWithIris();
    const path = 'metadata/timestamp.json';
    await cli.store.write(path, (await readFile(cli.store.path(path))).subarray(1));
    expect(await cli.failure('status')).toMatchObject({ code: 'STORE_REFUSED', check: 'canonical-bytes' });
  });
});

describe('help', () => {
  test.each([[], ...commands].map((command) => ({ command })))(
    'of $command has examples',
    async ({ command }) => {
      const { code, out } = await run([...command, '--help']);
      expect(code).toBe(0);
      expect(out).toMatch(/Examples:\n {2}\$ (tidegate|crontab)/);
    },
  );

  test('names every command, and every command takes --json or serves', async () => {
    const { out } = await run(['--help']);
    for (const [command = ''] of commands) expect(out).toMatch(new RegExp(`^ {2}${command}[| ]`, 'm'));
    const withoutJson = new Set(['serve', 'keys', 'rollout', 'token', 'tuf-client', 'bench']);
    for (const command of commands.filter((words) => !withoutJson.has(words.join(' ')))) {
      expect((await run([...command, '--help'])).out, command.join(' ')).toContain('--json');
    }
  });

  test('fits a terminal of 120 columns', async () => {
    for (const command of [[], ...commands]) {
      const { out } = await run([...command, '--help']);
      const wide = out.split('\n').filter((line) => line.length > 120);
      expect(wide, command.join(' ')).toEqual([]);
    }
  });
});

describe('the compiled command', () => {
  const main = fileURLToPath(new URL('../../dist/bin/tidegate.js', import.meta.url));

  test('runs as a program', async () => {
    const { store } = await CommandLine.make();
    const version = spawnSync(process.execPath, [main, '--version'], { encoding: 'utf8' });
    expect(version).toMatchObject({ status: 0, stderr: '' });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const env = { ...process.env, TIDEGATE_STORE: store.folder, TIDEGATE_KEYS: store.keysFolder };
    expect(spawnSync(process.execPath, [main, 'init'], { env }).status).toBe(0);
    expect(spawnSync(process.execPath, [main, 'init'], { env }).status).toBe(1);
    expect(spawnSync(process.execPath, [main, 'nonsense'], { env }).status).toBe(2);
  });

  test('stops at Ctrl-C with 130 and leaves the store as it was', async () => {
    const cli = await CommandLine.makeWithIris();
    const before = await cli.store.files();
    // Somebody else is at work, so that the publish below has to wait.
    const bench = cli.store.path('.publisher');
    await mkdir(bench, { recursive: true });
    const holder = { token: '0'.repeat(36), pid: process.pid, host: hostname() };
    await writeFile(join(bench, 'lock'), JSON.stringify(holder));
    const { folder, keysFolder } = cli.store;
    const child = spawn(process.execPath, [
      ...[main, 'publish', 'iris', modelFile('1.0.0'), '--version', '3.0.0'],
      ...['--store', folder, '--keys', keysFolder],
    ]);
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const ended = new Promise((resolve) => child.once('close', resolve));
    // The wish that a waiting publisher leaves beside the lock.
    await vi.waitFor(() => access(join(bench, 'lock-wanted')), { timeout: 20_000, interval: 20 });
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(err).toBe('error: Interrupted; nothing was changed.\n');
    expect((await cli.store.files()).filter((file) => !file.startsWith('.publisher/lock'))).toEqual(before);
  });
});
