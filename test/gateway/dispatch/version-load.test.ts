/** What versions have in hand, read from real queues. */
import { expect, it } from 'vitest';
import { PageArena } from '../../../runtime/tensor/page-arena.ts';
import { ModelGeneration } from '../../../gateway/dispatch/model-generation.ts';
import { QueueDirectory } from '../../../gateway/dispatch/queue-directory.ts';
import { versionLoads } from '../../../gateway/dispatch/version-load.ts';
import { VersionMetrics } from '../../../gateway/telemetry/version-metrics.ts';

const directory = new QueueDirectory({ arena: new PageArena(2 ** 20), batchRowsMax: 8 });

function generation(
  modelVersion: string,
  batching: 'rows' | 'none',
  shape: readonly number[],
): ModelGeneration {
  const input = { name: 'x', datatype: 'FP32' as const, shape };
  return new ModelGeneration({
    modelName: 'm',
    modelVersion,
    sha256: modelVersion,
    signature: { batching, inputs: [input], outputs: [{ ...input, name: 'y' }] },
    platform: '',
    session: 1,
    // 1 ms for a run and 1 ms for each row.
    costs: [
      { rows: 1, us: 2000 },
      { rows: 8, us: 9000 },
    ],
    metrics: new VersionMetrics('m', modelVersion),
  });
}

function queueOf(version: ModelGeneration, shape: readonly number[]): ReturnType<QueueDirectory['enter']> {
  const input = { name: 'x', datatype: 'FP32' as const, shape };
  const inputs = [{ ...input, elements: new Float32Array(shape.reduce((a, b) => a * b, 1)) }];
  return directory.enter(version, {
    rows: shape[0] ?? 1,
    inputs,
    outputIndexes: undefined,
  } as unknown as Parameters<QueueDirectory['enter']>[1]);
}

it('rows that run and rows that wait are work, over all shapes, and a version that has none is there too', () => {
  const [batched, alone] = [generation('1', 'rows', [-1, -1]), generation('2', 'none', [4])];
  const [short, long] = [queueOf(batched, [1, 2]), queueOf(batched, [1, 3])];
  queueOf(alone, [4]);
  short.waitingRows = 3;
  long.waitingRows = 4;
  const loads = [...versionLoads(directory.all(), [{ queue: short, rows: 2 }], 0)];
  expect(loads.map(({ generation: { modelVersion }, rows }) => [modelVersion, rows])).toEqual([
    ['1', 9],
    ['2', 0],
  ]);
  // 0.8 * 8 * 1 / (1 + 8 * 1 * 0.2) rows a batch, and two batches.
  const planned = 6.4 / 2.6;
  expect(loads[0]?.targetRows).toBeCloseTo(2 * planned);
  expect(loads[0]?.work).toBeCloseTo(9 / (2 * planned));
  expect(loads[0]?.workMs).toBeCloseTo(9 * (1 / planned + 1));
  expect(loads[1]).toMatchObject({ targetRows: 2, work: 0, workMs: 0 });
});
