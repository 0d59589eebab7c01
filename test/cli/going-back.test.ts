/** Going back: to the version before, out of a rollout, and to the whole state of a past revision. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CommandLine, modelFile } from './command-line.ts';

let cli: CommandLine;

/** Revision 5: 2.0.0 is live, 1.0.0 the previous version. */
beforeEach(async () => {
  cli = await CommandLine.makeWithIris();
});

async function live(): Promise<unknown> {
  return ((await cli.json('show', 'iris')) as { deployment: unknown }).deployment;
}

describe('rollback of a model', () => {
  test('goes to the version before', async () => {
    expect(await cli.ok('rollback', 'iris')).toContain('iris 1.0.0 is live');
    expect(await live()).toMatchObject({ version: '1.0.0' });
  });

  test('ends a rollout that is on and leaves the live version live', async () => {
    await cli.ok('publish', 'iris', modelFile('1.0.0'), '--version', '3.0.0');
    await cli.ok('deploy', 'iris', '--version', '3.0.0', '--blue-green');
    expect(await live()).toMatchObject({ version: '2.0.0', candidate_version: '3.0.0' });
    expect(await cli.ok('rollback', 'iris')).toContain('iris 2.0.0 is live');
    expect(await live()).toMatchObject({ version: '2.0.0', candidate_version: null, strategy: 'all' });
  });

  test('needs somewhere to go', async () => {
    expect(await cli.failure('rollback', 'tulip')).toMatchObject({
      code: expect.stringMatching(/UNKNOWN_MODEL|NOT_DEPLOYED/) as unknown,
    });
    await cli.ok('undeploy', 'iris');
    expect(await cli.failure('rollback', 'iris')).toMatchObject({ code: 'NOT_DEPLOYED' });
  });
});

describe('rollback to a revision', () => {
  test('brings back what was live and where versions stood, as a new revision', async () => {
    await cli.ok('promote', 'iris', '1.0.0');
    await cli.ok('undeploy', 'iris');
    const out = await cli.ok('rollback', '--to', '5', '--why', 'as it was');
    expect(out).toMatch(/^Brought back revision 5 with 2 changes \(revision 8\)\n/);
    expect(out).toContain('  iris 2.0.0 live\n');
    expect(out).toContain('  iris 1.0.0 production -> staged\n');
    expect(await cli.ok('diff', '5', '8')).toContain('are the same');
    expect(await cli.ok('history', '--limit', '1')).toMatch(/^8 .*rollback.*as it was$/m);
    await cli.ok('verify');
  });

  test('can be rolled back itself, and says so when nothing differs', async () => {
    await cli.ok('rollback', '--to', '3');
    expect(await live()).toMatchObject({ version: '1.0.0' });
    await cli.ok('rollback', '--to', '5');
    expect(await live()).toMatchObject({ version: '2.0.0' });
    expect(await cli.json('rollback', '--to', '5')).toMatchObject({ changed: false, changes: [] });
  });

  test('can be for one model alone', async () => {
    await cli.ok('publish', 'rose', modelFile('1.0.0'), '--version', '1');
    await cli.ok('deploy', 'rose', '--version', '1');
    await cli.ok('undeploy', 'iris');
    expect(await cli.json('rollback', '--to', '5', '--model', 'iris')).toMatchObject({
      to: 5,
      model: 'iris',
      changed: true,
      changes: [{ kind: 'deployment', model: 'iris' }],
    });
    expect(await cli.json('status')).toMatchObject({
      models: [
        { name: 'iris', live: '2.0.0' },
        { name: 'rose', live: '1' },
      ],
    });
  });

  test('can be looked at before', async () => {
    expect(await cli.ok('status', '--at', '3')).toBe('Revision 3\n\niris\n  * live  1.0.0  staged\n');
    expect(await cli.ok('status', '--at', '1')).toContain('No model was published yet.');
    expect(await cli.json('status', '--at', '5')).toMatchObject({
      revision: 5,
      models: [{ name: 'iris', deployment: { version: '2.0.0' }, versions: [{ version: '1.0.0' }, {}] }],
    });
  });

  test('of a revision that never was is refused', async () => {
    expect(await cli.failure('rollback', '--to', '99')).toMatchObject({ code: 'UNKNOWN_REVISION' });
    expect(await cli.failure('diff', '1', '99')).toMatchObject({ code: 'UNKNOWN_REVISION' });
    expect(await cli.failure('status', '--at', '99')).toMatchObject({ code: 'UNKNOWN_REVISION' });
  });
});

describe('a rollback that is not clear is a wrong command line', () => {
  test.each([
    [['rollback'], /Name a model, or a revision/],
    [['rollback', '--model', 'iris'], /tidegate rollback <model>/],
    [['rollback', 'iris', '--to', '2', '--model', 'rose'], /iris or rose/],
    [['rollback', '--to', 'yesterday'], /whole number from 1/],
  ])('%j', async (args, message) => {
    const { code, err } = await cli.run(...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
