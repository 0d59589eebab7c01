/** `tidegate publish --state`: what a version remembers is signed with it, shown, and refused where it cannot be. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { speechCalls, vadModel } from '../e2e/speech.ts';
import { growingModel } from '../e2e/stateful-models.ts';
import { CommandLine } from './command-line.ts';

let cli: CommandLine;
let file: string;
beforeEach(async () => {
  cli = await CommandLine.makeWithIris();
  file = join(cli.store.folder, '..', 'vad.onnx');
  await writeFile(file, vadModel());
});
afterEach(() => cli.store.remove());

const publish = (...more: readonly string[]): readonly string[] => ['publish', 'vad', file, ...more];

test('a state is signed with the version and shown', async () => {
  const version = await cli.json(...publish('--version', '5', '--state', 'state=stateN,2x1x128'));
  const state = [{ input: 'state', output: 'stateN', shape: [2, 1, 128] }];
  expect(version).toMatchObject({ name: 'vad', state });
  expect(await cli.json('show', 'vad', '5')).toMatchObject({ state });
  expect(await cli.ok('show', 'vad', '5')).toContain('  state      state [2, 1, 128], next time stateN\n');
  // The inputs of the tests are those of this model.
  expect(speechCalls(0, 1)[0]?.map(({ name }) => name)).toEqual(['input', 'sr']);
});

test('a version without one says nothing of it', async () => {
  expect(await cli.json('show', 'iris', '1.0.0')).not.toHaveProperty('state');
});

test.each([
  ['sizes that the model leaves open', 'state=stateN', 'say what it begins with'],
  ['a name that is not there', 'state=next,2x1x128', 'the model has no output next'],
  ['a scalar where there is none', 'state=stateN,', 'it cannot begin with []'],
])('%s are refused', async (_, state, reason) => {
  const { code, err } = await cli.run(...publish('--version', '5', '--state', state, '--json'));
  expect(code).toBe(1);
  expect(JSON.parse(err)).toMatchObject({
    code: 'INVALID_ARGUMENT',
    error: expect.stringContaining(reason) as unknown,
  });
});

test('what is no state at all is a wrong command line', async () => {
  const { code, err } = await cli.run(...publish('--version', '5', '--state', 'state'));
  expect(code).toBe(2);
  expect(err).toContain('Write a state as input=output');
});

test('sizes are read where a tensor is named with a colon, as TensorFlow does', async () => {
  await writeFile(file, growingModel());
  const refused = await cli.run(...publish('--version', '1', '--state', 'past=present:0,1x0'));
  expect(refused.err).toContain('the model has no output present:0');
  const published = await cli.json(...publish('--version', '1', '--state', 'past=present,1x0'));
  expect(published).toMatchObject({ state: [{ shape: [1, 0] }] });
});
