/** How a model is batched, from the command line: signed, kept through what happens to the deployment, shown, refused. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CommandLine, modelFile, run } from './command-line.ts';

let cli: CommandLine;

/** 2.0.0 is live, 3.0.0 is new. */
beforeEach(async () => {
  cli = await CommandLine.makeWithIris();
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '3.0.0');
});

const sizes = ['--batch-sizes', '1,4,16'];
const options = [
  '--batch-rows',
  '32',
  ...sizes,
  '--batch-delay',
  '200',
  '--weight',
  '4',
  '--default-timeout',
  '250',
  '--run-limit',
  '2000',
];
const batching = {
  max_rows: 32,
  allowed_rows: [1, 4, 16],
  max_delay_us: 200,
  weight: 4,
  default_timeout_ms: 250,
  max_run_ms: 2000,
};

test('is signed with a deployment, said of it, and stays until it is said otherwise', async () => {
  expect(await cli.json('deploy', 'iris', '--version', '2.0.0', ...options)).toMatchObject({ batching });
  expect(await cli.ok('history', 'iris')).toContain(
    'batches of 32 rows, of 1, 4, 16 rows, waiting 200 us, weight 4, due in 250 ms, runs of 2000 ms at most',
  );
  expect(await cli.json('deploy', 'iris', '--version', '3.0.0', '--canary', '10')).toMatchObject({
    batching,
  });
  expect(await cli.json('promote', 'iris')).toMatchObject({ version: '3.0.0', batching });
  expect(await cli.json('scale', 'iris', '--replicas', '2')).toMatchObject({ batching });
  expect(await cli.json('scale', 'iris', '--weight', '1')).toMatchObject({
    batching: { ...batching, weight: 1 },
    resources: { replicas: 2 },
    changed: true,
  });
  expect(await cli.json('scale', 'iris', '--weight', '1')).toMatchObject({ changed: false });
  expect(await cli.json('rollback', 'iris')).toMatchObject({ version: '2.0.0', batching: { max_rows: 32 } });
});

test('sizes are taken back with any', async () => {
  await cli.ok('deploy', 'iris', '--version', '2.0.0', ...options);
  expect(await cli.json('scale', 'iris', '--batch-sizes', 'any')).toMatchObject({
    batching: { ...batching, allowed_rows: [] },
  });
});

test('what has a default that no number says is taken back with none', async () => {
  await cli.ok('deploy', 'iris', '--version', '2.0.0', '--default-timeout', '250', '--cpu-limit', '1.5');
  await cli.ok('scale', 'iris', '--min-replicas', '2', '--memory-limit', '1Gi', '--run-limit', '2000');
  expect(await cli.ok('status')).toContain('runs of 2000 ms at most');
  const none = ['--default-timeout', '--run-limit', '--cpu-limit', '--memory-limit', '--min-replicas'];
  const after = await cli.json('scale', 'iris', ...none.flatMap((option) => [option, 'none']));
  expect(after).toMatchObject({ batching: null, resources: null, changed: true });
});

test('whether and how long answers are kept is signed beside it, stays, and is said', async () => {
  const deployed = await cli.json('deploy', 'iris', '--version', '2.0.0', '--cache', '--cache-ttl', '10m');
  expect(deployed).toMatchObject({ cache: { enabled: true, ttl_ms: 600_000 }, batching: null });
  expect(await cli.ok('status')).toContain('answers kept for 10m');
  expect(await cli.json('scale', 'iris', '--weight', '2')).toMatchObject({ cache: { ttl_ms: 600_000 } });
  expect(await cli.json('scale', 'iris', '--no-cache')).toMatchObject({
    cache: { enabled: false, ttl_ms: 600_000 },
  });
  expect(await cli.ok('history', 'iris')).toContain('no answers kept');
});

describe('is refused', () => {
  test.each([
    ['--batch-rows', '0'],
    ['--batch-rows', '65537'],
    ['--batch-sizes', '4,1'],
    ['--batch-sizes', '1,,4'],
    ['--batch-sizes', 'some'],
    ['--batch-sizes', '0,4'],
    ['--batch-delay', '-1'],
    ['--batch-delay', '1000001'],
    ['--weight', '0.5'],
    ['--default-timeout', '3600001'],
    ['--run-limit', '99'],
    ['--run-limit', '3600001'],
    ['--cache-ttl', '31d'],
  ])('as %s %s', async (option, value) => {
    const { code, err } = await run(['scale', 'iris', option, value]);
    expect(code).toBe(2);
    expect(err).toMatch(/whole number from|ascending sizes|30 days|argument missing|unknown option/);
  });
});
