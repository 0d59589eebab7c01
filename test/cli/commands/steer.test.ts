/** A rollout in steps from the command line: begun, paused, resumed, approved, aborted, and what is said of each. */
import { beforeEach, expect, test } from 'vitest';
import { CommandLine, modelFile } from '../command-line.ts';

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

test('what it is judged by is said with it, signed and shown', async () => {
  const gates = ['--gate', 'latency=pause:1.5', '--gate', 'prediction=rollback', '--min-callers', '100'];
  const times = [
    '--bake',
    '1h',
    '--deadline',
    '6h',
    '--inconclusive-after',
    '2h',
    '--on-inconclusive',
    'hold',
  ];
  const said = ['deploy', 'iris', '--version', '3.0.0', '--steps', '1,50', ...gates, ...times];
  expect(await cli.json(...said)).toMatchObject({
    plan: { bake_ms: 3_600_000, deadline_ms: 21_600_000 },
    analysis: {
      gates: {
        latency: { action: 'pause', tolerated_percent: 150 },
        prediction: { action: 'rollback' },
      },
      callers_min: 100,
      inconclusive_after_ms: 7_200_000,
      on_inconclusive: 'hold',
    },
  });
  expect(await cli.ok(...said)).toContain('nothing changed');
});

test('a rolling says its way', async () => {
  const said = ['deploy', 'iris', '--version', '3.0.0', '--rolling', '--replicas', '4', '--surge', '2'];
  expect(await cli.ok(...said, '--hold', '1m')).toMatch(/rolling 3\.0\.0 by 50%, 100%/);
  const tight = ['deploy', 'iris', '--version', '3.0.0', '--rolling', '--replicas', '2', '--surge', '0'];
  expect(await cli.ok(...tight, '--max-unavailable', '1')).toMatch(
    /rolling 3\.0\.0 by 50%, 100%, at most 0 replicas more and 1 fewer on the way/,
  );
  expect((await cli.run(...tight)).err).toMatch(/^error: With neither a surge/);
});

test('a blue/green that gateways flip is promoted with its watch, another one, or none', async () => {
  const said = ['deploy', 'iris', '--version', '3.0.0', '--blue-green', '--auto-promote-after', '10m'];
  const words = await cli.ok(...said, '--watch', '1h');
  expect(words).toMatch(
    /blue\/green 3\.0\.0, flips by itself after 10m 0s and 20 requests, watched for 1h 0m/,
  );
  expect(words).toContain('flip to it by themselves');
  expect(
    await cli.json('deploy', 'iris', '--version', '3.0.0', '--blue-green', '--preview-requests', '5'),
  ).toMatchObject({
    flip: { preview_requests_min: 5 },
    watch: null,
  });
  expect(await cli.ok('deploy', 'iris', '--version', '3.0.0', '--blue-green', '--mirror', '12.5')).toContain(
    'judged with 20 requests, with copies of 12.5%',
  );
  await cli.ok(...said, '--watch', '1h');
  expect(await cli.ok('promote', 'iris')).toContain('goes back to 2.0.0 by itself when it is worse');
  expect(await cli.ok('status')).toContain('watched for 1h 0m');
  expect(await cli.ok('history', 'iris')).toContain('2.0.0 -> 3.0.0, watched for 1h 0m');
  expect(await cli.json('rollback', 'iris')).toMatchObject({ version: '2.0.0', watch: null });
  await cli.ok(...said, '--watch', '1h');
  expect(await cli.json('promote', 'iris', '--no-watch')).toMatchObject({ version: '3.0.0', watch: null });
  expect((await cli.run('promote', 'iris', '3.0.0', '--watch', '1h')).err).toContain('go with a candidate');
});

test('several candidates have shares of their own, and one of them is promoted by its name', async () => {
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '4.0.0');
  const said = ['deploy', 'iris', '--version', '3.0.0', '--canary', '10', '--and', '4.0.0=12.5'];
  expect(await cli.ok(...said)).toMatch(
    /canary 3\.0\.0 at 10%, 4\.0\.0 at 12\.5%[^]*promote iris --version 4\.0\.0/,
  );
  expect(await cli.json(...said)).toMatchObject({
    candidate_version: '3.0.0',
    traffic_bps: 1000,
    others: [{ version: '4.0.0', traffic_bps: 1250 }],
    changed: false,
  });
  expect(await cli.ok('status')).toContain('canary 3.0.0 at 10%, 4.0.0 at 12.5%');
  expect((await cli.failure('promote', 'iris')).error).toContain('3.0.0, 4.0.0');
  expect(
    (await cli.run('deploy', 'iris', '--version', '3.0.0', '--canary', '1', '--and', '4.0.0')).err,
  ).toContain('like 3.0.0=10');
  expect(await cli.json('promote', 'iris', '--version', '4.0.0')).toMatchObject({
    version: '4.0.0',
    others: null,
  });
});
