/** A model from init to the archive, as a person types it and as a script reads it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CommandLine, modelFile } from './command-line.ts';

let cli: CommandLine;

beforeEach(async () => {
  cli = await CommandLine.make();
});

test('from init to the archive, for a person', async () => {
  expect(await cli.ok('init')).toContain(`Root    ${cli.store.pinnedRootPath}`);
  const published = await cli.ok(
    ...['register', 'iris', modelFile('1.0.0'), '--version', '1.0.0', '--stage', 'training'],
    ...['--author', 'Ada', '--metric', 'accuracy=0.97', '--tag', 'demo', '--why', 'first try'],
  );
  expect(published).toMatch(/^Published iris 1\.0\.0 \(revision 2\)\n {2}file +643 B, \d+ parameters\n/);
  expect(published).toContain('features FP32 [-1, 4]');
  expect(published).toMatch(/\nNext: tidegate stage iris 1\.0\.0 --store \S+ --keys \S+\n$/);
  expect(await cli.ok('stage', 'iris', '1.0.0')).toBe('iris 1.0.0: training -> staged (revision 3)\n');
  expect(await cli.ok('stage', 'iris', '1.0.0')).toBe('iris 1.0.0 was staged already; nothing changed\n');
  expect(await cli.ok('promote', 'iris', '1.0.0', '--why', 'good')).toContain('staged -> production');
  expect(await cli.ok('deploy', 'iris', '--version', '1.0.0')).toBe('iris 1.0.0 is live (revision 5)\n');
  expect(await cli.ok('deploy', 'iris', '--version', '1.0.0')).toContain('nothing changed');

  await cli.ok('publish', 'iris', modelFile('2.0.0'), '--version', '2.0.0');
  const canary = await cli.ok('deploy', 'iris', '--version', '2.0.0', '--canary', '5');
  expect(canary).toContain('iris 1.0.0 is live');
  expect(canary).toContain('beside it: canary 2.0.0 at 5%');
  expect(canary).toContain('Gateways send that share of the keys to 2.0.0');
  expect(await cli.ok('promote', 'iris')).toBe(
    'iris 2.0.0 is live; 1.0.0 is kept for going back (revision 8)\n',
  );
  expect(await cli.ok('scale', 'iris', '--replicas', '2', '--memory-limit', '512Mi')).toContain(
    'with 2 replicas, 512 MiB',
  );
  expect(await cli.ok('rollback', 'iris', '--why', 'worse on long petals')).toContain('iris 1.0.0 is live');
  expect(await cli.ok('undeploy', 'iris', '2.0.0')).toContain('iris 1.0.0 is live (revision 11)\n');
  expect(await cli.ok('undeploy', 'iris')).toBe('iris is out of service (revision 12)\n');
  expect(await cli.ok('archive', 'iris', '1.0.0')).toContain('production -> archived');

  const history = (await cli.ok('history', 'iris')).trimEnd().split('\n');
  expect(history).toHaveLength(12);
  expect(history[0]).toMatch(
    /^2 +\d{4}-\d\d-\d\d \d\d:\d\d +\S+ +publish +iris 1\.0\.0 new, training +first try$/,
  );
  expect(history[3]).toMatch(/^5 .* deploy +iris 1\.0\.0 live$/);
  expect(history[5]).toMatch(/^7 .* iris canary 2\.0\.0 at 5%$/);
  expect(history[8]).toMatch(/^10 .* rollback +iris 2\.0\.0 -> 1\.0\.0.* worse on long petals$/);
  expect(history[9]).toMatch(/^11 .* undeploy +iris 2\.0\.0 no longer kept$/);
  expect(history[10]).toMatch(/^12 .* undeploy +iris undeployed, was 1\.0\.0$/);
  expect(await cli.ok('verify')).toMatch(/verifies, revision 13\n[^]*Proved:\n/);
});

describe('for a script', () => {
  test('every change answers with one shape', async () => {
    expect(await cli.json('init')).toMatchObject({
      pinned_root: cli.store.pinnedRootPath,
      profile: 'local',
      roles: expect.arrayContaining(['root', 'models', 'deployments']) as unknown,
    });
    expect(
      await cli.json(
        'publish',
        'iris',
        modelFile('1.0.0'),
        '--version',
        '1.0.0',
        '--by',
        'ci',
        '--why',
        'nightly',
      ),
    ).toMatchObject({
      name: 'iris',
      stage: 'staged',
      revision: 2,
      published: { revision: 2, by: 'ci', why: 'nightly' },
      signature: { batching: 'rows' },
    });
    expect(await cli.json('promote', 'iris', '1.0.0')).toEqual({
      model: 'iris',
      version: '1.0.0',
      from: 'staged',
      to: 'production',
      changed: true,
      revision: 3,
    });
    const live = {
      model: 'iris',
      version: '1.0.0',
      previous_version: null,
      strategy: 'all',
      candidate_version: null,
      traffic_bps: null,
      others: null,
      plan: null,
      flip: null,
      watch: null,
      analysis: null,
      pipeline: null,
      candidate_pipeline: null,
      cohorts: null,
      resources: null,
      batching: null,
      cache: null,
      changed: true,
      revision: 4,
    };
    expect(await cli.json('deploy', 'iris', '--version', '1.0.0')).toEqual(live);
    await cli.ok('publish', 'iris', modelFile('2.0.0'), '--version', '2.0.0');
    expect(await cli.json('deploy', 'iris', '--version', '2.0.0', '--shadow', '0.5')).toEqual({
      ...live,
      strategy: 'shadow',
      candidate_version: '2.0.0',
      traffic_bps: 50,
      revision: 6,
    });
    expect(await cli.json('promote', 'iris')).toEqual({
      ...live,
      version: '2.0.0',
      previous_version: '1.0.0',
      revision: 7,
    });
    expect(
      await cli.json('scale', 'iris', '--min-replicas', '1', '--max-replicas', '4', '--cpu-limit', '1.5'),
    ).toMatchObject({
      resources: {
        auto_scaling: { min_replicas: 1, max_replicas: 4, target_cpu_percent: 70 },
        cpu_limit_millis: 1500,
      },
    });
    expect(await cli.json('undeploy', 'iris')).toMatchObject({
      version: null,
      strategy: null,
      changed: true,
    });
  });

  test('what is there reads back', async () => {
    await cli.ok('init');
    await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1.0.0', '--tag', 'old');
    await cli.ok('publish', 'iris', modelFile('2.0.0'), '--version', '2.0.0');
    await cli.ok('deploy', 'iris', '--version', '2.0.0');
    expect(await cli.json('list')).toMatchObject({
      revision: 4,
      versions: [
        { version: '1.0.0', deployed_as: null },
        { version: '2.0.0', deployed_as: 'live' },
      ],
    });
    expect(await cli.json('list', '--tag', 'old')).toMatchObject({ versions: [{ version: '1.0.0' }] });
    expect(await cli.json('list', '--stage', 'archived')).toMatchObject({ versions: [] });
    expect(await cli.json('show', 'iris')).toMatchObject({
      name: 'iris',
      deployment: { version: '2.0.0' },
      versions: [{ version: '1.0.0' }, { version: '2.0.0' }],
    });
    expect(await cli.json('show', 'iris', '2.0.0')).toMatchObject({ version: '2.0.0', deployed_as: 'live' });
    expect(await cli.json('status')).toMatchObject({
      revision: 4,
      models: [{ name: 'iris', live: '2.0.0', deployment: { strategy: 'all' } }],
    });
    const { events } = (await cli.json('history', '--limit', '2')) as { events: { revision: number }[] };
    expect(events.map(({ revision }) => revision)).toEqual([3, 4]);
    expect(await cli.json('diff', '2', '4')).toMatchObject({
      from: 2,
      to: 4,
      changes: [
        { kind: 'deployment', model: 'iris', before: null, after: { version: '2.0.0' } },
        { kind: 'stage', version: '2.0.0', from: null, to: 'staged' },
      ],
    });
    expect(await cli.json('verify')).toMatchObject({
      revision: 4,
      models: 1,
      versions: 2,
      proved: expect.arrayContaining([expect.any(String)]) as unknown,
    });
  });
});

test('of two who publish the same version at once, one is told that it is taken', async () => {
  await cli.ok('init');
  const publish = ['publish', 'iris', modelFile('1.0.0'), '--version', '1.0.0', '--json'];
  const ran = await Promise.all([cli.run(...publish), cli.run(...publish)]);
  expect(ran.map(({ code }) => code).toSorted()).toEqual([0, 1]);
  const loser = ran.find(({ code }) => code === 1);
  expect(JSON.parse(loser?.err ?? '')).toMatchObject({ code: 'DUPLICATE_VERSION' });
  expect(await cli.json('verify')).toMatchObject({ revision: 2, versions: 1 });
});

test('tables for a person line up', async () => {
  await cli.ok('init');
  await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '1.0.0', '--author', 'Ada');
  await cli.ok('publish', 'iris', modelFile('2.0.0'), '--version', '2.0.0', '--author', 'Grace');
  await cli.ok('deploy', 'iris', '--version', '2.0.0');
  const rows = (await cli.ok('list')).trimEnd().split('\n');
  expect(rows[0]).toMatch(/^iris {10}1\.0\.0 {2}staged {2}\d{4}-\d\d-\d\d {2}onnx {2}Ada {4}-$/);
  expect(rows[1]).toMatch(/^iris {2}\* live {2}2\.0\.0 {2}staged/);
  const shown = await cli.ok('show', 'iris', '2.0.0');
  expect(shown).toMatch(/^iris 2\.0\.0 \(live\)\n {2}stage +staged\n/);
  expect(shown).toMatch(/published +\d{4}-\d\d-\d\d \d\d:\d\d by \S+, revision 3\n/);
  expect(await cli.ok('show', 'iris')).toMatch(/^iris\n {2}live: 2\.0\.0\n/);
  expect(await cli.ok('status')).toMatch(
    /\n {2,}\* live +2\.0\.0[^]*\nroot +v1 +until \d{4}-\d\d-\d\d, in [45] years/,
  );
  expect(await cli.ok('diff', '4', '3')).toBe('iris undeployed, was 2.0.0\n');
  expect(await cli.ok('diff', '3', '3')).toBe('Revisions 3 and 3 are the same.\n');
});
