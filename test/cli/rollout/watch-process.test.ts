/** `tidegate rollout watch` as a process of its own beside a small gateway that is none: pipes, signals and exit codes. */
import { spawn, spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import type { RolloutReport } from '../../../gateway/main.ts';
import { eventually } from '../../e2e/deadline.ts';
import { canary, decided, reportOf } from './reports.ts';

const main = fileURLToPath(new URL('../../../dist/bin/tidegate.js', import.meta.url));

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** Answers the same path as a gateway, with what the function gives. */
async function serve(report: () => RolloutReport): Promise<string> {
  const listening = createServer((request, response) => {
    const isKnown = request.method === 'GET' && request.url === '/v2/rollouts';
    response.writeHead(isKnown ? 200 : 404).end(JSON.stringify(isKnown ? report() : {}));
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

class Watching {
  out = '';
  err = '';
  readonly exited: Promise<number | null>;
  readonly #child;

  constructor(...args: readonly string[]) {
    const child = spawn(process.execPath, [main, 'rollout', 'watch', '--interval-ms', '100', ...args]);
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.exited = new Promise((resolve) => child.once('close', resolve));
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
  }

  async says(text: string): Promise<void> {
    await eventually(() => this.out.includes(text), `the watcher to say ${text}`, 20_000);
  }

  stop(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  closeOutput(): void {
    this.#child.stdout.destroy();
  }
}

const paused = reportOf([{ ...canary, phase: 'paused' }]);
const complete = reportOf([{ ...canary, phase: 'complete' }], [decided('completed', 'healthy')]);
const rolledBack = reportOf([{ ...canary, phase: 'rolled_back' }], [decided('rolled_back', 'worse')]);

test('prints changes into a pipe and ends well at Ctrl-C', async () => {
  let report = reportOf([canary]);
  const watching = new Watching('iris', '--node', await serve(() => report));
  await watching.says('running');
  report = paused;
  await watching.says('paused');
  watching.stop('SIGINT');
  expect(await watching.exited).toBe(0);
  expect(watching.err).toBe('');
  expect(watching.out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});

test.each([
  ['completed', complete, 0, /^$/],
  [
    'rolled back',
    rolledBack,
    1,
    /^error: The rollout of iris to 2\.0\.0 did not complete\. It is rolled back: worse\.\n$/,
  ],
])('ends by itself when it was %s', async (_what, last, code, err) => {
  let report = reportOf([canary]);
  const watching = new Watching('iris', '--until-done', '--node', await serve(() => report));
  await watching.says('running');
  report = last;
  expect(await watching.exited).toBe(code);
  expect(watching.err).toMatch(err);
});

test('an outcome that a person did not wait for is no success', async () => {
  const watching = new Watching('--until-done', '--node', await serve(() => paused));
  await watching.says('paused');
  watching.stop('SIGINT');
  expect(await watching.exited).toBe(130);
});

test('ends when nobody reads any more', async () => {
  let report = reportOf([canary]);
  const watching = new Watching('--node', await serve(() => report));
  await watching.says('running');
  watching.closeOutput();
  report = paused;
  expect(await watching.exited).toBe(0);
});

test('without a gateway it says what to do, for people and for scripts', () => {
  const args = ['rollout', 'watch', '--node', 'http://127.0.0.1:9'];
  const told = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  expect(told).toMatchObject({ status: 1, stdout: '' });
  expect(told.stderr).toMatch(/^error: No gateway answers at http:\/\/127\.0\.0\.1:9 .*Is it running/);
  const coded = spawnSync(process.execPath, [main, ...args, '--json'], { encoding: 'utf8' });
  expect(JSON.parse(coded.stderr)).toMatchObject({ code: 'NODE_UNREACHABLE' });
});
