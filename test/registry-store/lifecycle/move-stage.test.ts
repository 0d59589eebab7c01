/** A version on its way: every move there is tried in a real store, and what takes traffic stays fit to take it. */
import { describe, expect, test } from 'vitest';
import {
  type Stage,
  type StageResult,
  deployModel,
  moveStage,
  publishModel,
  readHistory,
  undeployModel,
  verifyStore,
} from '../../../registry-store/main.ts';
import { mayMove, stages } from '../../../registry-store/manifest/stage.ts';
import { keyFile } from '../../../registry-store/lifecycle/key-file.ts';
import { rm } from 'node:fs/promises';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

async function move(
  store: TemporaryStore,
  to: Stage,
  options: { readonly version?: string; readonly model?: string } = {},
): Promise<StageResult> {
  const { version = '1.0.0', model = 'iris' } = options;
  return moveStage({
    ...store.publisher,
    nowMs: Date.now(),
    model,
    version,
    to,
    actor: 'Grace',
    why: 'ripe',
  });
}

/** How a version published as `staged` gets to a stage by legal moves. */
const wayTo: Readonly<Record<Stage, readonly Stage[]>> = {
  staged: [],
  training: ['training'],
  production: ['production'],
  archived: ['archived'],
};

describe.each(stages)('a version in %s', (from) => {
  test.each(stages)('asked to go to %s', async (to) => {
    const store = await TemporaryStore.makeWithIris();
    for (const step of wayTo[from]) await move(store, step);
    const before = (await readHistory(store.reader)).length;
    const outcome = await move(store, to).catch((error: unknown) => error);
    const after = (await store.open()).current.models.get('iris')?.get('1.0.0')?.stage;
    if (from === to) {
      expect(outcome).toMatchObject({ changed: false, from, to });
      expect(await readHistory(store.reader)).toHaveLength(before);
    } else if (mayMove(from, to)) {
      expect(outcome).toMatchObject({ changed: true, from, to });
      expect(after).toBe(to);
      const event = (await readHistory(store.reader)).at(-1);
      expect(event).toMatchObject({ action: 'stage', by: 'Grace', why: 'ripe' });
      expect(event?.changes).toEqual([{ kind: 'stage', model: 'iris', version: '1.0.0', from, to }]);
    } else {
      expect(outcome).toMatchObject({ code: 'ILLEGAL_MOVE' });
      expect(after).toBe(from);
    }
  });
});

describe('a version that takes traffic', () => {
  test.each(['archived', 'training'] as const)('does not go to %s while it is live', async (to) => {
    const store = await TemporaryStore.makeWithIris();
    await expect(move(store, to, { version: '2.0.0' })).rejects.toMatchObject({ code: 'VERSION_IN_USE' });
    await undeployModel({ ...store.publisher, nowMs: Date.now(), model: 'iris', actor: 'test' });
    expect(await move(store, to, { version: '2.0.0' })).toMatchObject({ changed: true });
  });

  test('does not while it is a candidate', async () => {
    const store = await TemporaryStore.makeWithIris();
    const canary = { model: 'iris', version: '1.0.0', strategy: 'canary', trafficBps: 500 } as const;
    await deployModel({ ...store.publisher, nowMs: Date.now(), ...canary, actor: 'test' });
    await expect(move(store, 'archived')).rejects.toMatchObject({ code: 'VERSION_IN_USE' });
    expect(await move(store, 'production')).toMatchObject({ changed: true });
  });
});

describe('a version that may not be deployed', () => {
  test.each(['archived', 'training'] as const)('because it is %s', async (to) => {
    const store = await TemporaryStore.makeWithIris();
    await move(store, to);
    await expect(store.deploy('iris', '1.0.0')).rejects.toMatchObject({ code: 'NOT_DEPLOYABLE' });
    await move(store, 'staged');
    await store.deploy('iris', '1.0.0');
  });

  test('because it was published for training', async () => {
    const store = await TemporaryStore.makeWithIris();
    const about = { framework: 'test', author: 'test', actor: 'test', stage: 'training' } as const;
    const artifact = await demoModel('1.0.0');
    const version = { model: 'iris', version: '3.0.0', artifact };
    await publishModel({ ...store.publisher, nowMs: Date.now(), ...version, ...about });
    await expect(store.deploy('iris', '3.0.0')).rejects.toMatchObject({ code: 'NOT_DEPLOYABLE' });
    await move(store, 'staged', { version: '3.0.0' });
    await store.deploy('iris', '3.0.0');
    await verifyStore(store.reader);
  });
});

test('a version that went there and back leaves no trace in the manifest, only in the history', async () => {
  const store = await TemporaryStore.makeWithIris();
  await move(store, 'archived');
  const { snapshot } = await move(store, 'staged');
  expect(snapshot.manifest.stages.size).toBe(0);
  expect(await readHistory({ ...store.reader, limit: 2 })).toHaveLength(2);
});

test('a publisher of models cannot move anything, and the store names what there is', async () => {
  const store = await TemporaryStore.makeWithIris();
  await expect(move(store, 'staged', { version: '9' })).rejects.toMatchObject({ code: 'UNKNOWN_VERSION' });
  await expect(move(store, 'staged', { model: 'rose' })).rejects.toMatchObject({ code: 'UNKNOWN_MODEL' });
  await rm(keyFile(store.keysFolder, 'deployments'));
  await expect(move(store, 'archived')).rejects.toMatchObject({ code: 'KEY_MISSING' });
});
