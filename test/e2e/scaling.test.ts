/**
 * Replicas that follow the load on a running gateway with two threads: a burst brings the second, calm takes it away, and
 * nobody who asks notices. And a version that is about to get the traffic is brought to size before it does.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import type { ScalingReport, VersionScaling } from '../../gateway/telemetry/scaling-report.ts';
import { rowModel } from '../runtime/pool/row-models.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import type { MetricsScrape } from './metrics-scrape.ts';
import { slowModel } from './odd-models.ts';
import { tensorOf } from './tensor.ts';
import type { Outcome } from './wire-forms.ts';

/** Each is a bound on a busy machine, not a measurement. */
const patienceMs = 30_000;
const autoScaling = { minReplicas: 1, maxReplicas: 2, targetCpuPercent: 70 };

let under: GatewayUnderTest;
afterEach(() => under.close());

async function report(): Promise<ScalingReport> {
  return (await (await fetch(`${under.url}/v2/scaling`)).json()) as ScalingReport;
}

async function stateOf(version: string): Promise<VersionScaling | undefined> {
  return (await report()).versions.find((one) => one.version === version);
}

function changes(): GatewayUnderTest['log'] {
  return under.log.filter(({ msg }) => msg === 'replicas follow the load');
}

describe('a deployment that is scaled by its load', () => {
  test('gets its second thread in a burst and gives it back in calm, and every request is answered', async () => {
    under = await startTestGateway({
      models: [{ name: 'slow', version: '1.0.0', file: slowModel(120) }],
      threads: 2,
      inlineRunUsMax: 0,
      limits: { batchRowsMax: 4 },
      scaling: {
        ...{
          tickMs: 100,
          sampleMs: 10,
          burstWindowMs: 300,
          stableWindowMs: 1200,
          shrinkDelayMs: 300,
          bakeMs: 0,
        },
      },
    });
    const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 256] }, Array<number>(256).fill(1))];
    const outcomes: Outcome[] = [];
    const caller = under.caller('stream-msgpack');
    const ask = async (): Promise<void> => void outcomes.push(await caller.call({ model: 'slow', inputs }));

    // It is on all threads while nothing is signed about that.
    expect(await stateOf('1.0.0')).toMatchObject({ replicas: 2 });
    expect(await stateOf('1.0.0')).not.toHaveProperty('scaled');
    under.store.deploy('slow', '1.0.0', { resources: { autoScaling } });
    const calm = async (): Promise<true | undefined> => {
      await ask();
      return (await stateOf('1.0.0'))?.replicas === 1 || undefined;
    };
    await eventually(calm, 'one thread in calm', patienceMs);

    let inBurst = true;
    const burst = Promise.all(
      Array.from({ length: 24 }, async () => {
        while (inBurst) await ask();
      }),
    );
    const labels = { model: 'slow', version: '1.0.0' };
    // A process that stood still in the burst has seen no work meanwhile: it may go down and up again, so each look is whole.
    const grown = async (): Promise<void> => {
      const metrics = await under.metrics();
      expect(metrics.sum('tidegate_desired_replicas', labels)).toBe(2);
      expect(metrics.sum('tidegate_concurrency_target', labels)).toBeGreaterThanOrEqual(2);
      expect(metrics.sum('tidegate_utilization', labels)).toBeGreaterThan(0);
      expect(metrics.sum('tidegate_desired_nodes')).toBeGreaterThan(0);
      expect((await stateOf('1.0.0'))?.scaled).toMatchObject({ min_replicas: 1, max_replicas: 2 });
      const health = (await (await fetch(`${under.url}/v2/health/ready`)).json()) as object;
      expect(health).toMatchObject({
        ready: true,
        scaling: [{ ...labels, replicas: 2, min_replicas: 1, max_replicas: 2 }],
      });
    };
    await vi.waitFor(grown, { timeout: patienceMs });
    inBurst = false;
    await burst;

    await eventually(calm, 'one thread again', patienceMs);
    expect(outcomes.filter(({ kind }) => kind !== 'answer')).toEqual([]);
    // A thread is given up first; then that is counted and told, in one turn.
    const told = async (): Promise<false | readonly [GatewayUnderTest['log'], MetricsScrape]> => {
      const count = changes().length;
      const page = await under.metrics();
      const isOver = count > 1 && changes().length === count && changes().at(-1)?.['replicas'] === 1;
      return isOver && [changes(), page];
    };
    const [steps, after] = await eventually(told, 'the last step to be told', patienceMs);
    const up = steps.filter((step) => step['replicas'] === 2);
    expect(steps[0]).toMatchObject({ before: 2, replicas: 1 });
    expect(up[0]).toMatchObject({
      ...{ model: 'slow', version: '1.0.0', before: 1 },
      // On a busy machine threads are not seen at work all the time, and the longer window may see it first.
      because: expect.stringMatching(/^(burst, )?work for [\d.]+ over (0\.3|1\.2) s/) as string,
    });
    expect(steps.at(-1)).toMatchObject({ before: 2, replicas: 1 });
    const counted = (direction: string): number =>
      after.sum('tidegate_replica_changes_total', { ...labels, direction });
    expect(counted('up')).toBe(up.length);
    expect(counted('down')).toBe(steps.length - up.length);
  }, 120_000);
});

describe('a version that traffic is about to move to', () => {
  const scaled: DeploymentResources = { autoScaling };

  test('is brought to size before it does, and the one before keeps what it has', async () => {
    under = await startTestGateway({
      models: [{ name: 'row', version: '1.0.0', file: rowModel(3) }],
      threads: 2,
      inlineRunUsMax: 0,
    });
    under.store.publish('row', '2.0.0', rowModel(5));
    const sha256 = under.store.current.models.get('row')?.get('2.0.0')?.artifact.sha256 ?? '';
    const candidate = { version: '2.0.0', sha256 };
    under.store.deploy('row', '1.0.0', { resources: scaled });
    await eventually(async () => (await stateOf('1.0.0'))?.scaled !== undefined, 'its bounds', patienceMs);
    const divide = (trafficBps: number): void => {
      under.store.deploy('row', '1.0.0', {
        ...{ strategy: 'canary', candidate, trafficBps, rolloutId: 'one', resources: scaled },
      });
    };
    const divided = async (): Promise<number> =>
      (await under.metrics()).sum('tidegate_rollout_traffic_percent', { candidate: '2.0.0' });

    divide(1000);
    await eventually(async () => (await divided()) === 10, 'a tenth of the traffic', patienceMs);
    // A tenth of two is one, which it has.
    expect(await stateOf('2.0.0')).toMatchObject({ replicas: 1 });
    expect(changes()).toEqual([]);

    divide(6000);
    await eventually(async () => (await divided()) === 60, 'most of the traffic', patienceMs);
    expect(await stateOf('2.0.0')).toMatchObject({ replicas: 2 });
    expect(changes()).toMatchObject([
      { version: '2.0.0', before: 1, replicas: 2, because: '60 % of the traffic is about to come' },
    ]);
    const order = under.log.map(({ msg }) => msg);
    expect(order.lastIndexOf('traffic divided')).toBeGreaterThan(order.indexOf('replicas follow the load'));
    expect(await stateOf('1.0.0')).toMatchObject({ replicas: 2 });
  }, 120_000);
});

test('copies for a shadow are no load', async () => {
  under = await startTestGateway({
    models: [{ name: 'row', version: '1.0.0', file: rowModel(3) }],
    threads: 1,
    inlineRunUsMax: 0,
    scaling: { tickMs: 50, sampleMs: 10 },
  });
  under.store.publish('row', '2.0.0', rowModel(5));
  const sha256 = under.store.current.models.get('row')?.get('2.0.0')?.artifact.sha256 ?? '';
  const candidate = { version: '2.0.0', sha256 };
  under.store.deploy('row', '1.0.0', {
    strategy: 'shadow',
    candidate,
    trafficBps: 10_000,
    resources: { autoScaling },
  });
  const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 1] }, [1])];
  const caller = under.caller('oip-msgpack');
  const mirrored = async (): Promise<boolean> => {
    await caller.call({ model: 'row', inputs });
    return (await under.metrics()).sum('tidegate_shadow_pairs_total') > 0;
  };
  await eventually(mirrored, 'a copy to be compared', patienceMs);
  expect((await report()).versions).toMatchObject([{ version: '1.0.0' }]);
}, 120_000);

test('a node without models has no load', async () => {
  under = await startTestGateway({ models: [], threads: 1 });
  expect(await report()).toEqual({ desired_nodes: 0, utilization: 0, versions: [] });
});
