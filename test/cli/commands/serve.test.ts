/**
 * The `serve` command as an operator meets it: what it prints and whether that works when pasted, changes that go live
 * while it runs, how it stops, and what it says when it cannot start.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { prepareDevStore } from '../../../cli/serving/dev-store.ts';
import { deployModel, initStore, publishModel } from '../../../registry-store/main.ts';
import { slowModel } from '../../e2e/odd-models.ts';
import { makeIrisStore } from '../iris-store.ts';
import { Served, temporaryFolder } from '../served.ts';

const dev = ['--dev', '--port', '0'];

/** A folder with stores that are only read or copied; a development store is in `dev`. */
let made: string;
beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'tidegate-dev-'));
  const at = { store: join(made, 'dev/.tidegate/store'), keys: join(made, 'dev/.tidegate/keys') };
  await prepareDevStore({ ...at, progress: () => undefined });
});
afterAll(() => rm(made, { recursive: true, force: true }));

/** Started not for the first time: the store is there. */
async function startDev(...more: readonly string[]): Promise<Served> {
  const folder = await temporaryFolder();
  await cp(join(made, 'dev'), folder, { recursive: true });
  return Served.start([...dev, ...more], folder);
}

const iris = { features: [[5.1, 3.5, 1.4, 0.2]] };

async function predict(
  url: string,
  model: string,
  body: object,
): Promise<{ readonly status: number; readonly body: Prediction }> {
  const answer = await fetch(`${url}/predict/${model}`, { method: 'POST', body: JSON.stringify(body) });
  return { status: answer.status, body: (await answer.json()) as Prediction };
}

interface Prediction {
  readonly prediction: readonly unknown[];
  readonly model_version: string;
}

describe('a gateway on its own development store', () => {
  test('prints lines to paste that are answered with predictions', async () => {
    const served = await Served.start(dev);
    await served.url();
    // A line that ends in a backslash goes on in the next one, as in a shell.
    const lines = served.out
      .replace(/\\\n\s*/g, '')
      .split('\n')
      .filter((line) => line.includes('curl '));
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      const [, address = '', body = ''] = /(http\S+).* -d '(.*)'/.exec(line) ?? [];
      const answer = await fetch(address, { method: 'POST', body });
      expect([line, answer.status]).toEqual([line, 200]);
    }
  });

  test('serves a version that is deployed while it runs within a second, and loses no request', async () => {
    const served = await startDev();
    const url = await served.url();
    const publisher = {
      folder: join(served.folder, '.tidegate/store'),
      keysFolders: [join(served.folder, '.tidegate/keys')],
    };
    const artifact = readFileSync(new URL('../../../deploy/demo/models/iris-1.0.0.onnx', import.meta.url));
    const about = { framework: 'onnx', author: 'test', actor: 'test' };
    await publishModel({
      ...publisher,
      ...about,
      nowMs: Date.now(),
      model: 'iris',
      version: '3.0.0',
      artifact,
    });
    const versions: string[] = [];
    const statuses = new Set<number>();
    const seen = { done: false };
    const callers = Array.from({ length: 8 }, async () => {
      while (!seen.done) {
        const { status, body } = await predict(url, 'iris', iris);
        statuses.add(status);
        versions.push(body.model_version);
      }
    });
    await vi.waitUntil(() => versions.length > 50, { timeout: 20_000 });
    await deployModel({ ...publisher, nowMs: Date.now(), model: 'iris', version: '3.0.0', actor: 'test' });
    const deployedMs = performance.now();
    while (versions.at(-1) !== '3.0.0') await predict(url, 'iris', iris);
    const liveMs = performance.now() - deployedMs;
    seen.done = true;
    await Promise.all(callers);
    expect([...statuses]).toEqual([200]);
    expect(new Set(versions)).toEqual(new Set(['2.0.0', '3.0.0']));
    // The promise is a second on a quiet machine; this only tells it from a node that does not look again.
    expect(liveMs).toBeLessThan(20_000);
  });

  test('lets clients unload and load its models, and names itself as it is told', async () => {
    const served = await startDev('--server-name', 'edge 7', '--cors-origin', 'https://a.example/');
    const url = await served.url();
    const server = await fetch(`${url}/v2`, { headers: { origin: 'https://a.example' } });
    expect(server.headers.get('access-control-allow-origin')).toBe('https://a.example');
    const about = (await server.json()) as { readonly name: string; readonly extensions: readonly string[] };
    expect(about.name).toBe('edge 7');
    expect(about.extensions).toContain('model_repository');
    const change = async (verb: string): Promise<unknown> => {
      const answer = await fetch(`${url}/v2/repository/models/iris/${verb}`, { method: 'POST' });
      return [answer.status, await answer.json()];
    };
    expect(await change('unload')).toEqual([200, { name: 'iris', unload: true }]);
    expect(await change('unload')).toEqual([200, { name: 'iris', unload: true }]);
    expect((await predict(url, 'iris', iris)).status).toBe(404);
    expect(await change('load')).toEqual([200, { name: 'iris', load: true }]);
    expect(await change('load')).toEqual([200, { name: 'iris', load: true }]);
    expect((await predict(url, 'iris', iris)).body.model_version).toBe('2.0.0');
    const unknown = await fetch(`${url}/v2/repository/models/nobody/load`, { method: 'POST' });
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'UNKNOWN_MODEL' }]);
  });

  test.each([
    ['--cors-origin', 'app.example.com', /is not an origin/],
    ['--cors-origin', 'https://app.example.com/path', /is not an origin/],
    ['--server-name', '', /server name/],
  ])('refuses %s %s', async (option, value, message) => {
    const served = await startDev(option, value);
    expect((await served.exited).code).not.toBe(0);
    expect(served.err).toMatch(message);
  });
});

describe('a gateway on a store of one model', () => {
  let place: readonly string[];
  beforeAll(async () => {
    const { folder, root } = await makeIrisStore(made);
    place = ['--store', folder, '--root', root, '--threads', '1'];
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('stops on %s with exit code 0', async (signal) => {
    const served = await Served.start([...place, '--port', '0']);
    await served.url();
    served.child.kill(signal);
    expect(await served.exited).toEqual({ code: 0, signal: null });
    expect(served.out).toContain('Finishing what is in flight');
  });

  test('says so when the port is taken, and exits', async () => {
    const first = await Served.start([...place, '--port', '0']);
    const { port } = new URL(await first.url());
    const second = await Served.start([...place, '--port', port]);
    expect((await second.exited).code).toBe(1);
    expect(second.err).toContain(`Port ${port} on 127.0.0.1 is taken`);
  });
});

describe('a gateway with work in hand', () => {
  /** A store whose only model needs long for one row. */
  async function slowStore(): Promise<string> {
    const base = await temporaryFolder();
    const publisher = { folder: join(base, '.tidegate/store'), keysFolders: [join(base, '.tidegate/keys')] };
    const about = { framework: 'onnx', author: 'test', actor: 'test' };
    const version = { model: 'slow', version: '1.0.0' };
    await initStore({ ...publisher, nowMs: Date.now(), actor: 'test' });
    await publishModel({
      ...publisher,
      ...about,
      ...version,
      nowMs: Date.now(),
      artifact: slowModel(100),
    });
    await deployModel({ ...publisher, ...about, ...version, nowMs: Date.now() });
    return base;
  }

  const rows = { features: Array.from({ length: 64 }, () => new Array<number>(256).fill(1)) };

  test('answers it before it stops', async () => {
    const served = await Served.start(['--port', '0'], await slowStore());
    const url = await served.url();
    const answers = Array.from({ length: 3 }, () => predict(url, 'slow', rows));
    await received(url, 3);
    served.child.kill('SIGINT');
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await served.exited).toEqual({ code: 0, signal: null });
  });

  test('stops at once at the second signal', async () => {
    const served = await Served.start(
      ['--port', '0', '--limit', 'shutdownGraceMs=3600000'],
      await slowStore(),
    );
    const url = await served.url();
    // Seconds of work are left when the second signal comes, which nobody waits for.
    const answers = Promise.allSettled(Array.from({ length: 100 }, () => predict(url, 'slow', rows)));
    await received(url, 90);
    served.child.kill('SIGINT');
    await served.says(/once more to stop at once/);
    served.child.kill('SIGINT');
    expect(await served.exited).toEqual({ code: 130, signal: null });
    // Those that were not answered see their connection end; nobody waits for ever.
    await answers;
  });

  /** In hand or answered already. */
  async function received(url: string, wanted: number): Promise<void> {
    for (;;) {
      const page = await (await fetch(`${url}/metrics`)).text();
      const numbers = page.matchAll(/^tidegate_(?:inflight_requests|requests_total\{.*\}) (\d+)/gm);
      if ([...numbers].reduce((sum, [, count]) => sum + Number(count), 0) >= wanted) return;
    }
  }
});

describe('a store that does not verify', () => {
  test('is refused with the name of the check', async () => {
    const base = await temporaryFolder();
    const publisher = { folder: join(base, '.tidegate/store'), keysFolders: [join(base, '.tidegate/keys')] };
    await initStore({ ...publisher, nowMs: Date.now(), actor: 'test' });
    const timestamp = join(publisher.folder, 'metadata/timestamp.json');
    const bytes = readFileSync(timestamp);
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
    writeFileSync(timestamp, bytes);
    const served = await Served.start(['--port', '0'], base);
    expect((await served.exited).code).toBe(1);
    expect(served.err).toMatch(/timestamp\.json.*(signature|canonical)/s);
  });

  test('or is not there at all is named, with what to do', async () => {
    const served = await Served.start(['--port', '0']);
    expect((await served.exited).code).toBe(1);
    expect(served.err).toMatch(/no store/i);
  });
});
