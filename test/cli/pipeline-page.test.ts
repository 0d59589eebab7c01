/** The example of docs/models.md as it stands: published, deployed and served, and asked over JSON, binary and WebSocket. */
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCaller } from '../e2e/callers.ts';
import { fourPixels, scaleModel, topDigitsModel } from '../e2e/pipeline-models.ts';
import { tensorOf } from '../e2e/tensor.ts';
import { run } from './command-line.ts';
import { Served } from './served.ts';

const page = await readFile(new URL('../../docs/models.md', import.meta.url), 'utf8');
const section = page.split('\n## Pipelines\n')[1] ?? '';
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm').exec(section)?.[1] ?? '';

const before = process.cwd();
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-'));
  await symlink(fileURLToPath(new URL('../../deploy', import.meta.url)), join(folder, 'deploy'));
  await writeFile(join(folder, 'scale.onnx'), scaleModel());
  await writeFile(join(folder, 'top-digits.onnx'), topDigitsModel());
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true, force: true });
});

test('the commands show what the page shows, and the gateway serves it', async () => {
  expect(await run(['init'])).toMatchObject({ code: 0 });
  let shown = '';
  for (const line of block('sh').trim().split('\n')) {
    const { code, out, err } = await run(line.split(' ').slice(1));
    expect({ line, code, err }).toEqual({ line, code: 0, err: '' });
    shown = out;
  }
  expect(block('text').length).toBeGreaterThan(50);
  expect(shown).toContain(block('text'));

  const served = await Served.start(['--store', '.tidegate/store', '--port', '0', '--threads', '1'], folder);
  const port = Number(new URL(await served.url()).port);
  const inputs = [tensorOf({ name: 'pixels', datatype: 'UINT8', shape: [1, 28, 28] }, fourPixels)];
  for (const form of ['oip-json', 'oip-binary', 'stream-msgpack'] as const) {
    const caller = openCaller(form, { port, outputsOf: () => [] });
    const outcome = await caller.call({ model: 'digits', inputs });
    caller.close();
    expect(outcome).toMatchObject({
      kind: 'answer',
      modelVersion: '1.0.0',
      outputs: [{ name: 'digits' }, { name: 'word', data: ['four'] }],
    });
  }
}, 60_000);
