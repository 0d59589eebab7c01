/** The command itself: its exit codes, what it says, being interrupted, and models that need help. */
import { createServer } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../conformance/command.ts';
import { type FaultyServer, startFaultyServer } from './faulty-server.ts';
import { idsWith, runSuite } from './served-models.ts';

let server: FaultyServer;
beforeAll(async () => {
  server = await startFaultyServer();
});
afterAll(() => server.close());

interface Said {
  readonly exitCode: number;
  readonly printed: string;
  readonly complained: string;
}

async function run(
  args: readonly string[],
  signal: AbortSignal = new AbortController().signal,
): Promise<Said> {
  const printed: string[] = [];
  const complained: string[] = [];
  const exitCode = await runCommand(args, {
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    signal,
  });
  return { exitCode, printed: printed.join('\n'), complained: complained.join('\n') };
}

test('help goes to standard output and ends with 0', async () => {
  const said = await run(['--help']);
  expect(said).toMatchObject({ exitCode: 0, complained: '' });
  expect(said.printed).toContain('Usage: npm run conformance -- [options] <url>');
});

describe('what cannot be run ends with 2 and says why', () => {
  test.each([
    ['no URL', [], "missing required argument 'url'"],
    ['a URL of another kind', ['ftp://localhost'], 'Give a URL of http or https.'],
    ['two URLs', ['localhost:1', 'localhost:2'], 'too many arguments'],
    ['an unknown option', ['localhost:1', '--fast'], "unknown option '--fast'"],
    ['a time that is none', ['localhost:1', '--timeout-ms', 'soon'], 'Give a whole number from 1 to 600000.'],
    [
      'a level that there is not',
      ['localhost:1', '--level', 'all'],
      'Give one of core, extension, robustness.',
    ],
    ['a sample without a file', ['localhost:1', '--sample', 'iris'], "Give two parts with '=' between them."],
    [
      'a filter that meets nothing',
      ['localhost:1', '--filter', 'zebra'],
      "No check has 'zebra' in its id or title.",
    ],
    ['a server that is not there', ['localhost:1'], 'The server cannot be reached'],
    [
      'a sample file that is not there',
      ['localhost:1', '--sample', 'a=/no/file'],
      "The sample '/no/file' cannot be read",
    ],
  ])('%s', async (_what, args, words) => {
    const { exitCode, complained } = await run(args);
    expect({ exitCode, complained }).toEqual({
      exitCode: 2,
      complained: expect.stringContaining(words) as unknown,
    });
  });

  test('a model that the server does not know', async () => {
    const { exitCode, complained } = await run([server.url, '--model', 'zebra']);
    expect([exitCode, complained]).toEqual([2, "conformance: The server does not know the model 'zebra'."]);
  });

  test('a report that cannot be written', async () => {
    const { exitCode, complained } = await run([
      server.url,
      '--filter',
      'server',
      '--json',
      '/no/folder/report',
    ]);
    expect([exitCode, complained]).toEqual([2, expect.stringContaining("The report '/no/folder/report'")]);
  });

  test('nothing but skipped checks', async () => {
    expect((await run([server.url, '--filter', 'logging'])).exitCode).toBe(2);
  });

  test('a server that has no index and no models were named', async () => {
    const bare = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve));
    const { port } = bare.address() as AddressInfo;
    const { exitCode, complained } = await run([`127.0.0.1:${port}`]);
    bare.close();
    expect([exitCode, complained]).toEqual([2, expect.stringContaining('Name those to use with --model.')]);
  });
});

test('filter and level choose checks, --model chooses models', async () => {
  const { report } = await runSuite([
    `${server.url}/v2/`,
    '--filter',
    'INT64',
    '--level',
    'core',
    '--model',
    'whole',
  ]);
  expect(idsWith(report, 'passed')).toEqual(['infer.json.INT64', 'infer.exact.INT64']);
  expect(report['models']).toEqual(['whole']);
  expect(report['url']).toBe(`${server.url}/`);
});

test('an interrupted run reports what was done', async () => {
  const slow = await startFaultyServer(undefined, 5);
  const interrupt = new AbortController();
  const printed: string[] = [];
  await runCommand([slow.url], {
    signal: interrupt.signal,
    complain: (line) => printed.push(line),
    print: (line) => {
      printed.push(line);
      if (line.includes('server.metadata')) interrupt.abort();
    },
  });
  await slow.close();
  const ids = printed.filter((line) => /^(pass|FAIL|skip) /.test(line));
  expect(ids).toHaveLength(3);
  expect(printed.at(-1)).toMatch(/^3 checks in .* s, then interrupted\.$/);
});

test('an interrupt before the first check says so', async () => {
  const { complained } = await run([server.url], AbortSignal.abort());
  expect(complained).toBe('conformance: Interrupted before the first check.');
});

test('headers that were asked for go with every request', async () => {
  const seen = new Set<string | undefined>();
  const guarded = createServer((request, response) => {
    seen.add(request.headers.authorization);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => guarded.listen(0, '127.0.0.1', resolve));
  const { port } = guarded.address() as AddressInfo;
  await run([`127.0.0.1:${port}`, '--header', 'Authorization: Bearer a:b']);
  guarded.close();
  expect([...seen]).toEqual(['Bearer a:b']);
});

describe('a sample', () => {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-sample-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('is what the model is asked with', async () => {
    const file = join(folder, 'whole.json');
    const data = '[[1,2],[3,9007199254740993]]';
    writeFileSync(file, `{"inputs":[{"name":"x0","shape":[2,2],"datatype":"INT64","data":${data}}]}`);
    const { report } = await runSuite([
      server.url,
      '--model',
      'whole',
      '--sample',
      `whole=${file}`,
      '--filter',
      'infer.id',
    ]);
    expect(idsWith(report, 'failed')).toEqual([]);
    expect(idsWith(report, 'passed')).toEqual(['infer.id']);
  });

  test('that is no request is refused', async () => {
    const file = join(folder, 'odd.json');
    writeFileSync(file, '{"inputs":[{"name":"x0"}]}');
    const { exitCode, complained } = await run([server.url, '--sample', `whole=${file}`]);
    expect([exitCode, complained]).toEqual([2, expect.stringContaining('is no request')]);
  });
});
