/**
 * A run that needs more than WebAssembly memory can grow to, in the real runtime: it is told so, its thread goes, and the next
 * run meets a fresh one. Nothing of the size is touched: the memory is asked for at once and cannot be had.
 */
import { afterEach, expect, test } from 'vitest';
import { type PoolUnderTest, ranOf, runRows, startTestPool } from './pool-under-test.ts';
import { hoardModel } from './row-models.ts';

/** Of FP32, just below the 4 GiB that WebAssembly can address, of which the runtime has some already. */
const tooMany = 1_073_000_000;

let pool: PoolUnderTest;
afterEach(() => pool.close());

test('costs the thread and nobody else', async () => {
  pool = await startTestPool({ threads: 1 });
  const { session } = await pool.load(hoardModel());
  const run = (value: number): ReturnType<typeof runRows> =>
    runRows(pool, { session, width: 1, values: [value] });
  expect(ranOf(await run(1000)).outputs).toMatchObject([{ shape: [1, 1] }]);

  const idleAgain = pool.nextIdle();
  expect(await run(tooMany)).toMatchObject({ kind: 'failed', code: 'OUT_OF_MEMORY' });
  expect(pool.losses).toMatchObject([{ cause: 'out_of_memory', session }]);
  await idleAgain;
  expect(pool.threads).toHaveLength(2);
  expect(ranOf(await run(1000)).outputs).toMatchObject([{ shape: [1, 1] }]);
});
