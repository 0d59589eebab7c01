/** Our own gateway with one kind of answer spoilt on its way: the checks of its extensions find it, and no other does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GatewayUnderTest } from '../e2e/gateway-under-test.ts';
import { idsWith, runSuite, startServedModels } from './served-models.ts';
import { type Spoilable, startSpoilingProxy } from './spoiling-proxy.ts';

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startServedModels();
});
afterAll(() => under.close());

type Spoil = (answer: Spoilable) => Partial<Pick<Spoilable, 'status' | 'body'>>;

/** Of the models that answer in JSON; binary answers must pass as they are. */
const modelsAsked = ['iris', 'pair', 'BYTES-row'].flatMap((name) => ['--model', name]);

test.each<readonly [string, Spoil, readonly string[]]>([
  [
    'a configuration without its types',
    ({ path, body }) => (path.endsWith('/config') ? { body: body.replaceAll('TYPE_', '') } : {}),
    ['config.model', 'config.version'],
  ],
  [
    'a configuration of a model that there is not',
    ({ path }) => (path.includes('no-such-model') && path.endsWith('/config') ? { status: 200 } : {}),
    ['config.unknown-model'],
  ],
  [
    'priorities that are refused',
    ({ requestBody }) => (requestBody.includes('"priority"') ? { status: 400 } : {}),
    ['schedule.priority'],
  ],
  [
    'timeouts that run out at once',
    ({ requestBody }) => (requestBody.includes('"timeout":0') ? { status: 504 } : {}),
    ['schedule.timeout'],
  ],
  [
    'parameters that are refused',
    ({ requestBody }) => (requestBody.includes('conformance_flag') ? { status: 400 } : {}),
    ['infer.parameters'],
  ],
  [
    'classes without their index',
    ({ requestBody, body }) => {
      return requestBody.includes('"classification"') ? { body: body.replace(/:(\d+)"/g, '-$1"') } : {};
    },
    ['classification.largest'],
  ],
  [
    'statistics without a version',
    ({ path, body }) => (path === '/v2/models/stats' ? { body: body.replaceAll('"version"', '"v"') } : {}),
    ['statistics.all'],
  ],
  [
    'a slash that only some paths accept',
    ({ path }) => (path === '/v2/' ? { status: 404 } : {}),
    ['slash.everywhere'],
  ],
  [
    'a model that answers although it is unloaded',
    ({ path, requestBody, status }) => {
      const isUnloaded = path.endsWith('/ready') && status === 404 && !path.includes('no-such-model');
      return isUnloaded && requestBody === '' ? { status: 200, body: '' } : {};
    },
    ['repository.unload-load'],
  ],
])('%s', async (_what, spoil, wanted) => {
  const proxy = await startSpoilingProxy(under.url, spoil);
  const { report, exitCode } = await runSuite([proxy.url, ...modelsAsked, '--change-models']);
  await proxy.close();
  expect(idsWith(report, 'failed')).toEqual(wanted);
  expect(exitCode).toBe(1);
});
