/** Pipelines on the command line: named, signed, shown with what they take and give, kept, ended, and told when they cannot be. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scaleModel, topDigitsModel } from '../e2e/pipeline-models.ts';
import { TemporaryStore } from '../registry-store/temporary-store.ts';
import { CommandLine, run } from './command-line.ts';

let cli: CommandLine;

const digits = (version: string): string =>
  fileURLToPath(new URL(`../../deploy/demo/models/digits-${version}.onnx`, import.meta.url));

beforeAll(async () => {
  cli = new CommandLine(new TemporaryStore(await mkdtemp(join(tmpdir(), 'tidegate-'))));
  await cli.ok('init');
  for (const [name, bytes] of [
    ['scale', scaleModel()],
    ['top-digits', topDigitsModel()],
  ] as const) {
    const file = join(cli.store.base, `${name}.onnx`);
    await writeFile(file, bytes);
    await cli.ok('publish', name, file, '--version', '1.0.0');
  }
  for (const version of ['1.0.0', '2.0.0']) {
    await cli.ok('publish', 'digits', digits(version), '--version', version);
  }
});
afterAll(() => rm(cli.store.base, { recursive: true }));

const both = ['--before', 'scale@1.0.0', '--after', 'top-digits@1.0.0:probabilities=scores'];
const wired = {
  before: [{ model: 'scale', version: '1.0.0', wires: [{ output: 'scaled', input: 'image' }] }],
  after: [{ model: 'top-digits', version: '1.0.0', wires: [{ output: 'probabilities', input: 'scores' }] }],
};
const first = 'scale@1.0.0 -> digits@1.0.0 -> top-digits@1.0.0';
const signature = 'takes pixels UINT8 [-1, 28, 28]; gives digits INT64 [-1, 3], word BYTES [-1]';

test('are named, signed and shown with what they take and give', async () => {
  const said = await cli.ok('deploy', 'digits', '--version', '1.0.0', ...both);
  expect(said).toContain(`  runs ${first}\n  ${signature}\n`);
  expect(await cli.ok('show', 'digits')).toContain(`  live: 1.0.0, ${first}\n  ${signature}\n`);
  expect(await cli.json('show', 'digits')).toMatchObject({
    deployment: { pipeline: wired },
    pipeline_signature: { inputs: [{ name: 'pixels' }], batching: 'rows' },
  });
  expect(await cli.ok('status')).toContain(`digits, ${first}\n`);
  expect(await cli.ok('history', 'digits', '--limit', '1')).toContain(`digits 1.0.0 live, runs ${first}`);
  expect(await cli.json('deploy', 'digits', '--version', '1.0.0', ...both)).toMatchObject({ changed: false });
});

test('go on with the next version, or without it, and end when it is said', async () => {
  const canary = await cli.json('deploy', 'digits', '--version', '2.0.0', '--canary', '10');
  expect(canary).toMatchObject({ version: '1.0.0', pipeline: wired, candidate_pipeline: wired });
  expect(await cli.json('promote', 'digits')).toMatchObject({ version: '2.0.0', pipeline: wired });
  const other = ['--before', 'scale@1.0.0', '--canary', '10'];
  const said = await cli.ok('deploy', 'digits', '--version', '1.0.0', ...other);
  expect(said).toContain(
    '  runs scale@1.0.0 -> digits@2.0.0 -> top-digits@1.0.0, scale@1.0.0 -> digits@1.0.0\n',
  );
  const ended = await cli.json('deploy', 'digits', '--version', '2.0.0', '--no-pipeline');
  expect(ended).toMatchObject({ version: '2.0.0', pipeline: null, candidate_version: null });
  expect(await cli.ok('history', 'digits', '--limit', '1')).toContain('runs alone');
  expect(await cli.json('show', 'digits')).not.toHaveProperty('pipeline_signature');
});

test('that cannot be are told with what to write', async () => {
  const deploy = ['deploy', 'digits', '--version', '1.0.0'];
  expect(await cli.failure(...deploy, '--after', 'top-digits@1.0.0')).toEqual({
    code: 'PIPELINE_REFUSED',
    error: expect.stringContaining('as in top-digits@1.0.0:label=scores.') as unknown,
  });
  const wrong = await cli.failure(...deploy, '--after', 'top-digits@1.0.0:label=scores');
  expect(wrong.error).toBe(
    'The output label of digits 1.0.0 is INT64 [-1], and the input scores of top-digits 1.0.0 takes FP32 [-1,10].',
  );
});

test.each([
  [['--before', 'scale'], /Write a model like scale@1.0.0/],
  [['--after', 'scale@1:y'], /top@1.0.0:probabilities=scores/],
  [['--after', 'scale@1', '--no-pipeline'], /--no-pipeline goes without/],
])('%j is a wrong command line', async (options, message) => {
  const { code, err } = await run(['deploy', 'digits', '--version', '1.0.0', ...options]);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});
