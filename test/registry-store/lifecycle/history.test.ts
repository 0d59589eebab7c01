/** The history: every change is in it once, any state can be told and brought back, and it holds over many segments. */
import { describe, expect, test } from 'vitest';
import {
  type HistoryEvent,
  collectGarbage,
  deployModel,
  diffRevisions,
  moveStage,
  publishModel,
  readHistory,
  readStatus,
  rollbackTo,
  scaleDeployment,
  stateAt,
  undeployModel,
  verifyStore,
} from '../../../registry-store/main.ts';
import { changeStore } from '../../../registry-store/lifecycle/change-store.ts';
import type { NewFile } from '../../../registry-store/lifecycle/store-change.ts';
import { deploymentManifestJson } from '../../../registry-store/manifest/deployment-manifest.ts';
import {
  eventsPerSegmentMax,
  segmentJson,
  segmentPath,
} from '../../../registry-store/manifest/history-segment.ts';
import { deploymentManifestPath } from '../../../registry-store/manifest/names.ts';
import { diffStates } from '../../../registry-store/manifest/store-state.ts';
import { sha256Of } from '../../../registry-store/trust/artifact-digest.ts';
import { canonicalJson } from '../../../registry-store/trust/canonical-json.ts';
import { drop, forge, put } from '../forger.ts';
import { TemporaryStore, demoModel, withIris } from '../temporary-store.ts';

function by(
  store: TemporaryStore,
): TemporaryStore['publisher'] & { readonly nowMs: number; readonly actor: string } {
  return { ...store.publisher, nowMs: Date.now(), actor: 'Grace' };
}

const told = (events: readonly HistoryEvent[]): readonly string[] =>
  events.map(({ revision, action }) => `${revision} ${action}`);

/** Eleven revisions with something of everything. */
async function withMuch(store: TemporaryStore): Promise<void> {
  await store.become(await TemporaryStore.prepared(withIris));
  const iris = { ...by(store), model: 'iris' };
  await moveStage({ ...iris, version: '2.0.0', to: 'production' });
  await store.publish('tulip', '1.0.0');
  await store.deploy('tulip', '1.0.0');
  await scaleDeployment({ ...by(store), model: 'tulip', resources: { replicas: 3 } });
  await undeployModel(iris);
  await moveStage({ ...iris, version: '2.0.0', to: 'archived' });
}

describe('a history', () => {
  test('tells who changed what, when and why, oldest first', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const events = await readHistory(store.reader);
    expect(told(events)).toEqual([
      '1 init',
      '2 publish',
      '3 deploy',
      '4 publish',
      '5 deploy',
      '6 stage',
      '7 publish',
      '8 deploy',
      '9 scale',
      '10 undeploy',
      '11 stage',
    ]);
    expect(events[3]).toMatchObject({
      by: 'test',
      changes: [{ kind: 'stage', model: 'iris', version: '2.0.0', from: null, to: 'staged' }],
    });
    expect(events[4]).toMatchObject({ by: 'test', why: 'a test' });
  });

  test('never goes back in time, though the clock of a publisher does', async () => {
    const store = await TemporaryStore.makeWithIris();
    const iris = { ...by(store), model: 'iris' };
    const aheadMs = Date.now() + 3_600_000;
    await moveStage({ ...iris, nowMs: aheadMs, version: '1.0.0', to: 'production' });
    await moveStage({ ...iris, version: '2.0.0', to: 'production' });
    await store.publish('tulip', '1.0.0');
    const times = (await readHistory({ ...store.reader, nowMs: aheadMs })).map(({ at }) => at);
    expect(times).toEqual([...times].sort());
    expect(times.slice(-3)).toEqual(Array.from({ length: 3 }, () => new Date(aheadMs).toISOString()));
  });

  test('can be asked for a model, a beginning and a number', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const ask = async (options: object): Promise<readonly string[]> =>
      told(await readHistory({ ...store.reader, ...options }));
    expect(await ask({ model: 'tulip' })).toEqual(['7 publish', '8 deploy', '9 scale']);
    expect(await ask({ limit: 2 })).toEqual(['10 undeploy', '11 stage']);
    expect(await ask({ fromRevision: 4, limit: 2 })).toEqual(['4 publish', '5 deploy']);
    expect(await ask({ fromRevision: 10 })).toEqual(['10 undeploy', '11 stage']);
    expect(await ask({ limit: 0 })).toEqual([]);
    expect(await ask({ model: 'rose' })).toEqual([]);
  });

  test('tells the whole state of any revision', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const at = (revision: number): ReturnType<typeof stateAt> => stateAt({ ...store.reader, revision });
    expect((await at(1)).deployments.size).toBe(0);
    expect((await at(4)).deployments.get('iris')?.version).toBe('1.0.0');
    expect((await at(4)).stages.get('iris')).toEqual(
      new Map([
        ['1.0.0', 'staged'],
        ['2.0.0', 'staged'],
      ]),
    );
    expect((await at(9)).deployments.get('tulip')?.resources).toEqual({ replicas: 3 });
    expect((await at(11)).stages.get('iris')?.get('2.0.0')).toBe('archived');
    for (const revision of [0, 12, -1, 1.5, NaN]) {
      await expect(at(revision)).rejects.toMatchObject({ code: 'UNKNOWN_REVISION' });
    }
  });

  test('says what lies between two revisions, in either direction', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const between = (from: number, to: number): ReturnType<typeof diffRevisions> =>
      diffRevisions({ ...store.reader, from, to });
    expect(await between(5, 6)).toEqual([
      { kind: 'stage', model: 'iris', version: '2.0.0', from: 'staged', to: 'production' },
    ]);
    expect(await between(6, 5)).toEqual([
      { kind: 'stage', model: 'iris', version: '2.0.0', from: 'production', to: 'staged' },
    ]);
    expect(await between(10, 9)).toMatchObject([{ kind: 'deployment', model: 'iris', before: null }]);
    expect(await between(7, 7)).toEqual([]);
    await expect(between(7, 70)).rejects.toMatchObject({ code: 'UNKNOWN_REVISION' });
  });
});

describe('bringing back', () => {
  test('every revision, one after the other, gives that state each time and loses nothing', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    for (const revision of [9, 5, 3, 11, 8]) {
      const { snapshot, changed } = await rollbackTo({ ...by(store), revision, why: 'as it was' });
      const [then, now] = [
        await stateAt({ ...store.reader, revision }),
        await stateAt({ ...store.reader, revision: snapshot.revision }),
      ];
      expect(changed).toBe(true);
      expect(now.deployments).toEqual(then.deployments);
      // Versions that came later stay what they are.
      const differences = diffStates(then, now).filter(
        (change) => change.kind === 'stage' && change.from !== null,
      );
      expect(differences).toEqual([]);
    }
    expect((await verifyStore(store.reader)).revision).toBe(16);
  });

  test('of one model leaves the others as they are', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const { changes, snapshot } = await rollbackTo({ ...by(store), revision: 6, model: 'iris' });
    expect(snapshot.deployments.get('iris')?.version).toBe('2.0.0');
    expect(snapshot.deployments.get('tulip')?.resources).toEqual({ replicas: 3 });
    expect(changes.map(({ kind }) => kind)).toEqual(['stage', 'deployment']);
  });

  test('what is there already signs nothing', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const { changed, revision } = await rollbackTo({ ...by(store), revision: 11 });
    expect({ changed, revision }).toEqual({ changed: false, revision: 11 });
  });

  test('is refused for a revision there is not, a model there is not, and a version that is gone', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const back = (revision: number, model?: string): Promise<unknown> =>
      rollbackTo({ ...by(store), revision, ...(model !== undefined && { model }) });
    await expect(back(12)).rejects.toMatchObject({ code: 'UNKNOWN_REVISION' });
    await expect(back(3, 'rose')).rejects.toMatchObject({ code: 'UNKNOWN_MODEL' });
    // The holder of the models key takes a version out for good; the manifest does not name it any more.
    await moveStage({ ...by(store), model: 'iris', version: '2.0.0', to: 'staged' });
    await forge(store, { role: 'models-iris', edit: drop(['targets', 'models/iris/2.0.0/model.onnx']) });
    await expect(back(5)).rejects.toMatchObject({ code: 'UNKNOWN_VERSION' });
    await back(3);
  });
});

/** As if iris had gone back and forth between its versions for long: so many recorded events, most of them by one change. */
async function prolong(store: TemporaryStore, count: number): Promise<void> {
  for (const version of ['1.0.0', '2.0.0']) await deployModel({ ...by(store), model: 'iris', version });
  // Publishes are not recorded in it, but with the versions.
  const recorded = (await readHistory(store.reader)).filter(({ action }) => action !== 'publish');
  const [forth, back] = recorded.slice(-2);
  if (forth === undefined || back === undefined) throw new Error('nothing was recorded');
  const added = Array.from({ length: count - recorded.length }, (_, index) => {
    return { ...(index % 2 === 0 ? forth : back), revision: back.revision + 1 + index };
  });
  expect(added.length % 2).toBe(0);
  const events = [...recorded, ...added];
  const put: NewFile[] = [];
  for (let at = 0; at < events.length; at += eventsPerSegmentMax) {
    const number = at / eventsPerSegmentMax + 1;
    const segment = { number, events: events.slice(at, at + eventsPerSegmentMax) };
    put.push(fileOf(segmentPath(number), segmentJson(segment)));
  }
  const history = { events: events.length, segments: put.length };
  const revision = back.revision + added.length;
  await changeStore({ ...store.publisher, nowMs: Date.now() }, ({ snapshot: { manifest } }) => {
    const manifestJson = deploymentManifestJson({ ...manifest, revision, history });
    return { put: [...put, fileOf(deploymentManifestPath, manifestJson)] };
  });
}

function fileOf(path: string, json: unknown): NewFile {
  const bytes = canonicalJson(json);
  if (bytes === undefined) throw new Error(`${path} has no canonical form`);
  return { target: { path, sizeBytes: bytes.byteLength, sha256: sha256Of(bytes), custom: undefined }, bytes };
}

test('over two hundred changes and three segments nothing is lost, and closed segments stay', async () => {
  const store = await TemporaryStore.makeWithIris();
  const segments = async (): Promise<readonly string[]> =>
    (await store.files()).filter((file) => /[0-9a-f]{64}\.00000[123]\.json$/.test(file));
  const deployUntil = async (last: number): Promise<void> => {
    for (let { revision } = (await readStatus(store.reader)).snapshot; revision < last; revision++) {
      const version = revision % 2 === 0 ? '2.0.0' : '1.0.0';
      await deployModel({ ...by(store), model: 'iris', version });
    }
  };
  await prolong(store, 97);
  await deployUntil(105);
  await prolong(store, 197);
  await deployUntil(210);
  const closed = (await segments()).filter((file) => /00000[12]\.json$/.test(file));
  await deployUntil(215);
  const report = await verifyStore(store.reader);
  expect(report).toMatchObject({ revision: 215, events: 215 });
  const events = await readHistory(store.reader);
  expect(events.map(({ revision }) => revision)).toEqual(
    Array.from({ length: 215 }, (_, index) => index + 1),
  );
  await collectGarbage({ ...store.publisher, nowMs: Date.now(), keepSuperseded: 0 });
  const kept = await segments();
  expect(kept).toHaveLength(3);
  expect(kept).toEqual(expect.arrayContaining([...closed]));
  expect((await stateAt({ ...store.reader, revision: 104 })).deployments.get('iris')?.version).toBe('1.0.0');
  const { changes } = await rollbackTo({ ...by(store), revision: 104 });
  expect(changes).toHaveLength(1);
});

describe('a history that does not add up is found by verify:', () => {
  test('a revision that nobody made', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    await forge(store, {
      role: 'models-tulip',
      edit: put(['targets', 'models/tulip/1.0.0/model.onnx', 'custom', 'published', 'revision'], 99),
    });
    await expect(verifyStore(store.reader)).rejects.toThrow(/has no revision 7/);
  });

  test('a revision made twice', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    await forge(store, {
      role: 'models-tulip',
      edit: put(['targets', 'models/tulip/1.0.0/model.onnx', 'custom', 'published', 'revision'], 6),
    });
    await expect(verifyStore(store.reader)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
  });

  test('a version whose stage its publisher changed behind the back of the history', async () => {
    const store = await TemporaryStore.makeAs(withMuch);
    const artifact = await demoModel('1.0.0');
    const about = {
      model: 'rose',
      version: '1',
      artifact,
      framework: 'test',
      author: 'test',
      stage: 'training',
    } as const;
    await publishModel({ ...by(store), ...about });
    await moveStage({ ...by(store), model: 'rose', version: '1', to: 'archived' });
    await forge(store, { role: 'deployments', edit: (content) => content });
    await verifyStore(store.reader);
    await forge(store, { role: 'models-rose', edit: drop(['targets', 'models/rose/1/model.onnx']) });
    await expect(verifyStore(store.reader)).rejects.toMatchObject({ check: 'deployment-manifest' });
  });
});
