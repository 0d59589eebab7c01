/** A server with one fault fails the checks that are about it, and no other. */
import { expect, test } from 'vitest';
import type { Fault, Habit } from './fault.ts';
import { startFaultyServer } from './faulty-server.ts';
import { failures, idsWith, runSuite, type SuiteRun } from './served-models.ts';

const runs = new Map<Fault | Habit | undefined, Promise<SuiteRun>>();

/** The whole suite, once for each fault; several tests may look at what it reported. */
function runAgainst(fault: Fault | Habit | undefined): Promise<SuiteRun> {
  const run = runs.get(fault) ?? runOnce(fault);
  runs.set(fault, run);
  return run;
}

async function runOnce(fault: Fault | Habit | undefined): Promise<SuiteRun> {
  const server = await startFaultyServer(fault);
  try {
    return await runSuite([server.url, '--timeout-ms', '500']);
  } finally {
    await server.close();
  }
}

test('without a fault it passes', async () => {
  const { report, exitCode } = await runAgainst(undefined);
  expect(failures(report)).toEqual([]);
  expect(exitCode).toBe(0);
});

test.each<readonly [Fault, readonly string[]]>([
  ['unknown-model-is-500', ['error.unknown-model']],
  ['error-without-reason', ['error.unknown-output']],
  ['error-as-text', ['server.wrong-method', 'model.wrong-method', 'error.infer-by-get']],
  [
    'bad-json-is-500',
    [
      'error.bad-json',
      'binary.error.header-inside-json',
      'error.empty-body',
      'error.not-utf8',
      'error.deep-nesting',
    ],
  ],
  ['rounds-int64', ['infer.exact.INT64']],
  ['swaps-bytes', ['binary.output-order']],
  ['ignores-outputs', ['infer.outputs']],
  ['drops-id', ['infer.id']],
  ['makes-up-inputs', ['error.missing-input']],
  ['answers-for-another-version', ['infer.version']],
  ['raw-answer-too-long', ['binary.raw', 'binary.raw-bytes']],
  ['bytes-through-text', ['binary.any-bytes']],
  ['ready-hangs', ['model.ready']],
  ['resets-on-depth', ['error.deep-nesting']],
  ['dies-of-a-header', ['binary.error.header-negative']],
  ['metadata-without-version', ['server.metadata']],
  ['shape-as-text', ['model.metadata-version']],
  ['counts-nothing', ['statistics.model']],
  ['index-with-numbers', ['repository.index', 'repository.index-ready']],
  ['content-type-of-text', ['infer.content-type']],
])('%s', async (fault, wanted) => {
  const { report, exitCode } = await runAgainst(fault);
  expect(idsWith(report, 'failed')).toEqual(wanted);
  expect(exitCode).toBe(1);
});

test.each<Habit>(['of-triton', 'of-kserve'])('the habits %s are accepted', async (habit) => {
  const { report, exitCode } = await runAgainst(habit);
  expect(failures(report)).toEqual([]);
  expect(exitCode).toBe(0);
});

test.each<readonly [Fault, string]>([
  ['infer-is-500', '500 {"error":"out of luck"}'],
  ['infer-hangs', 'no complete answer within 500 ms'],
])('%s: what a model says that it takes has to be answered', async (fault, received) => {
  const { report } = await runAgainst(fault);
  const datatypes = ['UINT8', 'INT64', 'FP32', 'BYTES'];
  const failed = report.checks.filter(({ outcome }) => outcome === 'failed');
  const json = failed.filter(({ id }) => id.startsWith('infer.'));
  expect(json.map(({ id }) => id)).toEqual(datatypes.map((datatype) => `infer.json.${datatype}`));
  expect(new Set(json.map((check) => check.received))).toEqual(new Set([received]));
  expect(failed.map(({ id }) => id).filter((id) => !json.some((check) => check.id === id))).toEqual(
    datatypes.map((datatype) => `binary.${datatype}`),
  );
});

test('a failure says what was sent, what was expected and what came', async () => {
  const { report, printed } = await runAgainst('rounds-int64');
  expect(report.checks.find(({ id }) => id === 'infer.exact.INT64')).toMatchObject({
    sent: expect.stringContaining('"data":[9007199254740993') as unknown,
    expected: "'y0' with the values of 'x0', which this model gives back",
    received: expect.stringContaining('is 9007199254740992 instead of 9007199254740993') as unknown,
  });
  const text = printed.join('\n');
  expect(text).toMatch(/FAIL {2}infer\.exact\.INT64 .*\n +sent .*\n +expected .*\n +clause .*\n +received /);
  expect(text).toContain('Failed: infer.exact.INT64');
});

test('an answer that does not come is a failure with the time that was waited', async () => {
  const { report } = await runAgainst('ready-hangs');
  expect(report.checks.find(({ id }) => id === 'model.ready')).toMatchObject({
    sent: 'GET /v2/models/whole/ready',
    received: 'no complete answer within 500 ms',
  });
});

test('what no model has is skipped with the reason, and never passes', async () => {
  const { report } = await runAgainst(undefined);
  const outcome = (id: string): unknown => report.checks.find((check) => check.id === id);
  expect(outcome('infer.json.FP64')).toMatchObject({
    outcome: 'skipped',
    reason: 'no model takes FP64 as JSON',
  });
  expect(outcome('binary.FP16')).toMatchObject({ outcome: 'skipped', reason: 'no model takes FP16' });
  expect(outcome('config.model')).toMatchObject({
    reason: 'the server does not advertise model_configuration',
  });
  expect(outcome('repository.unload-load')).toMatchObject({ outcome: 'skipped' });
});
