/** Cohorts of a canary from the command line: signed with it, kept while it goes on, shown, dropped, and refused. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CommandLine, modelFile, run } from './command-line.ts';

let cli: CommandLine;

/** 2.0.0 is live, 3.0.0 is new. */
beforeEach(async () => {
  cli = await CommandLine.makeWithIris();
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '3.0.0');
});

const canary = ['deploy', 'iris', '--version', '3.0.0', '--canary', '10'];
const cohorts = {
  candidate: { headers: [{ name: 'x-tenant', prefix: 'beta-' }], keys: ['ada'] },
  stable: { headers: [{ name: 'x-tier', value: 'gold' }] },
};
const rules = ['--cohort', 'header:X-Tenant=beta-*', '--cohort', 'key:ada', '--never', 'header:x-tier=gold'];

test('are signed with the canary and said of it', async () => {
  expect(await cli.ok(...canary, ...rules)).toContain(
    'canary 3.0.0 at 10%, for header:x-tenant=beta-* key:ada, never for header:x-tier=gold',
  );
  expect(await cli.json(...canary)).toMatchObject({ cohorts, changed: false });
  expect(await cli.ok('history', 'iris')).toContain('never for header:x-tier=gold');
});

test('stay while the canary goes on, are replaced as a whole, and end when it is said or over', async () => {
  await cli.ok(...canary, ...rules);
  const larger = ['deploy', 'iris', '--version', '3.0.0', '--canary', '50'];
  expect(await cli.json(...larger)).toMatchObject({ cohorts, traffic_bps: 5000 });
  expect(await cli.json(...larger, '--never', 'key:bob')).toMatchObject({
    cohorts: { stable: { keys: ['bob'] } },
  });
  expect(await cli.json('deploy', 'iris', '--version', '3.0.0', '--steps', '50,100')).toMatchObject({
    cohorts: { stable: { keys: ['bob'] } },
  });
  expect(await cli.json('pause', 'iris')).toMatchObject({ cohorts: { stable: { keys: ['bob'] } } });
  expect(await cli.json(...larger, '--no-cohorts')).toMatchObject({ cohorts: null, changed: true });
  await cli.ok(...canary, ...rules);
  expect(await cli.json('promote', 'iris')).toMatchObject({ version: '3.0.0', cohorts: null });
});

test('another candidate begins without those of the one before', async () => {
  await cli.ok(...canary, ...rules);
  expect(await cli.json('deploy', 'iris', '--version', '1.0.0', '--canary', '10')).toMatchObject({
    candidate_version: '1.0.0',
    cohorts: null,
  });
});

test('are counted where they are many', async () => {
  const many = Array.from({ length: 8 }, (_, index) => ['--cohort', `key:user-${index}`]).flat();
  expect(await cli.ok(...canary, ...many)).toContain('key:user-4 and 3 more');
});

describe('are refused', () => {
  test('without a canary', async () => {
    for (const strategy of [[], ['--blue-green'], ['--shadow', '5']]) {
      expect(
        await cli.failure('deploy', 'iris', '--version', '3.0.0', ...strategy, '--never', 'key:bob'),
      ).toMatchObject({ code: 'INVALID_STRATEGY' });
    }
  });

  test('where they lead both ways', async () => {
    expect(await cli.failure(...canary, '--cohort', 'key:bob', '--never', 'key:bob')).toMatchObject({
      code: 'INVALID_ARGUMENT',
      error: expect.stringContaining('key:bob') as unknown,
    });
  });

  test.each([
    [['--cohort', 'ada'], /no rule\. Write header:/],
    [['--cohort', 'key:'], /no rule/],
    [['--cohort', 'header:x-beta'], /no rule/],
    [['--cohort', 'header:x-beta=*'], /no rule/],
    [['--never', 'header:x beta=1'], /named in lower case/],
    [['--never', 'header:authorization=abc'], /holds secrets/],
    [['--never', `key:${'k'.repeat(201)}`], /1 to 200 characters/],
    [['--cohort', 'key:ada', '--cohort', 'key:ada'], /two rules key:ada/],
    [['--no-cohorts', '--cohort', 'key:ada'], /--no-cohorts goes without/],
  ])('as wrong: %j', async (options, message) => {
    const { code, err } = await run([...canary, ...options]);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
