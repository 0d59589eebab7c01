/** A pool that is started before there is a gateway: it says what it has to say later, and starts on the event loop later. */
import { afterEach, expect, test, vi } from 'vitest';
import type { ModelToLoad } from '../../../runtime/pool/held-sessions.ts';
import type { PoolEvents } from '../../../runtime/pool/pool-options.ts';
import { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import { demoModel, signatureOf } from './pool-under-test.ts';

const workerFile = new URL('../../../dist/runtime/worker/main.js', import.meta.url);
const iris = demoModel('iris-1.0.0');

let pool: WorkerPool;
afterEach(() => pool.close());

function start(inlineLater: boolean): WorkerPool {
  const sizes = { threads: 1, arenaBytes: 2 ** 20, resultBytes: 2 ** 16 };
  return WorkerPool.start({ workerFile, ...sizes, inlineRunUsMax: 1_000_000, inlineLater });
}

function load(more: Partial<ModelToLoad> = {}): ReturnType<WorkerPool['load']> {
  const readModel = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(iris));
  return pool.load({ signature: signatureOf(iris), warmRows: [], readModel, ...more });
}

test('who listens later is told of the lanes that are idle by then', async () => {
  pool = start(true);
  await vi.waitFor(
    () => {
      expect(pool.lanes[0]?.state).toBe('idle');
    },
    { timeout: 20_000 },
  );
  const onIdle = vi.fn<PoolEvents['onIdle']>();
  pool.listen({ onIdle, onLost: () => undefined, onInlineLost: () => undefined });
  expect(onIdle).toHaveBeenCalledExactlyOnceWith(pool.lanes[0]);
});

test('models wait for the event loop until it is started, and one that went meanwhile is not put there', async () => {
  pool = start(true);
  const [stays, goes] = [await load(), await load()];
  if (stays.kind !== 'loaded' || goes.kind !== 'loaded') throw new Error('not loaded');
  expect(stays.inline).toBe(true);
  expect(pool.inlineLane.holds(stays.session)).toBe(false);

  await pool.unload(goes.session);
  await pool.startInline();
  expect(pool.inlineLane.holds(stays.session)).toBe(true);
  expect(pool.inlineLane.holds(goes.session)).toBe(false);

  const late = await load({ hasSteadyCost: (file) => file.byteLength === iris.byteLength });
  expect(late.kind === 'loaded' && pool.inlineLane.holds(late.session)).toBe(true);

  // Cheap as measured, but other values may cost anything.
  const unsteady = await load({ hasSteadyCost: () => false });
  expect(unsteady).toMatchObject({ kind: 'loaded', inline: false });
});
