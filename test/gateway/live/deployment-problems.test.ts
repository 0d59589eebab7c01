/** What is wrong with deployments is said and kept; what only the end of the gateway cut off is not. */
import { expect, test, vi } from 'vitest';
import { DeploymentProblems } from '../../../gateway/live/deployment-problems.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';

test('a load that fails is a problem, and none once the gateway ends', () => {
  const log = createLogger('silent');
  const error = vi.spyOn(log, 'error');
  const problems = new DeploymentProblems(log);
  const iris = { model: 'iris', version: '1' };
  problems.notServed(iris, 'MODEL_FAILED: no', false);
  expect(problems.all.get('iris')).toEqual({ problem: 'NOT_SERVED', reason: 'MODEL_FAILED' });
  expect(error).toHaveBeenCalledTimes(1);
  problems.close();
  problems.notServed({ ...iris, model: 'tulip' }, 'the pool is closed', false);
  problems.candidateNotServed({ ...iris, model: 'tulip' }, 'the pool is closed');
  expect([...problems.all.keys()]).toEqual(['iris']);
  expect(error).toHaveBeenCalledTimes(1);
});
