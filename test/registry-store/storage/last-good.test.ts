/**
 * Starting without the source, or with one that shows something wrong: from the last good state if all of it is here,
 * saying why, and not at all otherwise.
 */
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TemporaryStore, nextEvent } from '../temporary-store.ts';
import {
  expectLastGood,
  freshState,
  nextState,
  nodeOver,
  nodeOverHttp,
  openingError,
  ways,
} from './node-under-test.ts';
import { answerWith, onPath } from './puppet-server.ts';

const yearMs = 365 * 24 * 3600_000;

describe.each(ways)('over %s', (way) => {
  test('a source that shows something wrong at start: the last good state serves, and says why', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOver(way, store);
    await (await open()).close();
    const timestamp = await readFile(store.path('metadata/timestamp.json'));
    await store.write('metadata/timestamp.json', Buffer.from('damaged'));
    const opened = await open();
    await expectLastGood(opened);
    expect(opened.condition).toMatchObject({
      fresh: false,
      lastError: { code: 'STORE_REFUSED', check: 'canonical-bytes' },
    });
    const well = nextEvent(opened, 'condition');
    await store.write('metadata/timestamp.json', timestamp);
    expect((await well).condition.fresh).toBe(true);
  });

  test('a state that expired while the node was off serves on, and nothing expired is taken in', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOver(way, store);
    await (await open()).close();
    const opened = await open({ nowMs: () => Date.now() + 20 * yearMs });
    await expectLastGood(opened);
    expect(opened.condition).toMatchObject({ fresh: false, lastError: { check: 'expiry' } });
    const refused = nextEvent(opened, 'refused');
    // A new state, but one whose time is over by this node's clock.
    await store.deploy('iris', '1.0.0');
    await Promise.race([refused, new Promise((resolve) => setTimeout(resolve, 500))]);
    await expectLastGood(opened);
  });

  test('a node that never saw the store does not start on an expired one', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOver(way, store);
    const opening = open({ stateFolder: freshState(store), nowMs: () => Date.now() + 20 * yearMs });
    expect(await openingError(opening)).toMatchObject({ check: 'expiry' });
  });
});

describe('without the server', () => {
  test('a node that was here before starts from its own disk, and follows when the server is back', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    await (await open()).close();
    const { port } = server;
    await server.stop();
    const opened = await open();
    await expectLastGood(opened);
    expect(opened.condition).toMatchObject({ fresh: false, lastError: { code: 'SOURCE_UNREACHABLE' } });
    expect(opened.condition.expires.has('timestamp')).toBe(true);
    await store.deploy('iris', '1.0.0');
    const seen = nextEvent(opened, 'snapshot');
    const { PuppetServer } = await import('./puppet-server.ts');
    await PuppetServer.start(store.folder, { port });
    expect((await seen).snapshot.deployments.get('iris')?.version).toBe('1.0.0');
    expect(opened.condition.fresh).toBe(true);
  });

  test('a node that was never here does not start', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    await server.stop();
    expect(await openingError(open())).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  test('a node whose model is damaged in the cache does not start, and names both troubles', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    await (await open()).close();
    await server.stop();
    const cache = join(store.stateFolder, 'cache');
    const [first = ''] = await readdir(cache);
    await writeFile(join(cache, first), 'garbled');
    const error = await openingError(open());
    expect(error).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect(String(error)).toContain('not in the cache, or damaged');
  });

  test('a model damaged in the cache is fetched again when it is read', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    const opened = await open();
    const cache = join(store.stateFolder, 'cache');
    for (const name of await readdir(cache)) await writeFile(join(cache, name), 'garbled');
    server.log.length = 0;
    await expectLastGood(opened);
    expect(server.count('.model.onnx')).toBe(1);
  });

  test('a next state whose model cannot be had does not count', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    const opened = await open();
    server.misbehave = onPath('models/iris/3.0.0', answerWith(404));
    const refused = nextEvent(opened, 'refused');
    server.folder = (await nextState()).folder;
    expect((await refused).error.check).toBe('file-present');
    await opened.close();
    // Nor after a restart: it was not remembered either.
    await expectLastGood(await open());
  });
});

test('a folder that is gone takes its models along', async () => {
  const store = await TemporaryStore.makeWithIris();
  const { open } = await nodeOver('folder', store);
  await (await open()).close();
  await rm(store.folder, { recursive: true });
  const error = await openingError(open());
  expect(error).toMatchObject({ code: 'STORE_MISSING' });
  expect(String(error)).toContain('cannot be started from either');
});
