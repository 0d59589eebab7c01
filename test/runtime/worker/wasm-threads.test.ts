/**
 * Several threads for one run with the WebAssembly engine, on real threads: the answers of one thread, and helpers that go
 * when their thread goes, whatever it does. Threads are counted where the system lists them.
 */
import { existsSync, readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import { hoardModel, spinModel } from '../pool/row-models.ts';
import {
  outputBytes,
  type PoolUnderTest,
  ranOf,
  runDirectly,
  runRows,
  startTestPool,
} from '../pool/pool-under-test.ts';

const engine = { name: 'wasm', intraOpThreads: 3 } as const;
const taskFolder = '/proc/self/task';
/** The thread of the lane, and those that help it. */
const threadsOfLane = engine.intraOpThreads;
/** Waits are bounds, not measurements: the machine may be busy. */
const patience = { timeout: 20_000, interval: 20 };
const width = 128;

let pool: PoolUnderTest;
afterEach(() => pool.close());
// Node's own threads for files are started by whoever needs them first, and never end.
beforeAll(() => stat('.'));

/** `y` is `x` times a matrix: enough of it to be worth dividing. */
function matrixModel(): Uint8Array {
  const graph = new GraphBuilder('matrix');
  const type = tensorType('FP32', ['batch', width]);
  const weights = Array.from({ length: width * width }, (_, index) => ((index * 31) % 101) / 101 - 0.5);
  const matrix = graph.constant('matrix', tensor('FP32', [width, width], weights));
  graph.node('MatMul', [graph.input('x', type), matrix], { outputs: ['y'] });
  graph.output('y', type);
  return writeOnnxModel(graph);
}

const values = Array.from({ length: 64 * width }, (_, index) => ((index * 37) % 97) / 97);

async function answerOf(session: number): Promise<Float32Array> {
  const [output] = ranOf(await runRows(pool, { session, width, values })).outputs;
  return new Float32Array(new Uint8Array(outputBytes(pool.pool, output, values.length * 4)).buffer);
}

async function answerOfOneThread(file: Uint8Array): Promise<Float32Array> {
  const [direct] = await runDirectly(file, { width, values });
  return new Float32Array(new Uint8Array(direct?.bytes ?? []).buffer);
}

function expectClose(found: Float32Array, expected: Float32Array): void {
  expect(found).toHaveLength(expected.length);
  expect(Math.max(...found.map((value, index) => Math.abs(value - (expected[index] ?? NaN))))).toBeLessThan(
    1e-4,
  );
}

const tasks = (): number => readdirSync(taskFolder).length;

test.skipIf(!existsSync(taskFolder))(
  'answers are those of one thread, a run that hangs ends with its helpers, and so does the pool',
  async () => {
    const before = tasks();
    pool = await startTestPool({ engine, runMsMax: 300, restartDelayMsMax: 50 });
    expect(tasks()).toBe(before + threadsOfLane);
    const file = matrixModel();
    const { session } = await pool.load(file);
    const expected = await answerOfOneThread(file);
    expectClose(await answerOf(session), expected);

    const spinning = await pool.load(spinModel());
    const idle = pool.nextIdle();
    expect(await runRows(pool, { session: spinning.session, width: 1, values: [1e12] })).toMatchObject({
      kind: 'lost',
    });
    expect(pool.losses).toMatchObject([{ cause: 'hung' }]);
    await idle;
    expectClose(await answerOf(session), expected);
    await vi.waitUntil(() => tasks() === before + threadsOfLane, patience);

    await pool.close();
    await vi.waitUntil(() => tasks() === before, patience);
  },
);

test('a run that finds no memory is told so, its thread goes with its helpers, and the next one is well', async () => {
  pool = await startTestPool({ engine });
  const { session } = await pool.load(hoardModel());
  const idle = pool.nextIdle();
  const run = (value: number): ReturnType<typeof runRows> =>
    runRows(pool, { session, width: 1, values: [value] });
  // Just below what WebAssembly can address, of which the runtime has some already.
  expect(await run(1_073_000_000)).toMatchObject({ kind: 'failed', code: 'OUT_OF_MEMORY' });
  await idle;
  expect(ranOf(await run(1000)).outputs).toMatchObject([{ shape: [1, 1] }]);
});
