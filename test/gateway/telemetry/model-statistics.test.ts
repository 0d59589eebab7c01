/** The numbers of the statistics extension, with the worked example of mean batch size that its documentation gives. */
import { expect, test } from 'vitest';
import {
  failuresByReason,
  modelStatistics,
  versionCounters,
} from '../../../gateway/telemetry/model-statistics.ts';
import { VersionMetrics } from '../../../gateway/telemetry/version-metrics.ts';

const sizes = [1, 1, 8, 8];
const lane = { trigger: 'drained', laneMs: 5, predictedMs: 3, paddedRows: 2 } as const;

function used(): VersionMetrics {
  const metrics = new VersionMetrics('m', '1');
  for (const [index, rows] of sizes.entries()) {
    for (let request = 0; request < rows; request++) {
      metrics.outcomes.count('oip-json', 'OK');
      metrics.requestSeconds.record(0.01);
      metrics.queueSeconds.record(0.002);
    }
    metrics.recordBatch(
      { rows, requests: rows, handOverMs: 1, runMs: 4, answerMs: 0.5, ...lane },
      1000 * (index + 1),
    );
  }
  metrics.outcomes.count('oip-json', 'MODEL_FAILED');
  metrics.requestSeconds.record(0.5);
  metrics.failedSeconds += 0.5;
  metrics.outcomes.count('oip-msgpack', 'QUEUE_FULL');
  metrics.outcomes.count('oip-msgpack', 'ABANDONED');
  metrics.outcomes.count('oip-msgpack', 'INVALID_ELEMENT');
  return metrics;
}

test('of a version that was never called are zeros', () => {
  const stats = modelStatistics(new VersionMetrics('m', '1'), { timeOriginMs: 1e12, memoryBytes: 0 });
  expect(stats).toMatchObject({
    last_inference: 0,
    inference_count: 0,
    execution_count: 0,
    batch_stats: [],
    memory_usage: [],
  });
  expect(JSON.stringify(stats)).not.toContain('null');
});

test('count rows, batches, requests and nanoseconds', () => {
  expect(modelStatistics(used(), { timeOriginMs: 1e12, memoryBytes: 7 })).toEqual({
    name: 'm',
    version: '1',
    last_inference: 1e12 + 4000,
    inference_count: 18,
    execution_count: 4,
    inference_stats: {
      success: { count: 18, ns: 180e6 },
      fail: { count: 4, ns: 500e6 },
      queue: { count: 18, ns: 36e6 },
      compute_input: { count: 18, ns: 18e6 },
      compute_infer: { count: 18, ns: 72e6 },
      compute_output: { count: 18, ns: 9e6 },
      cache_hit: { count: 0, ns: 0 },
      cache_miss: { count: 0, ns: 0 },
    },
    response_stats: {},
    batch_stats: [1, 8].map((size) => ({
      batch_size: size,
      compute_input: { count: 2, ns: 2e6 },
      compute_infer: { count: 2, ns: 8e6 },
      compute_output: { count: 2, ns: 1e6 },
    })),
    memory_usage: [{ type: 'CPU', id: 0, byte_size: 7 }],
  });
});

test('sort failures by the reasons that dashboards know', () => {
  expect([...failuresByReason(used())]).toEqual([
    ['REJECTED', 1],
    ['CANCELED', 1],
    ['BACKEND', 1],
    ['OTHER', 1],
  ]);
});

test('count rows that nobody sent by themselves, and nowhere else', () => {
  const read = (name: string): number | undefined =>
    versionCounters.find((counter) => counter.name === name)?.read(used());
  expect([read('tidegate_padded_rows_total'), read('nv_inference_count')]).toEqual([8, 18]);
});

test('do not grow with every size of batch that a client can think of', () => {
  const metrics = new VersionMetrics('m', '1');
  for (let rows = 1; rows <= 5000; rows++) {
    metrics.recordBatch({ rows, requests: 1, handOverMs: 0, runMs: 1, answerMs: 0, ...lane }, rows);
  }
  expect(metrics.perBatchSize.size).toBe(1024);
  expect(metrics.perBatchSize.get(1024)?.batches).toBe(5000 - 1023);
});
