/** The native engine behind the pool, with a library that stands in for the real one. `npm run test:native` has the real one. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelSignature, TensorSpec } from '../../../runtime/tensor/signature.ts';
import { openNativeEngine } from '../../../runtime/worker/native-engine.ts';
import { outputBytes, type PoolUnderTest, ranOf, runRows, startTestPool } from '../pool/pool-under-test.ts';

const moduleUrl = new URL('fake-native.mjs', import.meta.url).href;
const shape = [-1, 2];
const spec = (name: string): TensorSpec => ({ name, datatype: 'FP32', shape });
const signature: ModelSignature = { inputs: [spec('x')], outputs: [spec('y')], batching: 'rows' };
const anything = new Uint8Array([1, 2, 3]);

describe('a pool with the native engine', () => {
  let under: PoolUnderTest;

  beforeAll(async () => {
    // Everything is cheap enough for the event loop as well.
    under = await startTestPool({
      engine: { name: 'native', moduleUrl, intraOpThreads: 1 },
      inlineRunUsMax: 1_000_000,
    });
  });

  afterAll(() => under.close());

  const doubled = [...new Uint8Array(Float32Array.of(2, 4, 6, 8).buffer)];

  test('loads models and runs them on its threads, out of and into shared memory', async () => {
    const { session, batching } = await under.load(anything, { signature, warmRows: [4] });
    expect(batching).toBe('rows');
    const ran = ranOf(await runRows(under, { session, width: 2, values: [1, 2, 3, 4] }));
    expect(outputBytes(under.pool, ran.outputs[0], doubled.length)).toEqual(doubled);
  });

  test('runs cheap models on the event loop too', async () => {
    const { session, inline } = await under.load(anything, { signature, warmRows: [4] });
    expect(inline).toBe(true);
    const { pages, arena, inlineLane } = under.pool;
    const byteOffset = pages.allocate(16) ?? -1;
    new Float32Array(arena, byteOffset, 4).set([1, 2, 3, 4]);
    const inputs = [{ shape: [2, 2], pieces: [{ byteOffset, elements: 4 }] }];
    const ran = ranOf(await inlineLane.run({ session, inputs, outputs: undefined }));
    expect(outputBytes(under.pool, ran.outputs[0], doubled.length)).toEqual(doubled);
  });

  test('does not say how much memory a thread takes, and takes that of the file for that of a session', async () => {
    const { memoryBytes } = await under.load(anything, { signature });
    expect(memoryBytes).toBe(anything.byteLength);
    expect(under.lane().heapBytes).toBe(0);
  });

  test('keeps its thread when a run finds no memory, because the process has not lost any', async () => {
    const { session } = await under.load(anything, { signature });
    const reply = await runRows(under, { session, width: 2, values: [-1, 0] });
    expect(reply).toMatchObject({ kind: 'failed', code: 'RUN_FAILED', detail: 'std::bad_alloc' });
    expect(under.losses).toEqual([]);
  });

  test('refuses a file that the library refuses, with its reason', async () => {
    await expect(under.load(new Uint8Array([0]), { signature })).rejects.toThrow(/MODEL_INVALID.*protobuf/);
  });

  test('holds the file against the signature', async () => {
    const other = { ...signature, outputs: [spec('z')] };
    await expect(under.load(anything, { signature: other })).rejects.toThrow(/SIGNATURE_MISMATCH/);
  });
});

test('a run that takes too long is lost at once, and its thread ends only when the native code has returned', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-native-'));
  const word = join(folder, 'word');
  const url = `${moduleUrl}?word=${encodeURIComponent(word)}`;
  const pool = await startTestPool({
    engine: { name: 'native', moduleUrl: url, intraOpThreads: 1 },
    runMsMax: 50,
  });
  const { session } = await pool.load(anything, { signature });
  const ended = once(pool.threads[0]!, 'exit');
  const idle = pool.nextIdle();
  const reply = await runRows(pool, { session, width: 2, values: [-2, 0] });
  expect(reply).toMatchObject({ kind: 'lost', detail: expect.stringMatching(/did not answer/) as string });
  expect(existsSync(word)).toBe(false);
  // Another thread has taken over before the first one is gone.
  await idle;
  expect(ranOf(await runRows(pool, { session, width: 2, values: [1, 2] })).outputs).toHaveLength(1);
  await ended;
  expect(existsSync(word)).toBe(true);
  await pool.close();
  rmSync(folder, { recursive: true });
});

test('a module that is something else is not taken for the library', async () => {
  const nothing = `data:text/javascript,${encodeURIComponent('export default {};')}`;
  await expect(openNativeEngine(nothing, 1)).rejects.toThrow('it is no onnxruntime');
});
