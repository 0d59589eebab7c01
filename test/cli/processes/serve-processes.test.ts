/**
 * `tidegate serve --processes`: real processes on one port. They answer together, one that dies is replaced, all of them are
 * replaced without a lost request, and they end together.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../e2e/deadline.ts';
import { MetricsScrape } from '../../e2e/metrics-scrape.ts';
import { run } from '../command-line.ts';
import { makeIrisStore } from '../iris-store.ts';
import { Served, temporaryFolder } from '../served.ts';

/** Starting a process takes seconds on a busy machine. */
const patienceMs = 300_000;

let base: string;
let store: readonly string[];
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'tidegate-processes-'));
  const { folder, root } = await makeIrisStore(base);
  store = ['--store', folder, '--root', root];
});

afterAll(() => rm(base, { recursive: true, force: true }));

function start(...more: readonly string[]): Promise<Served> {
  return Served.start([...store, '--port', '0', '--processes', '2', '--threads', '1', ...more]);
}

/** Of the processes that serve or served, in the order in which they began to. */
function pids({ err }: Served): number[] {
  return logged(err, 'process serves').map(({ pid }) => Number(pid));
}

function logged(err: string, message: string): readonly Readonly<Record<string, unknown>>[] {
  return err
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .filter(({ msg }) => msg === message);
}

const migrateFile = '/proc/sys/net/ipv4/tcp_migrate_req';
const migratesConnections = !existsSync(migrateFile) || readFileSync(migrateFile, 'utf8').trim() === '1';

/** Resolves with the status, or what went wrong with the connection. */
function ask(url: string, agent: Agent | false): Promise<number | string> {
  const body = JSON.stringify({ features: [[5.1, 3.5, 1.4, 0.2]] });
  return new Promise((resolve) => {
    const sent = request(`${url}/predict/iris`, { method: 'POST', agent }, (response) => {
      response.resume();
      response.once('end', () => {
        resolve(response.statusCode ?? 0);
      });
      response.once('error', (error) => {
        resolve(error.message);
      });
    });
    sent.once('error', (error) => {
      resolve(error.message);
    });
    sent.end(body);
  });
}

test(
  'processes answer together, count together and end together',
  async () => {
    const served = await start();
    const url = await served.url();
    await served.says(/2 processes share the port/);
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(url, false)));
    expect(answers).toEqual(answers.map(() => 200));
    for (let look = 0; look < 4; look++) {
      const metrics = await MetricsScrape.of(url);
      expect(metrics.sum('tidegate_requests_total', { code: 'OK' })).toBe(60);
      expect(metrics.sum('tidegate_threads')).toBe(2);
      expect(metrics.sum('tidegate_ready')).toBe(1);
    }
    // A second gateway is told, whichever way it would listen.
    const second = await Served.start([...store, '--port', new URL(url).port]);
    expect((await second.exited).code).toBe(1);
    expect(second.err).toMatch(/Port \d+ on 127\.0\.0\.1 is taken/);
    const several = await Served.start([...store, '--port', new URL(url).port, '--processes', '2']);
    expect((await several.exited).code).toBe(1);
    expect(several.err).toMatch(/Port \d+ on 127\.0\.0\.1 is taken/);

    served.child.kill('SIGTERM');
    expect(await served.exited).toEqual({ code: 0, signal: null });
    expect(pids(served).filter(isAlive)).toEqual([]);
  },
  patienceMs,
);

test(
  'one that dies is replaced while the other answers, and what it counted stays',
  async () => {
    const served = await start();
    const url = await served.url();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let asked = 0; asked < 20; asked++) expect(await ask(url, false)).toBe(200);
    const before = await MetricsScrape.of(url);
    expect(before.sum('tidegate_requests_total', { code: 'OK' })).toBe(20);
    const [victim, survivor] = pids(served);
    process.kill(victim ?? 0, 'SIGKILL');
    await eventually(
      () => logged(served.err, 'process ended by itself, starting another').length === 1,
      'its end',
      patienceMs,
    );
    for (let asked = 0; asked < 20; asked++) expect(await ask(url, false)).toBe(200);
    await eventually(() => pids(served).length === 3, 'another one', patienceMs);
    expect(pids(served).filter(isAlive)).toHaveLength(2);
    expect(isAlive(survivor ?? 0)).toBe(true);
    const after = await MetricsScrape.of(url);
    expect(after.sum('tidegate_requests_total', { code: 'OK' })).toBe(40);
    expect(after.sum('tidegate_threads')).toBe(2);
    agent.destroy();
  },
  patienceMs,
);

test(
  'SIGHUP replaces all of them, and no request is lost',
  async () => {
    const served = await start();
    const url = await served.url();
    await eventually(() => pids(served).length === 2, 'both', patienceMs);
    const old = pids(served);
    let sending = true;
    const kept: (number | string)[] = [];
    const opened: (number | string)[] = [];
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const send = async (connections: Agent | false, outcomes: (number | string)[]): Promise<void> => {
      while (sending) outcomes.push(await ask(url, connections));
    };
    const work = [
      ...Array.from({ length: 8 }, () => send(agent, kept)),
      send(false, opened),
      send(false, opened),
    ];
    served.child.kill('SIGHUP');
    await eventually(() => !old.some(isAlive), 'the old ones to end', patienceMs);
    expect(pids(served).filter(isAlive)).toHaveLength(2);
    sending = false;
    await Promise.all(work);
    agent.destroy();
    expect([...new Set(kept)]).toEqual([200]);
    // A connection that opens in the very moment in which one of the two gives up the port is the kernel's to lose.
    const lost = opened.filter((outcome) => outcome !== 200);
    expect(lost.filter((outcome) => !/ECONNRESET/.test(String(outcome)))).toEqual([]);
    expect(lost.length).toBeLessThanOrEqual(migratesConnections ? 0 : old.length);
    expect(served.err.includes('tcp_migrate_req=1')).toBe(!migratesConnections);
    const total = kept.length + opened.length - lost.length;
    expect((await MetricsScrape.of(url)).sum('tidegate_requests_total')).toBe(total);
    expect(total).toBeGreaterThan(50);
  },
  patienceMs,
);

describe('what cannot be is told before anything starts:', () => {
  test.each([
    [['--processes', '2', '--dev'], /--dev is for one process/],
    [['--processes', '2', '--control-port', '0'], /control API is served by one process/],
    [['--processes', '0'], /from 1 to 64/],
    [['--processes', '2', '--response-cache-model', 'iris'], /needs --response-cache/],
  ] as const)('%j', async (args, message) => {
    const { err, code } = await run(['serve', ...args]);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test(
    'a store that cannot be opened, once',
    async () => {
      const folder = await temporaryFolder();
      const served = await Served.start([
        '--store',
        folder,
        '--root',
        '/dev/null',
        '--port',
        '0',
        '--processes',
        '2',
      ]);
      expect((await served.exited).code).toBe(1);
      expect(served.err.match(/error:/g)).toHaveLength(1);
    },
    patienceMs,
  );
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
