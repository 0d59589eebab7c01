/**
 * A fixed batch on the command line: `tidegate inspect` says whether rows passed as one, `tidegate publish --fixed-batch` signs
 * that they are, and what cannot be one is refused.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fixedBatchModel, fixedMixingModel } from '../e2e/odd-models.ts';
import { CommandLine, modelFile, run } from './command-line.ts';

let folder = '';
const files = { independent: '', mixing: '' };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-'));
  files.independent = join(folder, 'independent.onnx');
  files.mixing = join(folder, 'mixing.onnx');
  await writeFile(files.independent, fixedBatchModel(8, 4));
  await writeFile(files.mixing, fixedMixingModel(8));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('inspect says that rows passed as independent, and what to do then', async () => {
  const { code, out } = await run(['inspect', files.independent]);
  expect(code).toBe(0);
  const text = out.replace(/\s+/g, ' ');
  expect(text).toContain('batching none, every request runs alone, as it is. Every run has 8 rows');
  expect(text).toContain('did not depend on each other');
  expect(text).toContain(
    'with tidegate publish --fixed-batch up to 8 rows of different requests share a run',
  );
  expect(JSON.parse((await run(['inspect', files.independent, '--json'])).out)).toMatchObject({
    fixed_batch: { rows: 8, independent: true },
    signature: { batching: 'none' },
    runtime: { batching: 'none', costs: [{ rows: 8 }] },
  });
});

test('inspect says that rows depend on each other', async () => {
  const { out } = await run(['inspect', files.mixing]);
  expect(out.replace(/\s+/g, ' ')).toContain(
    'those do not pass as a batch: output shares gives a row another answer at another place or beside other rows',
  );
  expect(out).not.toContain('--fixed-batch');
  expect(JSON.parse((await run(['inspect', files.mixing, '--json'])).out)).toMatchObject({
    fixed_batch: { rows: 8, independent: false },
    runtime: { batching: 'none' },
  });
});

test('inspect knows nothing of rows without a run', async () => {
  expect(JSON.parse((await run(['inspect', files.mixing, '--no-run', '--json'])).out)).toMatchObject({
    fixed_batch: { rows: 8, independent: null },
  });
  expect(JSON.parse((await run(['inspect', modelFile('1.0.0'), '--no-run', '--json'])).out)).toMatchObject({
    fixed_batch: null,
  });
});

test('a fixed batch is signed with the version and shown', async () => {
  const cli = await CommandLine.makeWithIris();
  const version = await cli.json('publish', 'fixed', files.independent, '--version', '1', '--fixed-batch');
  expect(version).toMatchObject({ signature: { batching: 'none', fixed_rows: 8 } });
  expect(await cli.json('show', 'fixed', '1')).toMatchObject({ signature: { fixed_rows: 8 } });
  expect(await cli.ok('show', 'fixed', '1')).toContain(
    '  batching   up to 8 rows of different requests share a run, filled up to 8\n',
  );
  const without = await cli.json('publish', 'fixed', files.independent, '--version', '2');
  expect(without['signature']).not.toHaveProperty('fixed_rows');
});

test('a model with a first dimension that is free has none', async () => {
  const cli = await CommandLine.makeWithIris();
  const args = ['publish', 'iris', modelFile('1.0.0'), '--version', '9', '--fixed-batch', '--json'];
  const { code, err } = await cli.run(...args);
  expect(code).toBe(1);
  expect(JSON.parse(err)).toMatchObject({
    code: 'INVALID_ARGUMENT',
    error: expect.stringContaining('they are features [-1,4]') as unknown,
  });
});
