/** `tidegate tuf-client` as the conformance suite of TUF calls it: options before the operation, 0 or 1 at the end. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../../../cli/run.ts';
import { TufRepository } from '../../registry-store/storage/tuf-repository.ts';

let repository: TufRepository;
let base: string;

beforeEach(async () => {
  repository = await TufRepository.start();
  base = await mkdtemp(join(tmpdir(), 'tidegate-tuf-cli-'));
  await writeFile(join(base, 'root.json'), repository.fileOf('root'));
});

afterEach(async () => {
  await repository.close();
  await rm(base, { recursive: true, force: true });
});

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const options = ['--metadata-dir', join(base, 'metadata')];
  const code = await runCli(['tuf-client', ...options, ...args], {
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}

const metadataUrl = (): readonly string[] => ['--metadata-url', `${repository.url}/metadata/`];

test('init, refresh and download follow a repository to a file', async () => {
  repository.addTarget('targets', 'a/file', Buffer.from('content'));
  repository.publishAll('targets');
  expect((await run('init', join(base, 'root.json'))).code).toBe(0);
  expect((await run(...metadataUrl(), 'refresh')).code).toBe(0);
  const target = ['--target-name', 'a/file', '--target-base-url', `${repository.url}/targets/`];
  const { code, out } = await run(
    ...metadataUrl(),
    ...target,
    '--target-dir',
    join(base, 'targets'),
    'download',
  );
  expect(code).toBe(0);
  expect(await readFile(out.trim(), 'utf8')).toBe('content');
});

test('a refusal ends with 1 and names the check', async () => {
  await run('init', join(base, 'root.json'));
  await run(...metadataUrl(), 'refresh');
  repository.role('timestamp').expires = '2020-01-01T00:00:00Z';
  repository.publish(['timestamp']);
  const { code, err } = await run(...metadataUrl(), 'refresh');
  expect(code).toBe(1);
  expect(err).toMatch(/check expiry/);
});

test.each([
  [['refresh'], /--metadata-url/],
  [['init'], /root\.json/],
  [['frobnicate'], /not init, refresh or download/],
  [['init', 'nowhere.json'], /cannot be read/],
])('%j says what is missing', async (args, message) => {
  const { code, err } = await run(...args);
  expect(code).toBe(1);
  expect(err).toMatch(message);
});
