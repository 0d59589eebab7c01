/** Our own gateway, with models of every datatype, passes everything that is asked of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allChecks } from '../conformance/checks/all-checks.ts';
import type { GatewayUnderTest } from '../e2e/gateway-under-test.ts';
import { failures, idsWith, runSuite, startServedModels, type SuiteRun } from './served-models.ts';

let under: GatewayUnderTest;
let run: SuiteRun;
beforeAll(async () => {
  under = await startServedModels();
  run = await runSuite([under.url, '--change-models']);
});
afterAll(() => under.close());

test('no check fails', () => {
  expect(failures(run.report)).toEqual([]);
  expect(run.exitCode).toBe(0);
});

test('nothing is skipped but what the gateway does not claim', () => {
  expect(idsWith(run.report, 'skipped').toSorted()).toEqual([
    'binary.BF16',
    'logging.settings',
    'trace.settings',
  ]);
});

test('every check has run', () => {
  expect(run.report.checks.map(({ id }) => id)).toEqual(allChecks.map(({ id }) => id));
});
