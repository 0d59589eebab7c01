/**
 * What changes trust or time: roots that follow and roots that do not, old states shown again role by role, versions
 * pushed up by a thief, clocks. Over both sources where the source could make a difference.
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyFile } from '../../../registry-store/lifecycle/key-file.ts';
import { pinOf } from '../../../registry-store/lifecycle/metadata-content.ts';
import type { StoreCheck, VerifiedStore } from '../../../registry-store/main.ts';
import { publicKeyJson } from '../../../registry-store/trust/role-keys.ts';
import { all, copy, forge, forgeRoot, freshSigner, put, signerOf } from '../forger.ts';
import { TemporaryStore, nextEvent } from '../temporary-store.ts';
import { type NodeUnderTest, expectLastGood, nodeOver, openingError, ways } from './node-under-test.ts';

const yearMs = 365 * 24 * 3600_000;

/** Opens the node, does the deed, and expects the refusal by this check with the last good state serving on. */
async function expectRefused(
  node: NodeUnderTest,
  check: StoreCheck,
  deed: () => Promise<void>,
): Promise<void> {
  const opened = await node.open({ reverifyMs: 0 });
  const before = opened.current;
  const refused = nextEvent(opened, 'refused');
  await deed();
  expect((await refused).error.check).toBe(check);
  expect(opened.current).toBe(before);
  await expectLastGood(opened);
  await opened.close();
  const restarted = await node.open();
  expect(restarted.condition).toMatchObject({ fresh: false, lastError: { check } });
  await expectLastGood(restarted);
}

/** Replaces all files by those of another state of the store, as a mirror would. */
async function show(store: TemporaryStore, folder: string): Promise<void> {
  const other = new TemporaryStore(join(folder, '..'));
  Object.defineProperty(other, 'folder', { value: folder });
  const files = await other.files();
  const last = (file: string): number => Number(file.includes('timestamp'));
  for (const file of [...files].sort((left, right) => last(left) - last(right))) {
    await store.write(file, await readFile(join(folder, file)));
  }
}

async function keep(store: TemporaryStore, name: string): Promise<string> {
  const folder = join(store.base, name, 'store');
  await cp(store.folder, folder, { recursive: true });
  return folder;
}

describe.each(ways)('the root of trust over %s', (way) => {
  test('a next root that the old one signed is followed, and the key it retired counts no more', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOver(way, store);
    const opened = await open();
    const oldKey = await readFile(keyFile(store.keysFolder, 'timestamp'));
    const { signer: fresh, file: newKey } = await freshSigner();
    await forgeRoot(store, {
      edit: all(
        put(['keys', fresh.keyId], publicKeyJson(fresh.publicHex)),
        put(['roles', 'timestamp', 'keyids'], [fresh.keyId]),
      ),
      signers: [await signerOf(store, 'root')],
    });
    const refused = nextEvent(opened, 'refused');
    await forge(store, { role: 'models-iris' });
    expect((await refused).error.check).toBe('signature');
    await expectLastGood(opened);

    const accepted = nextEvent(opened, 'snapshot');
    await writeFile(keyFile(store.keysFolder, 'timestamp'), newKey);
    await forge(store, { role: 'models-iris' });
    await accepted;
    await opened.close();
    // The new root is remembered: the node starts offline with the chain of roots from its own disk.
    const restarted = await open();
    expect(restarted.condition.fresh).toBe(true);
    await restarted.close();

    await writeFile(keyFile(store.keysFolder, 'timestamp'), oldKey);
    await forge(store, { role: 'timestamp' });
    const again = await open();
    expect(again.condition.lastError?.check).toBe('signature');
    await expectLastGood(again);
  });

  test('a next root that only its own key signed is refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { signer: thief } = await freshSigner();
    await expectRefused(await nodeOver(way, store), 'root-chain', () =>
      forgeRoot(store, {
        edit: all(
          put(['keys', thief.keyId], publicKeyJson(thief.publicHex)),
          put(['roles', 'root', 'keyids'], [thief.keyId]),
        ),
        signers: [thief],
      }),
    );
  });

  test('one key under two ids does not make two signers', async () => {
    const store = await TemporaryStore.makeWithIris();
    const root = await signerOf(store, 'root');
    const twin = '0'.repeat(64);
    await expectRefused(await nodeOver(way, store), 'metadata-form', () =>
      forgeRoot(store, {
        edit: all(
          copy(['keys', root.keyId], ['keys', twin]),
          put(['roles', 'root'], { keyids: [root.keyId, twin], threshold: 2 }),
        ),
        signers: [root],
      }),
    );
  });

  test('fewer signatures than the threshold asks for are refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { signer: second } = await freshSigner();
    const [root, timestamp] = [await signerOf(store, 'root'), await signerOf(store, 'timestamp')];
    await expectRefused(await nodeOver(way, store), 'signature', () =>
      forgeRoot(store, {
        edit: all(
          put(['keys', second.keyId], publicKeyJson(second.publicHex)),
          put(['roles', 'timestamp'], { keyids: [timestamp.keyId, second.keyId].sort(), threshold: 2 }),
        ),
        signers: [root],
      }),
    );
  });
});

describe('a pinned root', () => {
  test('of a store made by somebody else refuses this one', async () => {
    const [store, other] = [await TemporaryStore.makeWithIris(), await TemporaryStore.make()];
    await other.init();
    expect((await store.refusalOf({ pinnedRootPath: other.pinnedRootPath })).check).toBe('signature');
  });

  test('that is missing, damaged or something else is refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const path = join(store.base, 'pin.json');
    expect((await store.refusalOf({ pinnedRootPath: path })).check).toBe('pinned-root');
    const root = await readFile(store.pinnedRootPath);
    const wrong = [
      await readFile(store.path('metadata/timestamp.json')),
      root.subarray(0, -1),
      Buffer.from('{}'),
    ];
    for (const bytes of wrong) {
      await writeFile(path, bytes);
      expect((await store.refusalOf({ pinnedRootPath: path })).check).toBe('pinned-root');
    }
  });
});

describe.each(ways)('an old state shown again over %s', (way) => {
  test('as a whole is refused, while the node runs and when it starts', async () => {
    const store = await TemporaryStore.makeWithIris();
    const old = await keep(store, 'old');
    await store.deploy('iris', '1.0.0');
    await store.deploy('iris', '2.0.0');
    await expectRefused(await nodeOver(way, store), 'rollback', () => show(store, old));
  });

  test('is refused also when the metadata the node kept is lost', async () => {
    const store = await TemporaryStore.makeWithIris();
    const old = await keep(store, 'old');
    await store.deploy('iris', '1.0.0');
    const { open } = await nodeOver(way, store);
    await (await open()).close();
    await show(store, old);
    await rm(join(store.stateFolder, 'kept'), { recursive: true });
    expect(await openingError(open())).toMatchObject({ check: 'rollback' });
  });

  test('is nothing new to a node that never saw more', async () => {
    const store = await TemporaryStore.makeWithIris();
    const old = await keep(store, 'old');
    await store.deploy('iris', '1.0.0');
    await show(store, old);
    const opened = await (await nodeOver(way, store)).open();
    expect(opened.current.deployments.get('iris')?.version).toBe('2.0.0');
  });

  test.each(['targets', 'models', 'models-iris', 'deployments'])(
    'for %s alone, by a thief of the keys of snapshot and timestamp, is refused',
    async (role) => {
      const store = await TemporaryStore.makeWithIris();
      const [version, bytes] = await newest(store, role);
      await forge(store, { role });
      const edit = put(['meta', `${role}.json`], {
        version,
        length: bytes.byteLength,
        hashes: { sha256: pinOf(version, bytes).sha256 },
      });
      await expectRefused(await nodeOver(way, store), 'rollback', () =>
        forge(store, { role: 'snapshot', edit }),
      );
    },
  );

  test('for the snapshot alone, by a thief of the key of timestamp, is refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const [version, bytes] = await newest(store, 'snapshot');
    await forge(store, { role: 'models-iris' });
    const { sha256 } = pinOf(version, bytes);
    const edit = put(['meta', 'snapshot.json'], { version, length: bytes.byteLength, hashes: { sha256 } });
    await expectRefused(await nodeOver(way, store), 'rollback', () =>
      forge(store, { role: 'timestamp', edit }),
    );
  });

  test('for the timestamp alone is refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const old = await readFile(store.path('metadata/timestamp.json'));
    await forge(store, { role: 'models-iris' });
    await expectRefused(await nodeOver(way, store), 'rollback', () =>
      store.write('metadata/timestamp.json', old),
    );
  });

  test('is refused by a publisher too, which would otherwise sign on top of it', async () => {
    const store = await TemporaryStore.makeWithIris();
    const old = await keep(store, 'old');
    await store.deploy('iris', '1.0.0');
    await show(store, old);
    await expect(store.deploy('iris', '1.0.0')).rejects.toMatchObject({ check: 'rollback' });
  });
});

describe.each(ways)('versions that a thief pushed up over %s', (way) => {
  test('lock nobody out once root has given new keys', async () => {
    const store = await TemporaryStore.makeWithIris();
    const clean = await store.copy();
    const node = await nodeOver(way, store);
    const opened = await node.open();
    const pushed = nextEvent(opened, 'snapshot');
    await forge(store, { role: 'timestamp', edit: put(['version'], 900_000) });
    await pushed;
    // The owner makes new keys, and goes on from the state before the theft.
    const roles = ['timestamp', 'snapshot'] as const;
    const fresh = new Map<string, Awaited<ReturnType<typeof freshSigner>>>();
    for (const role of roles) fresh.set(role, await freshSigner());
    await forgeRoot(clean, {
      edit: all(
        ...[...fresh].map(([role, { signer }]) =>
          all(
            put(['keys', signer.keyId], publicKeyJson(signer.publicHex)),
            put(['roles', role, 'keyids'], [signer.keyId]),
          ),
        ),
      ),
      signers: [await signerOf(clean, 'root')],
    });
    for (const [role, { file }] of fresh) await writeFile(keyFile(clean.keysFolder, role), file);
    await forge(clean, { role: 'models-iris' });
    const recovered = nextEvent(opened, 'snapshot');
    await show(store, clean.folder);
    await recovered;
    await expect.poll(() => opened.condition.fresh).toBe(true);
    await expectLastGood(opened);
  });
});

describe.each(ways)('time over %s', (way) => {
  test('a store whose time is over is refused by a new node, and says which role and when', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOver(way, store);
    const error = await openingError(open({ nowMs: () => Date.now() + 20 * yearMs }));
    expect(error).toMatchObject({ check: 'expiry' });
    expect(String(error)).toMatch(/expired at \d{4}-/);
  });

  test('a clock set back does not make an expired store fresh again', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOver(way, store);
    await (await open({ nowMs: () => Date.now() + 0.4 * yearMs })).close();
    await forge(store, { role: 'timestamp', edit: put(['expires'], inYears(0.2)) });
    expect((await open()).condition.lastError?.check).toBe('expiry');
  });

  test('a running node notices that the time is over, says so, and keeps serving what it has', async () => {
    const store = await TemporaryStore.makeWithIris();
    let nowMs = Date.now();
    const { open } = await nodeOver(way, store);
    const opened: VerifiedStore = await open({ nowMs: () => nowMs });
    expect(opened.condition).toMatchObject({ fresh: true, expiresSoon: [] });
    const refused = nextEvent(opened, 'refused');
    nowMs += 20 * yearMs;
    expect((await refused).error.check).toBe('expiry');
    expect(opened.condition.fresh).toBe(false);
    await expectLastGood(opened);
  });

  test('a node warns when less than a quarter of the signed lifetime is left', async () => {
    const store = await TemporaryStore.makeWithIris();
    let nowMs = Date.now();
    const { open } = await nodeOver(way, store);
    const opened = await open({ nowMs: () => nowMs });
    const expires = Date.parse(opened.condition.expires.get('timestamp') ?? '');
    const warned = nextEvent(opened, 'condition');
    nowMs = expires - 0.2 * (expires - nowMs);
    const { condition } = await warned;
    expect(condition.expiresSoon).toContain('timestamp');
    expect(condition.fresh).toBe(true);
    expect(condition.expiresSoon).not.toContain('root');
  });
});

function inYears(years: number): string {
  return `${new Date(Date.now() + years * yearMs).toISOString().slice(0, 19)}Z`;
}

async function newest(store: TemporaryStore, role: string): Promise<readonly [number, Uint8Array]> {
  const versions = (await store.files()).flatMap((file) => {
    const [, version] = new RegExp(`^metadata/(\\d+)\\.${role}\\.json$`).exec(file) ?? [];
    return version === undefined ? [] : [Number(version)];
  });
  const version = Math.max(...versions);
  return [version, await readFile(store.path(`metadata/${version}.${role}.json`))];
}
