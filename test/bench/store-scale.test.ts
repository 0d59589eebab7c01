/** The scale bench at a small size: what it counts must be right; what it times is for the real one. */
import { expect, test } from 'vitest';
import { measureStoreScale } from '../../bench/store-scale.ts';

test('a store with forty models opens, and a change touches one of them', { timeout: 120_000 }, async () => {
  const scale = await measureStoreScale({
    models: 40,
    revisions: 200,
    rounds: 2,
    progress: () => undefined,
  });
  // Two changes in each of two rounds, a publish and a deploy.
  expect(scale).toMatchObject({ versions: 159, revision: 204, changedModels: [1, 1, 1, 1] });
  expect(Math.max(...scale.reloadMs)).toBeLessThan(20_000);
  expect(scale.openMs).toBeLessThan(60_000);
});
