/** A rollout in steps from the command line: begun, paused, resumed, approved, aborted, and what is said of each. */
import { beforeEach, expect, test } from 'vitest';
import { CommandLine, modelFile } from './command-line.ts';

let cli: CommandLine;

/** 2.0.0 is live, 3.0.0 is new. */
beforeEach(async () => {
  cli = await CommandLine.makeWithIris();
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '3.0.0');
});

function begin(...options: readonly string[]): Promise<string> {
  return cli.ok('deploy', 'iris', '--version', '3.0.0', '--steps', '1,10,100', ...options);
}

test('goes by time, and says so', async () => {
  expect(await begin('--hold', '10m')).toMatch(/canary 3\.0\.0 by 1%, 10%, 100%[^]*held long enough/);
  expect(
    await cli.json('deploy', 'iris', '--version', '3.0.0', '--steps', '1,50', '--hold', '1h'),
  ).toMatchObject({
    version: '2.0.0',
    strategy: 'canary',
    candidate_version: '3.0.0',
    traffic_bps: 100,
    plan: {
      steps: [
        { traffic_bps: 100, hold_ms: 3_600_000 },
        { traffic_bps: 5000, hold_ms: 3_600_000 },
      ],
      approvals: 0,
      paused: false,
    },
  });
});

test('goes by approval, is paused and resumed, and each is in the history', async () => {
  expect(await begin()).toContain('tidegate approve');
  expect(await cli.ok('pause', 'iris', '--why', 'a strange log')).toContain('by 1%, 10%, 100%, paused');
  expect(await cli.ok('pause', 'iris')).toContain('nothing changed');
  expect(await cli.json('resume', 'iris')).toMatchObject({ plan: { paused: false }, changed: true });
  expect(await cli.ok('approve', 'iris')).toContain('1 approval');
  const history = await cli.ok('history', 'iris');
  for (const word of ['pause', 'a strange log', 'resume', 'approve']) expect(history).toContain(word);
});

test('is aborted; then there is nothing to abort, and nothing to pause', async () => {
  await begin();
  expect(await cli.ok('abort', 'iris')).toContain('iris 2.0.0 is live');
  expect(await cli.failure('abort', 'iris')).toMatchObject({ code: 'INVALID_STRATEGY' });
  expect(await cli.failure('pause', 'iris')).toMatchObject({ code: 'INVALID_STRATEGY' });
});
