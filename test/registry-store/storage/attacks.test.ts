/** What a mirror, a thief of one key or a careless signer could try, and the check that stops it. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { keyFile, parseKey } from '../../../registry-store/lifecycle/key-folder.ts';
import { publicKeyJson } from '../../../registry-store/trust/role-keys.ts';
import type { StoreCheck } from '../../../registry-store/main.ts';
import { type Forgery, all, copy, drop, forge, forgeRoot, put, signerOf } from '../forger.ts';
import { TemporaryStore, nextEvent } from '../temporary-store.ts';

const oldModel = ['targets', 'models/iris/1.0.0/model.onnx'];
const liveModel = ['targets', 'models/iris/2.0.0/model.onnx'];

interface Attack {
  readonly name: string;
  readonly check: StoreCheck;
  readonly forgery: Forgery;
}

const attacks: readonly Attack[] = [
  {
    name: 'a deployment signed with the key for models',
    check: 'signature',
    forgery: { role: 'deployments', signedAs: 'models' },
  },
  {
    name: 'a snapshot signed with the key for timestamps',
    check: 'signature',
    forgery: { role: 'snapshot', signedAs: 'timestamp' },
  },
  {
    name: 'a deployment listed by the role for models',
    check: 'delegation',
    forgery: { role: 'models', edit: copy(oldModel, ['targets', 'deployments/default.json']) },
  },
  {
    name: 'a file listed by the role that only delegates',
    check: 'delegation',
    forgery: {
      role: 'targets',
      edit: put(['targets', 'models/x/1/model.onnx'], { length: 1, hashes: { sha256: '0'.repeat(64) } }),
    },
  },
  {
    name: 'a model without any digest',
    check: 'metadata-form',
    forgery: { role: 'models', edit: put([...oldModel, 'hashes'], {}) },
  },
  {
    name: 'a model with another digest than SHA-256',
    check: 'metadata-form',
    forgery: { role: 'models', edit: put([...oldModel, 'hashes'], { sha512: '0'.repeat(128) }) },
  },
  {
    name: 'a live model with other bytes than the operator chose',
    check: 'deployment-manifest',
    forgery: {
      role: 'models',
      edit: all(
        copy([...oldModel, 'hashes'], [...liveModel, 'hashes']),
        copy([...oldModel, 'length'], [...liveModel, 'length']),
      ),
    },
  },
  {
    name: 'a live model archived',
    check: 'deployment-manifest',
    forgery: { role: 'models', edit: put([...liveModel, 'custom', 'stage'], 'archived') },
  },
  {
    name: 'a live model removed',
    check: 'deployment-manifest',
    forgery: { role: 'models', edit: drop(liveModel) },
  },
  {
    name: 'the previous model removed',
    check: 'deployment-manifest',
    forgery: { role: 'models', edit: drop(oldModel) },
  },
  {
    name: 'metadata of another version lent to a model',
    check: 'version-metadata',
    forgery: { role: 'models', edit: copy([...liveModel, 'custom'], [...oldModel, 'custom']) },
  },
  {
    name: 'metadata of a schema to come',
    check: 'version-metadata',
    forgery: { role: 'models', edit: put([...oldModel, 'custom', 'schema'], 2) },
  },
  {
    name: 'a model without metadata',
    check: 'version-metadata',
    forgery: { role: 'models', edit: drop([...oldModel, 'custom']) },
  },
  {
    name: 'a model with a name that the protocol uses',
    check: 'version-metadata',
    forgery: { role: 'models', edit: copy(oldModel, ['targets', 'models/stats/1/model.onnx']) },
  },
  {
    name: 'a path that climbs',
    check: 'metadata-form',
    forgery: { role: 'models', edit: copy(oldModel, ['targets', 'models/../../model.onnx']) },
  },
  {
    name: 'no deployment manifest',
    check: 'deployment-manifest',
    forgery: { role: 'deployments', edit: put(['targets'], {}) },
  },
  {
    name: 'a snapshot that forgets a role',
    check: 'mix-and-match',
    forgery: { role: 'snapshot', edit: drop(['meta', 'models.json']) },
  },
  {
    name: 'a snapshot with a role that has no keys',
    check: 'mix-and-match',
    forgery: { role: 'snapshot', edit: copy(['meta', 'models.json'], ['meta', 'others.json']) },
  },
  {
    name: 'a snapshot of another moment',
    check: 'mix-and-match',
    forgery: { role: 'snapshot', edit: put(['meta', 'models.json', 'hashes', 'sha256'], '0'.repeat(64)) },
  },
  {
    name: 'a timestamp that pins another snapshot',
    check: 'mix-and-match',
    forgery: { role: 'timestamp', edit: put(['meta', 'snapshot.json', 'hashes', 'sha256'], '0'.repeat(64)) },
  },
  {
    name: 'an older role in a newer snapshot',
    check: 'rollback',
    forgery: { role: 'snapshot', edit: put(['meta', 'deployments.json', 'version'], 2) },
  },
  ...(['timestamp', 'snapshot', 'models', 'deployments', 'targets'] as const).map((role): Attack => ({
    name: `an expired ${role}`,
    check: 'expiry',
    forgery: { role, edit: put(['expires'], '2024-01-01T00:00:00Z') },
  })),
  {
    name: 'an expiry in another format',
    check: 'metadata-form',
    forgery: { role: 'timestamp', edit: put(['expires'], '2099-01-01') },
  },
  {
    name: 'signatures in capital letters',
    check: 'canonical-bytes',
    forgery: {
      role: 'timestamp',
      respell: (text) => text.replace(/"sig":"[^"]+"/, (sig) => sig.toUpperCase().replace('SIG', 'sig')),
    },
  },
  {
    name: 'white space in front of the signed part',
    check: 'signature',
    forgery: { role: 'models', respell: (text) => text.replace('"signed":', '"signed": ') },
  },
  {
    name: 'white space between the signatures',
    check: 'canonical-bytes',
    forgery: { role: 'models', respell: (text) => text.replace('[{', '[ {') },
  },
  {
    name: 'a line end after the last brace',
    check: 'canonical-bytes',
    forgery: { role: 'models', respell: (text) => `${text}\n` },
  },
  {
    name: 'a stranger who signs along',
    check: 'signature',
    forgery: {
      role: 'timestamp',
      respell: (text) => text.replace('[{', `[{"keyid":"${'0'.repeat(64)}","sig":"${'0'.repeat(128)}"},{`),
    },
  },
  {
    name: 'a signature listed twice',
    check: 'canonical-bytes',
    forgery: { role: 'timestamp', respell: (text) => text.replace(/\[(\{.*?\})\]/, '[$1,$1]') },
  },
];

describe('a forged state', () => {
  test.each(attacks)('$name is refused by the check $check', async ({ check, forgery }) => {
    const store = await TemporaryStore.makeWithIris();
    await (await store.open()).close();
    await forge(store, forgery);
    expect((await store.refusalOf()).check).toBe(check);
  });

  test('the forger is good: what it does not change is accepted', async () => {
    const store = await TemporaryStore.makeWithIris();
    await forge(store, { role: 'models' });
    const opened = await store.open();
    expect(opened.current.models.get('iris')?.size).toBe(2);
  });

  test('is refused while the gateway runs, which keeps what it had', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open();
    const before = opened.current;
    const refused = nextEvent(opened, 'refused');
    await forge(store, { role: 'deployments', signedAs: 'models' });
    expect((await refused).error.check).toBe('signature');
    expect(opened.current).toBe(before);
  });
});

describe('the root of trust', () => {
  test('a store made by somebody else is refused', async () => {
    const [store, other] = [await TemporaryStore.makeWithIris(), await TemporaryStore.make()];
    await other.init();
    expect((await store.refusalOf({ pinnedRootPath: other.pinnedRootPath })).check).toBe('signature');
  });

  test('a pinned root that is missing, damaged or something else is refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const path = join(store.base, 'pin.json');
    expect((await store.refusalOf({ pinnedRootPath: path })).check).toBe('pinned-root');
    for (const [bytes, check] of [
      [await readFile(store.path('metadata/timestamp.json')), 'pinned-root'],
      [(await readFile(store.pinnedRootPath)).subarray(0, -1), 'pinned-root'],
      [Buffer.from('{}'), 'pinned-root'],
    ] as const) {
      await writeFile(path, bytes);
      expect((await store.refusalOf({ pinnedRootPath: path })).check).toBe(check);
    }
  });

  test('a next root is followed when the old one signed it, and the key it retired counts no more', async () => {
    const store = await TemporaryStore.makeWithIris();
    const opened = await store.open();
    const oldKey = await readFile(keyFile(store.keysFolder, 'timestamp'));
    const newKey = freshKey();
    const fresh = parseKey('a fresh key', newKey);
    await forgeRoot(store, {
      edit: all(
        put(['keys', fresh.keyId], publicKeyJson(fresh.publicHex)),
        put(['roles', 'timestamp', 'keyids'], [fresh.keyId]),
      ),
      signers: [await signerOf(store, 'root')],
    });
    const refused = nextEvent(opened, 'refused');
    await forge(store, { role: 'models' });
    expect((await refused).error.check).toBe('signature');

    const accepted = nextEvent(opened, 'snapshot');
    await writeFile(keyFile(store.keysFolder, 'timestamp'), newKey);
    await forge(store, { role: 'models' });
    expect((await accepted).snapshot.revision).toBe(7);
    await (await store.open()).close();

    await writeFile(keyFile(store.keysFolder, 'timestamp'), oldKey);
    await forge(store, { role: 'timestamp' });
    expect((await store.refusalOf()).check).toBe('signature');
  });

  test('a next root that only its own key signed is refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const thief = parseKey('a fresh key', freshKey());
    await forgeRoot(store, {
      edit: all(
        put(['keys', thief.keyId], publicKeyJson(thief.publicHex)),
        put(['roles', 'root', 'keyids'], [thief.keyId]),
      ),
      signers: [thief],
    });
    expect((await store.refusalOf()).check).toBe('root-chain');
  });

  test('one key under two ids does not make two signers', async () => {
    const store = await TemporaryStore.makeWithIris();
    const root = await signerOf(store, 'root');
    const twin = '0'.repeat(64);
    await forgeRoot(store, {
      edit: all(
        copy(['keys', root.keyId], ['keys', twin]),
        put(['roles', 'root'], { keyids: [root.keyId, twin], threshold: 2 }),
      ),
      signers: [root],
    });
    expect((await store.refusalOf()).check).toBe('metadata-form');
  });
});

describe('an old state shown again', () => {
  async function rolledBack(): Promise<TemporaryStore> {
    const store = await TemporaryStore.makeWithIris();
    const old = join(store.base, 'old');
    await cp(store.folder, old, { recursive: true });
    await store.deploy('iris', '1.0.0');
    await (await store.open()).close();
    await rm(store.folder, { recursive: true });
    await cp(old, store.folder, { recursive: true });
    return store;
  }

  test('is refused by a node that saw the newer one', async () => {
    expect((await (await rolledBack()).refusalOf()).check).toBe('rollback');
  });

  test('is refused also when the metadata the node kept is lost or damaged', async () => {
    const store = await rolledBack();
    const { generation } = JSON.parse(await readFile(join(store.stateFolder, 'memory.json'), 'utf8')) as {
      generation: string;
    };
    await writeFile(join(store.stateFolder, generation, 'timestamp.json'), 'damaged');
    expect((await store.refusalOf()).check).toBe('rollback');
    await rm(join(store.stateFolder, generation), { recursive: true });
    expect((await store.refusalOf()).check).toBe('rollback');
  });

  test('a damaged memory refuses the start instead of forgetting', async () => {
    const store = await rolledBack();
    await writeFile(join(store.stateFolder, 'memory.json'), '{"floor":{}}');
    expect((await store.refusalOf()).check).toBe('trusted-state');
  });

  test('is refused by a publisher too, which would otherwise sign on top of it', async () => {
    const store = await rolledBack();
    await expect(store.deploy('iris', '1.0.0')).rejects.toMatchObject({ check: 'rollback' });
  });

  test('is nothing new to a node that never saw more', async () => {
    const store = await rolledBack();
    await rm(store.stateFolder, { recursive: true });
    expect((await store.open()).current.revision).toBe(5);
  });

  test('with only the timestamp put back, while the gateway runs, is refused', async () => {
    const store = await TemporaryStore.makeWithIris();
    const old = await readFile(store.path('metadata/timestamp.json'));
    await store.deploy('iris', '1.0.0');
    const opened = await store.open();
    const refused = nextEvent(opened, 'refused');
    await store.write('metadata/timestamp.json', old);
    expect((await refused).error.check).toBe('rollback');
    expect(opened.current.revision).toBe(6);
  });
});

describe('time', () => {
  const yearMs = 365 * 24 * 3600_000;

  test('a store whose time is over is refused, and says which role and when', async () => {
    const store = await TemporaryStore.makeWithIris();
    const error = await store.refusalOf({ nowMs: () => Date.now() + 2 * yearMs });
    expect(error.check).toBe('expiry');
    expect(error.message).toMatch(/timestamp expired at \d{4}-/);
  });

  test('a clock set back does not make an expired store fresh again', async () => {
    const store = await TemporaryStore.makeWithIris();
    await (await store.open({ nowMs: () => Date.now() + 0.9 * yearMs })).close();
    await forge(store, {
      role: 'timestamp',
      edit: put(['expires'], `${new Date(Date.now() + 0.5 * yearMs).toISOString().slice(0, 19)}Z`),
    });
    expect((await store.refusalOf()).check).toBe('expiry');
  });

  test('a running gateway notices that the time is over and keeps serving what it has', async () => {
    const store = await TemporaryStore.makeWithIris();
    let nowMs = Date.now();
    const opened = await store.open({ nowMs: () => nowMs, pollMs: 10 });
    const refused = nextEvent(opened, 'refused');
    nowMs += 2 * yearMs;
    expect((await refused).error.check).toBe('expiry');
    expect(opened.current.deployments.get('iris')?.version).toBe('2.0.0');
  });
});

function freshKey(): Buffer {
  return Buffer.from(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
}
