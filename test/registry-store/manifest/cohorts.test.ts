/** Cohorts as they stand in the manifest: read back as written, absent without a trace, and refused when they cannot be. */
import { describe, expect, test } from 'vitest';
import {
  type Cohorts,
  cohortKeyLengthMax,
  cohortKeysMax,
  cohortsJson,
  cohortsProblem,
  cohortValueLengthMax,
  headerRulesMax,
  isEmptyCohorts,
} from '../../../registry-store/manifest/cohorts.ts';
import {
  type Deployment,
  deploymentJson,
  readDeployment,
} from '../../../registry-store/manifest/deployment.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';

const sha256 = 'a'.repeat(64);
const canary = {
  version: '1.0.0',
  sha256,
  strategy: 'canary',
  candidate: { version: '2.0.0', sha256 },
  traffic_bps: 100,
};
const written = {
  candidate: {
    headers: [
      { name: 'x-tenant', prefix: 'beta-' },
      { name: 'x-ring', value: 'the inner one' },
    ],
    keys: ['ada', 'ключ-🔑'],
  },
  stable: { headers: [{ name: 'x-tier', value: 'gold' }] },
};

function read(value: object): { readonly deployment: Deployment; readonly problem: string | undefined } {
  const reader = new FieldReader(value, 'the deployment');
  const deployment = readDeployment('iris', reader);
  return { deployment, problem: reader.problem };
}

test('are read back as they were written', () => {
  const { deployment, problem } = read({ ...canary, cohorts: written });
  expect(problem).toBeUndefined();
  expect(deployment.cohorts?.candidate.headers).toEqual([
    { header: 'x-tenant', value: 'beta-', isPrefix: true },
    { header: 'x-ring', value: 'the inner one', isPrefix: false },
  ]);
  expect(JSON.stringify(deploymentJson(deployment))).toBe(JSON.stringify({ ...canary, cohorts: written }));
});

test('leave no trace where there are none', () => {
  expect(JSON.stringify(deploymentJson(read(canary).deployment))).toBe(JSON.stringify(canary));
  const none = { headers: [], keys: [] };
  expect(isEmptyCohorts({ candidate: none, stable: none })).toBe(true);
  expect(cohortsJson({ candidate: none, stable: none })).toEqual({});
});

describe('refused:', () => {
  const header = (rule: object): object => ({ candidate: { headers: [rule] } });
  test.each<[string, unknown]>([
    ['a list', []],
    ['nobody', {}],
    ['a cohort of nobody', { candidate: {} }],
    ['an empty list of keys', { candidate: { keys: [] } }],
    ['an empty list of headers', { stable: { keys: ['ada'], headers: [] } }],
    ['keys that are no texts', { stable: { keys: [17] } }],
    ['an empty key', { stable: { keys: [''] } }],
    ['a key with a control character', { stable: { keys: ['a\u0000'] } }],
    ['a key with half a character', { stable: { keys: ['\ud83d'] } }],
    ['a key that is too long', { stable: { keys: ['k'.repeat(cohortKeyLengthMax + 1)] } }],
    ['too many keys', { stable: { keys: Array.from({ length: cohortKeysMax + 1 }, (_, at) => `k${at}`) } }],
    ['the same key twice', { stable: { keys: ['ada', 'ada'] } }],
    ['the same key both ways', { stable: { keys: ['ada'] }, candidate: { keys: ['ada'] } }],
    ['a rule that is a text', { stable: { headers: ['x-tier=gold'] } }],
    ['a rule without a name', header({ value: 'a' })],
    ['a rule without a value', header({ name: 'x-a' })],
    ['a rule with a value and a prefix', header({ name: 'x-a', value: 'a', prefix: 'a' })],
    ['an empty value', header({ name: 'x-a', value: '' })],
    ['an empty prefix', header({ name: 'x-a', prefix: '' })],
    ['a value with blanks around', header({ name: 'x-a', value: 'a ' })],
    ['a value of two lines', header({ name: 'x-a', value: 'a\nb' })],
    ['a value that is too long', header({ name: 'x-a', value: 'a'.repeat(cohortValueLengthMax + 1) })],
    ['a name in capital letters', header({ name: 'X-A', value: 'a' })],
    ['a name with a blank', header({ name: 'x a', value: 'a' })],
    ['a header of secrets', header({ name: 'authorization', value: 'Bearer abc' })],
    [
      'too many headers',
      {
        candidate: {
          headers: Array.from({ length: headerRulesMax + 1 }, (_, at) => ({ name: 'x-a', value: `v${at}` })),
        },
      },
    ],
  ])('%s', (_, cohorts) => {
    expect(read({ ...canary, cohorts }).problem).toEqual(expect.any(String));
  });

  test('cohorts where nothing is divided', () => {
    const { candidate, version, sha256: digest } = canary;
    const bluegreen = { version, sha256: digest, strategy: 'blue_green', candidate };
    expect(read(bluegreen).problem).toBeUndefined();
    expect(read({ ...bluegreen, cohorts: written }).problem).toContain('cohorts without a canary');
  });
});

test('as many as may be are no problem', () => {
  const cohorts: Cohorts = {
    candidate: {
      headers: Array.from({ length: headerRulesMax }, (_, at) => ({
        header: 'x-a',
        value: `v${at}`,
        isPrefix: at % 2 === 0,
      })),
      keys: Array.from({ length: cohortKeysMax }, (_, at) => `k${at}`),
    },
    stable: { headers: [], keys: ['k'.repeat(cohortKeyLengthMax)] },
  };
  expect(cohortsProblem(cohorts)).toBeUndefined();
});
