/** `tidegate status --node`: what a running gateway says, and what is said when none answers. */
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { runCli } from '../../cli/run.ts';

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server = undefined;
});

async function serve(status: number, body: string): Promise<string> {
  const listening = createServer((_request, response) => response.writeHead(status).end(body));
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

/** An address where nothing listens any more. */
async function freeAddress(): Promise<string> {
  const address = await serve(200, '');
  await new Promise((resolve) => server?.close(resolve));
  return address;
}

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCli(args, { out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

const refusedState = {
  ready: true,
  store: {
    revision: 7,
    fresh: false,
    last_verified: new Date(Date.now() - 3 * 3_600_000).toISOString(),
    error: { code: 'STORE_REFUSED', check: 'rollback', since: '2026-11-23T10:00:00.000Z' },
    expires_soon: ['timestamp'],
  },
  problems: [{ model: 'iris', problem: 'NOT_CURRENT', reason: 'MODEL_REFUSED' }],
};

test('shows what is served, that it is not fresh, and the reason', async () => {
  const address = await serve(200, JSON.stringify(refusedState));
  const { code, out } = await run('status', '--node', address);
  expect(code).toBe(0);
  expect(out).toContain(`${address} is ready`);
  expect(out).toMatch(/revision 7, NOT fresh, verified 3 hours ago/);
  expect(out).toMatch(/STORE_REFUSED, check rollback; the last good state serves/);
  expect(out).toMatch(/Expires soon: timestamp/);
  expect(out).toMatch(/iris\s+NOT_CURRENT\s+MODEL_REFUSED/);
});

test('shows that the store is not followed for now', async () => {
  const error = { code: 'THREAD_ENDED', since: '2026-11-23T10:00:00.000Z' };
  const state = { ...refusedState, store: { ...refusedState.store, error } };
  const { out } = await run('status', '--node', await serve(200, JSON.stringify(state)));
  expect(out).toContain(
    'It does not follow the store since 2026-11-23T10:00:00.000Z: THREAD_ENDED; the last',
  );
});

test('shows what models take, and which of them are not in memory', async () => {
  const memory = {
    models_bytes: 3 * 1024 * 1024,
    models_bytes_max: 4 * 1024 * 1024,
    not_resident_count: 3,
    not_resident: [
      { model: 'iris', version: '1.0.0' },
      { model: 'digits', version: '2' },
    ],
  };
  const address = await serve(200, JSON.stringify({ ready: true, memory }));
  const { out } = await run('status', '--node', address);
  expect(out).toContain('Models take 3.0 MiB of 4.0 MiB of memory');
  expect(out).toContain('Loaded when somebody asks, or for a rollback: iris 1.0.0, digits 2 and 1 more');
});

test('shows what runs the models, and how many threads a run uses where it is more than one', async () => {
  const said = async (intraOpThreads: number): Promise<string> => {
    server?.close();
    const engine = { engine: 'native', intra_op_threads: intraOpThreads };
    const address = await serve(200, JSON.stringify({ ready: true, ...engine }));
    return (await run('status', '--node', address)).out;
  };
  expect(await said(2)).toContain('It runs models with the engine native, 2 threads a run\n');
  expect(await said(1)).toContain('It runs models with the engine native\n');
});

test('shows the replicas that follow the load, with the last decision', async () => {
  const decision = 'burst, work for 2.8 over 6 s, and this node has 2 threads';
  const one = { model: 'iris', version: '2.0.0', replicas: 2, min_replicas: 1, max_replicas: 2, decision };
  const address = await serve(200, JSON.stringify({ ready: true, scaling: [one] }));
  const { out } = await run('status', '--node', address);
  expect(out).toMatch(
    /Replicas that follow the load:\n {2}iris 2\.0\.0\s+2 of 1 to 2\s+burst, work for 2\.8 over 6 s/,
  );
});

test('gives the same as JSON', async () => {
  const address = await serve(200, JSON.stringify(refusedState));
  const { out } = await run('status', '--node', address, '--json');
  expect(JSON.parse(out)).toEqual({ node: address, ...refusedState });
});

test('ends with 1 when the node is not ready', async () => {
  const address = await serve(503, JSON.stringify({ ready: false }));
  const { code, out, err } = await run('status', '--node', `${address}/`);
  expect([code, err]).toEqual([1, `error: ${address}/ is not ready.\n`]);
  expect(out).toContain('not ready');
});

test.each([
  ['nothing listens', freeAddress, /No gateway answers at .*ECONNREFUSED/],
  ['something else answers', () => serve(200, '[]'), /not a Tidegate gateway/],
  ['no JSON comes', () => serve(200, '<html>'), /No gateway answers/],
])('says so when %s', async (_name, start, message) => {
  const { code, err } = await run('status', '--node', await start());
  expect(code).toBe(1);
  expect(err).toMatch(message);
});

test('shows what shadows get, and how much of it they answered alike', async () => {
  const shadows = [
    {
      model: 'iris',
      candidate: '2',
      percent: 20,
      copies: 300,
      answered: 250,
      rows: 3000,
      rows_agreeing: 2999,
    },
    { model: 'digits', candidate: '2', percent: 0.5, copies: 0, answered: 0, rows: 0, rows_agreeing: 0 },
  ];
  const { out } = await run('status', '--node', await serve(200, JSON.stringify({ ready: true, shadows })));
  expect(out).toMatch(/iris 2 +of 20% of the keys +250 of 300 copies answered +99\.9% of their rows agree\n/);
  expect(out).toMatch(/digits 2 +of 0\.5% of the keys +0 of 0 copies answered *\n/);
});
