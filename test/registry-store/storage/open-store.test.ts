/** A node's view of the store: what it sees on opening, and how a change by a publisher reaches it. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StoreEvent } from '../../../registry-store/main.ts';
import { forge } from '../forger.ts';
import { TemporaryStore, demoModel, nextEvent } from '../temporary-store.ts';

/** So long that only a notice of the system can be what a test sees. */
const noPollMs = 3600_000;

describe('opening a store', () => {
  test('gives every model with its metadata, and what is live', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { current } = await store.open();
    expect(current.revision).toBe(5);
    expect([...(current.models.get('iris')?.keys() ?? [])]).toEqual(['1.0.0', '2.0.0']);
    expect(current.models.get('iris')?.get('1.0.0')).toMatchObject({
      name: 'iris',
      version: '1.0.0',
      framework: 'test',
      stage: 'staged',
      signature: { inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 4] }], batching: 'rows' },
    });
    expect(current.deployments.get('iris')).toMatchObject({
      version: '2.0.0',
      previousVersion: '1.0.0',
      strategy: 'all',
    });
    expect(current.manifest.changed).toMatchObject({ by: 'test', why: 'a test' });
  });

  test('an empty store opens too', async () => {
    const store = await TemporaryStore.make();
    await store.init();
    const { current } = await store.open();
    expect(current.models.size + current.deployments.size).toBe(0);
  });

  test('a folder without a store is not a store that fails to verify', async () => {
    const store = await TemporaryStore.make();
    await store.init();
    await rm(store.folder, { recursive: true });
    await expect(store.open()).rejects.toMatchObject({ code: 'STORE_MISSING', check: undefined });
    await mkdir(store.folder);
    await expect(store.open()).rejects.toMatchObject({ code: 'STORE_MISSING' });
  });

  test('a state folder that cannot be written refuses the start', async () => {
    const store = await TemporaryStore.makeWithIris();
    await writeFile(store.stateFolder, 'a file where the folder should be');
    await expect(store.open()).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });

  test('remembers one state, whole', async () => {
    const store = await TemporaryStore.makeWithIris();
    for (const version of ['1.0.0', '2.0.0']) {
      await store.deploy('iris', version);
      await (await store.open()).close();
    }
    expect((await readdir(store.stateFolder)).sort()).toEqual(['kept', 'memory-copy.json', 'memory.json']);
    // The metadata in force and the manifest, and nothing of the states before.
    expect(await readdir(join(store.stateFolder, 'kept'))).toHaveLength(8);
  });
});

describe('reading a model', () => {
  test('gives exactly the bytes that were published', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open();
    for (const version of ['1.0.0', '2.0.0'] as const) {
      const metadata = opened.current.models.get('iris')!.get(version)!;
      expect(Buffer.from(await opened.readArtifact(metadata))).toEqual(Buffer.from(await demoModel(version)));
    }
  });

  test('refuses bytes that changed after the store was opened', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open();
    const metadata = opened.current.models.get('iris')!.get('1.0.0')!;
    const file = (await store.files()).find((path) => path.includes(metadata.artifact.sha256))!;
    const bytes = await readFile(store.path(file));
    const cases = [
      { bytes: Buffer.from(bytes).fill(1, 9, 10), check: 'artifact-digest' },
      { bytes: bytes.subarray(1), check: 'artifact-digest' },
      { bytes: Buffer.concat([bytes, bytes]), check: 'file-size' },
    ];
    for (const wrong of cases) {
      await writeFile(store.path(file), wrong.bytes);
      await expect(opened.readArtifact(metadata)).rejects.toMatchObject({ check: wrong.check });
    }
    await rm(store.path(file));
    await expect(opened.readArtifact(metadata)).rejects.toMatchObject({ check: 'file-present' });
  });

  test('is over when the store is closed', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open();
    const metadata = opened.current.models.get('iris')!.get('1.0.0')!;
    await opened.close();
    await expect(opened.readArtifact(metadata)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

describe('a change while the store is open', () => {
  test('is seen at once, by notice alone', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open({ pollMs: noPollMs });
    const seen = nextEvent(opened, 'snapshot');
    await store.deploy('iris', '1.0.0');
    const { snapshot } = await seen;
    expect(snapshot).toBe(opened.current);
    expect(snapshot.deployments.get('iris')).toMatchObject({ version: '1.0.0', previousVersion: '2.0.0' });
  });

  test('made by another process is seen too', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open({ pollMs: noPollMs });
    const seen = nextEvent(opened, 'snapshot');
    await new Promise((resolve) => {
      const script = `
        import { deployModel } from ${JSON.stringify(new URL('../../../dist/registry-store/main.js', import.meta.url).href)};
        const [folder, ...keysFolders] = process.argv.slice(1);
        await deployModel({ folder, keysFolders, nowMs: Date.now(), model: 'iris', version: '1.0.0', actor: 'other' });`;
      execFile(
        process.execPath,
        ['--input-type=module', '-e', script, store.folder, store.keysFolder],
        resolve,
      );
    });
    expect((await seen).snapshot.manifest.changed.by).toBe('other');
  });

  test('is seen by looking now and then where there are no notices', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open({ pollMs: 20 });
    // Another folder in its place: the watch on the old one stays silent.
    await cp(store.folder, join(store.base, 'next'), { recursive: true });
    const next = Object.defineProperty(new TemporaryStore(store.base), 'folder', {
      value: join(store.base, 'next'),
    });
    await next.deploy('iris', '1.0.0');
    const seen = nextEvent(opened, 'snapshot');
    await rename(store.folder, join(store.base, 'old'));
    await rename(join(store.base, 'next'), store.folder);
    expect((await seen).snapshot.revision).toBe(6);
    const again = nextEvent(opened, 'snapshot');
    await store.deploy('iris', '2.0.0');
    expect((await again).snapshot.revision).toBe(7);
  });

  test('that does not verify is reported once, keeps what was, and is forgotten when it is put right', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open({ pollMs: 5 });
    const events: StoreEvent[] = [];
    opened.subscribe((event) => events.push(event));
    const good = await readFile(store.path('metadata/timestamp.json'));
    const refused = nextEvent(opened, 'refused');
    await store.write('metadata/timestamp.json', good.subarray(0, -1));
    expect((await refused).error.check).toBe('signature');
    expect(opened.current.deployments.get('iris')?.version).toBe('2.0.0');
    await store.write('metadata/timestamp.json', good);
    const seen = nextEvent(opened, 'snapshot');
    await store.deploy('iris', '1.0.0');
    await seen;
    const told = events.map(({ kind }) => kind);
    expect(told.filter((kind) => kind !== 'condition')).toEqual(['refused', 'snapshot']);
  });

  test('copied in the wrong order is refused until its last file is there', async () => {
    const store = await TemporaryStore.makeWithIris();
    const source = await store.copy();
    await source.publish('iris', '3.0.0');
    await source.deploy('iris', '3.0.0');
    const opened = await store.open({ pollMs: 5 });
    const before = new Set(await store.files());
    const isNew = (file: string): boolean => file === 'metadata/timestamp.json' || !before.has(file);
    const files = (await source.files()).filter(isNew);
    files.sort((left, right) => Number(right.includes('timestamp')) - Number(left.includes('timestamp')));
    const refused = nextEvent(opened, 'refused');
    const seen = nextEvent(opened, 'snapshot');
    for (const [index, file] of files.entries()) {
      await store.write(file, await readFile(source.path(file)));
      if (index === 0) expect((await refused).error.check).toBe('file-present');
    }
    expect((await seen).snapshot.deployments.get('iris')?.version).toBe('3.0.0');
  });

  test('whose model is damaged does not go live', async () => {
    const store = await TemporaryStore.makeWithIris();
    const other = await store.copy();
    await other.publish('iris', '3.0.0');
    const opened = await store.open({ pollMs: noPollMs });
    const before = new Set(await store.files());
    const files = (await other.files()).filter((file) => !before.has(file));
    for (const file of files) {
      const bytes = await readFile(other.path(file));
      if (file.endsWith('.onnx')) bytes[7] = 255 - (bytes[7] ?? 0);
      await store.write(file, bytes);
    }
    const refused = nextEvent(opened, 'refused');
    await store.write('metadata/timestamp.json', await readFile(other.path('metadata/timestamp.json')));
    expect((await refused).error.check).toBe('artifact-digest');
    expect(opened.current.revision).toBe(5);
  });

  test('in quick succession ends at the last one, and every listener sees the same', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open();
    const revisions: [number[], number[]] = [[], []];
    for (const list of revisions) {
      opened.subscribe((event) => {
        if (event.kind === 'snapshot') list.push(event.snapshot.revision);
      });
    }
    const last = new Promise<void>((resolve) => {
      opened.subscribe(() => {
        if (opened.current.revision === 11) resolve();
      });
    });
    for (let round = 0; round < 3; round++) {
      await store.deploy('iris', '1.0.0');
      await store.deploy('iris', '2.0.0');
    }
    await last;
    expect(revisions[0]).toEqual(revisions[1]);
    expect(revisions[0]).toEqual([...revisions[0]].sort((left, right) => left - right));
    expect(revisions[0].at(-1)).toBe(11);
  });

  test('is not heard of after unsubscribing or closing', async () => {
    const store = await TemporaryStore.makeWithIris();
    const [opened, witness] = [
      await store.open(),
      await store.open({ stateFolder: join(store.base, 'other') }),
    ];
    let heard = 0;
    const unsubscribe = opened.subscribe(() => heard++);
    unsubscribe();
    opened.subscribe(() => heard++);
    await opened.close();
    const seen = nextEvent(witness, 'snapshot');
    await store.deploy('iris', '1.0.0');
    await seen;
    expect(heard).toBe(0);
  });
});

describe('a publisher at work', () => {
  test('does not disturb a reader that opens at the same time, however often', async () => {
    const store = await TemporaryStore.makeWithIris();
    const working = { done: false };
    const publishing = (async () => {
      for (let round = 0; round < 5; round++) await store.deploy('iris', round % 2 === 0 ? '1.0.0' : '2.0.0');
      working.done = true;
    })();
    let opened = 0;
    while (!working.done) {
      const reader = await store.open({ stateFolder: join(store.base, `state-${opened}`) });
      await reader.close();
      opened++;
    }
    await publishing;
    expect(opened).toBeGreaterThan(0);
  });

  test('that was interrupted before the timestamp leaves a store that opens in its old state', async () => {
    const store = await TemporaryStore.makeWithIris();
    const old = await readFile(store.path('metadata/timestamp.json'));
    await store.publish('iris', '3.0.0');
    const full = await store.files();
    // Every point at which the power could go: the files in the order in which they are written.
    const order = [
      'metadata/3.models-iris.json',
      full.find((file) => file.includes('3.0.0'))!,
      'metadata/6.snapshot.json',
    ];
    for (let written = 0; written <= order.length; written++) {
      const copy = await store.copy();
      await writeFile(copy.path('metadata/timestamp.json'), old);
      for (const file of order.slice(written)) await rm(copy.path(file));
      await rm(join(copy.keysFolder, 'state'), { recursive: true });
      const opened = await copy.open();
      expect(opened.current.revision).toBe(5);
      await opened.close();
      // The next publish tidies up and goes on.
      await copy.publish('iris', '3.0.1');
      await copy.deploy('iris', '3.0.1');
      expect((await copy.open()).current.models.get('iris')?.has('3.0.0')).toBe(false);
    }
  });

  test('that changes nothing but a version number is one event', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open({ pollMs: 5, reverifyMs: 0 });
    const events: StoreEvent[] = [];
    opened.subscribe((event) => events.push(event));
    const seen = nextEvent(opened, 'snapshot');
    await forge(store, { role: 'models-iris' });
    await seen;
    expect(events).toHaveLength(1);
  });
});
