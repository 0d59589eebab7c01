/**
 * The compiled client is what a browser or a bare Node takes: ES modules that import nothing but each other. It is run
 * with the WebSocket that Node brings along, which no other test here uses.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { demoModel, startTestGateway } from '../e2e/gateway-under-test.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const compiled = join(root, 'dist', 'client', 'main.js');

test('no file of the client imports anything from outside the client', () => {
  const folder = join(root, 'client');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const foreign = files.flatMap((name) => {
    const path = join(folder, name);
    const imported = [...readFileSync(path, 'utf8').matchAll(/from '([^']+)'|import\('([^']+)'\)/g)];
    return imported
      .map((match) => match[1] ?? match[2] ?? '')
      .filter(
        (target) => !target.startsWith('.') || !resolve(dirname(path), target).startsWith(folder + sep),
      );
  });
  expect(files.length).toBeGreaterThan(20);
  expect(foreign).toEqual([]);
});

const program = `
  const [url, main] = process.argv.slice(1);
  const { HttpClient, StreamClient, tensor } = await import(main);
  const features = tensor('FP32', [1, 4], [5.1, 3.5, 1.4, 0.2]);
  const call = { model: 'iris', inputs: { features } };
  const http = new HttpClient({ url, encoding: 'json' });
  const stream = new StreamClient({ url });
  const results = await Promise.all([http.infer(call), ...Array.from({ length: 50 }, () => stream.infer(call))]);
  await stream.close();
  await http.close();
  const found = results.map((result) => Array.from(result.output('probabilities', 'FP32').data).join());
  console.log(JSON.stringify({ answers: found.length, kinds: new Set(found).size, version: results[0].version }));
`;

test('it runs in a bare Node, over its fetch and its WebSocket, and lets the process end', async () => {
  if (!existsSync(compiled)) throw new Error('dist/client/main.js is missing: run npm run build first.');
  const gateway = await startTestGateway({
    models: [{ name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') }],
  });
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--experimental-websocket',
        '--no-warnings',
        '--input-type=module',
        '-e',
        program,
        gateway.url,
        compiled,
      ],
      { timeout: 20_000 },
    );
    expect(JSON.parse(stdout)).toEqual({ answers: 51, kinds: 1, version: '2.0.0' });
  } finally {
    await gateway.close();
  }
});
