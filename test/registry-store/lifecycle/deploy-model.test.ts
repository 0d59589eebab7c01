/** Deploying: which versions may go live, and what is remembered of the one before. */
import { describe, expect, test } from 'vitest';
import { deployModel } from '../../../registry-store/main.ts';
import { forge, put } from '../forger.ts';
import { TemporaryStore } from '../temporary-store.ts';

describe('a deployment', () => {
  test('names the version before, its bytes, who decided and why', async () => {
    const store = await TemporaryStore.makeWithIris();
    const nowMs = Date.UTC(2026, 10, 2);
    const { snapshot, changed } = await deployModel({
      ...store.publisher,
      nowMs,
      model: 'iris',
      version: '1.0.0',
      actor: 'Grace',
      why: 'the new one is worse',
    });
    const versions = snapshot.models.get('iris');
    expect(changed).toBe(true);
    expect(snapshot.manifest.changed).toMatchObject({ by: 'Grace', why: 'the new one is worse' });
    expect([snapshot.manifest.revision, snapshot.revision]).toEqual([6, 6]);
    expect(snapshot.deployments.get('iris')).toEqual({
      model: 'iris',
      version: '1.0.0',
      sha256: versions?.get('1.0.0')?.artifact.sha256,
      previousVersion: '2.0.0',
      previousSha256: versions?.get('2.0.0')?.artifact.sha256,
      strategy: 'all',
    });
  });

  test('of what is live already signs nothing', async () => {
    const store = await TemporaryStore.makeWithIris();
    const before = await store.files();
    const options = { ...store.publisher, nowMs: Date.now(), model: 'iris', version: '2.0.0', actor: 'test' };
    const { changed, snapshot } = await deployModel(options);
    expect(changed).toBe(false);
    expect(snapshot.revision).toBe(5);
    expect(await store.files()).toEqual(before);
  });

  test('of one model leaves the others as they are', async () => {
    const store = await TemporaryStore.makeWithIris();
    await store.publish('digits', '1.0.0');
    await store.deploy('digits', '1.0.0');
    const { current } = await store.open();
    expect(current.deployments.get('iris')?.version).toBe('2.0.0');
    expect(current.deployments.get('digits')).not.toHaveProperty('previousVersion');
  });
});

describe('refused:', () => {
  test.each([
    ['an unknown model', 'tulip', '1.0.0', 'UNKNOWN_MODEL'],
    ['a name every object has', 'constructor', '1.0.0', 'UNKNOWN_MODEL'],
    ['an unknown version', 'iris', '9.0.0', 'UNKNOWN_VERSION'],
    ['a version every object has', 'iris', '__proto__', 'UNKNOWN_VERSION'],
  ])('%s', async (_, model, version, code) => {
    const store = await TemporaryStore.makeWithIris();
    await expect(store.deploy(model, version)).rejects.toMatchObject({ code });
    expect((await store.open()).current.revision).toBe(5);
  });

  test('a version that is still in training', async () => {
    const store = await TemporaryStore.makeWithIris();
    const stage = ['targets', 'models/iris/1.0.0/model.onnx', 'custom', 'stage'];
    await forge(store, { role: 'models-iris', edit: put(stage, 'training') });
    await expect(store.deploy('iris', '1.0.0')).rejects.toMatchObject({ code: 'NOT_DEPLOYABLE' });
  });

  test('a reason that cannot be signed', async () => {
    const store = await TemporaryStore.makeWithIris();
    const options = { ...store.publisher, nowMs: Date.now(), model: 'iris', version: '1.0.0', actor: 'test' };
    await expect(deployModel({ ...options, why: 'a\nb' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(deployModel({ ...options, actor: 'x'.repeat(201) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
