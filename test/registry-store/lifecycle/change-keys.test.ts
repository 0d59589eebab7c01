/** New keys for roles: nodes that know the old ones follow, the old ones are worth nothing, and nobody is locked out. */
import { cp, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyFile } from '../../../registry-store/lifecycle/key-file.ts';
import { createKey } from '../../../registry-store/lifecycle/key-folder.ts';
import {
  type KeyListing,
  type StoreError,
  deployModel,
  grantKey,
  initStore,
  listKeys,
  readHistory,
  readStatus,
  revokeKey,
  rotateKey,
  verifyStore,
} from '../../../registry-store/main.ts';
import { forge } from '../forger.ts';
import { TemporaryStore } from '../temporary-store.ts';

const roles = ['root', 'timestamp', 'snapshot', 'targets', 'models', 'deployments', 'models-iris'] as const;

function by(
  store: TemporaryStore,
): TemporaryStore['publisher'] & { readonly nowMs: number; readonly actor: string } {
  return { ...store.publisher, nowMs: Date.now(), actor: 'Grace' };
}

async function keysOf(store: TemporaryStore): Promise<KeyListing> {
  return listKeys({ ...store.reader, keysFolders: [store.keysFolder] });
}

async function keyIdOf(store: TemporaryStore, role: string): Promise<string> {
  const { roles: all } = await keysOf(store);
  return all.find((entry) => entry.role === role)?.keyIds[0] ?? '';
}

describe.each(roles)('a new key for %s', (role) => {
  test('is followed by a node with the first root, which it leads from one state to the next', async () => {
    const store = await TemporaryStore.makeWithIris();
    const node = await store.open();
    await node.close();
    const oldKeyId = await keyIdOf(store, role);
    const result = await rotateKey({ ...by(store), role });
    expect(result).toMatchObject({ revision: 6, changed: true, removed: [oldKeyId] });
    expect(result.added).toHaveLength(1);
    expect(await keyIdOf(store, role)).toBe(result.added[0]);

    // The old key is of no use any more, for anything.
    await rm(keyFile(store.keysFolder, role === 'models-iris' ? 'none' : role), { force: true });
    await store.publish('iris', '3.0.0');
    await store.deploy('iris', '3.0.0');
    // A node that was away, one that starts anew, and one whose state comes from before.
    expect((await store.open()).current.revision).toBe(8);
    expect((await store.open({ stateFolder: join(store.base, 'fresh') })).current.revision).toBe(8);
    const report = await verifyStore(store.reader);
    expect(report.revision).toBe(8);
  });

  test('stands in the history', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { added, removed } = await rotateKey({ ...by(store), role, why: 'a laptop was lost' });
    const event = (await readHistory(store.reader)).at(-1);
    expect(event).toMatchObject({ revision: 6, by: 'Grace', why: 'a laptop was lost', action: 'keys' });
    expect(event?.changes).toEqual([{ kind: 'keys', role, added, removed, threshold: 1 }]);
  });
});

test('a key that was replaced cannot sign, whoever still has it', async () => {
  const store = await TemporaryStore.makeWithIris();
  await rotateKey({ ...by(store), role: 'timestamp' });
  // The forger goes by the file that is called after the role: the old key.
  await forge(store, { role: 'timestamp' });
  expect(await store.refusalOf()).toMatchObject({ code: 'STORE_REFUSED', check: 'signature' });
});

test('a thief who pushed the timestamp far ahead does not lock the nodes out', async () => {
  const store = await TemporaryStore.makeWithIris();
  const stolen = await store.copy();
  await forge(stolen, {
    role: 'timestamp',
    edit: (content) => {
      content['version'] = 900_000_000;
    },
  });
  // The node believed the thief: its signature was good.
  await (await stolen.open({ stateFolder: store.stateFolder })).close();
  await expect(readStatus(store.reader)).rejects.toMatchObject({ check: 'rollback' });
  await rotateKey({ ...by(store), role: 'timestamp' });
  expect((await store.open()).current.revision).toBe(6);
});

describe('several keys for a role', () => {
  test('any of them signs, and one can be taken away', async () => {
    const store = await TemporaryStore.makeWithIris();
    const bob = await createKey({ keysFolder: join(store.base, 'bob'), name: 'bob' });
    const granted = await grantKey({ ...by(store), role: 'deployments', publicKey: bob.publicHex });
    expect(granted).toMatchObject({ added: [bob.keyId], removed: [], roles: ['deployments'] });
    await cp(keyFile(store.keysFolder, 'deployments'), join(store.base, 'away'));
    await rm(keyFile(store.keysFolder, 'deployments'));
    await expect(store.deploy('iris', '1.0.0')).rejects.toMatchObject({ code: 'KEY_MISSING' });

    const keysFolders = [store.keysFolder, join(store.base, 'bob')];
    const deploy = { ...by(store), keysFolders, model: 'iris', version: '1.0.0' };
    await deployModel(deploy);
    expect((await store.open()).current.deployments.get('iris')?.version).toBe('1.0.0');

    await rename(join(store.base, 'away'), keyFile(store.keysFolder, 'deployments'));
    const revoked = await revokeKey({ ...by(store), keyId: bob.keyId });
    expect(revoked).toMatchObject({ removed: [bob.keyId], roles: ['deployments'] });
    await rm(keyFile(store.keysFolder, 'deployments'));
    await expect(deployModel({ ...deploy, version: '2.0.0' })).rejects.toMatchObject({ code: 'KEY_MISSING' });
    await verifyStore(store.reader);
  });

  test('below the threshold nothing is signed; with the keys of two folders it is', async () => {
    const store = await TemporaryStore.makeWithIris();
    const bobs = join(store.base, 'bob');
    const bob = await createKey({ keysFolder: bobs, name: 'bob' });
    const both = { ...by(store), keysFolders: [store.keysFolder, bobs] };
    const raise = { role: 'models', publicKey: bob.publicHex, threshold: 2 };
    // Raising the threshold needs both at once: what is in force has to be signed by two.
    await expect(grantKey({ ...by(store), ...raise })).rejects.toMatchObject({ code: 'THRESHOLD_NOT_MET' });
    const granted = await grantKey({ ...both, ...raise });
    expect(granted.roles).toEqual(['models', 'models-iris']);
    await expect(store.publish('iris', '3.0.0')).rejects.toMatchObject({ code: 'THRESHOLD_NOT_MET' });
    await expect(revokeKey({ ...both, keyId: bob.keyId })).rejects.toMatchObject({
      code: 'THRESHOLD_NOT_MET',
    });

    const lowered = await grantKey({ ...both, role: 'models', threshold: 1 });
    expect(lowered).toMatchObject({ added: [], removed: [], changed: true });
    await store.publish('iris', '3.0.0');
    expect((await verifyStore(store.reader)).revision).toBe(8);
  });

  test('a root of two of three: one is lost and replaced by the others', async () => {
    const store = await TemporaryStore.make();
    const made = await initStore({ ...by(store), rootKeys: 3, rootThreshold: 2 });
    expect(made.keys).toEqual([
      'root-1',
      'root-2',
      'root-3',
      'timestamp',
      'snapshot',
      'targets',
      'models',
      'deployments',
    ]);
    await store.publish('iris', '1.0.0');
    // Three people, three folders; the third one's is lost.
    const folders = [store.keysFolder];
    for (const name of ['root-1', 'root-2']) {
      const folder = join(store.base, name);
      await mkdir(folder);
      await rename(keyFile(store.keysFolder, name), keyFile(folder, name));
      folders.push(folder);
    }
    const lost = JSON.parse(await readFile(keyFile(store.keysFolder, 'root-3'), 'utf8')) as {
      readonly key_id: string;
    };
    await rm(keyFile(store.keysFolder, 'root-3'));
    const rotate = { ...by(store), role: 'root', keyId: lost.key_id, newKeyName: 'root-4' };
    await expect(rotateKey(rotate)).rejects.toMatchObject({ code: 'KEY_MISSING' });
    // A key that did not come into force is not left lying about.
    await expect(readFile(keyFile(store.keysFolder, 'root-4'))).rejects.toThrow('ENOENT');
    await rotateKey({ ...rotate, keysFolders: folders });
    const { roles: after } = await keysOf(store);
    expect(after[0]).toMatchObject({ role: 'root', threshold: 2 });
    expect(after[0]?.keyIds).not.toContain(lost.key_id);
    expect((await store.open()).current.revision).toBe(3);
  });
});

describe('refused, and nothing is changed:', () => {
  const sha256 = '0'.repeat(64);
  const cases: readonly (readonly [string, (store: TemporaryStore) => Promise<unknown>, string])[] = [
    ['revoking a key nobody has', (store) => revokeKey({ ...by(store), keyId: sha256 }), 'UNKNOWN_KEY'],
    [
      'revoking the only key of a role',
      async (store) => revokeKey({ ...by(store), keyId: await keyIdOf(store, 'models') }),
      'THRESHOLD_NOT_MET',
    ],
    ['a role there is not', (store) => rotateKey({ ...by(store), role: 'moderators' }), 'INVALID_ARGUMENT'],
    [
      'replacing a key the role does not have',
      (store) => rotateKey({ ...by(store), role: 'models', keyId: sha256 }),
      'UNKNOWN_KEY',
    ],
    [
      'a public key that is none',
      (store) => grantKey({ ...by(store), role: 'models', publicKey: 'AB' }),
      'INVALID_ARGUMENT',
    ],
    [
      'a threshold above the number of keys',
      (store) => grantKey({ ...by(store), role: 'models', threshold: 2 }),
      'INVALID_ARGUMENT',
    ],
    [
      'a name for the new key that is taken',
      (store) => rotateKey({ ...by(store), role: 'models', newKeyName: 'snapshot' }),
      'STORE_EXISTS',
    ],
    [
      'a new root key without the old one',
      async (store) => {
        await rm(keyFile(store.keysFolder, 'root'));
        return rotateKey({ ...by(store), role: 'timestamp' });
      },
      'KEY_MISSING',
    ],
    [
      'a key for models from who may only deploy',
      async (store) => {
        await rm(keyFile(store.keysFolder, 'targets'));
        return rotateKey({ ...by(store), role: 'models' });
      },
      'KEY_MISSING',
    ],
    [
      'no keys folder at all',
      (store) => rotateKey({ ...by(store), keysFolders: [], role: 'models' }),
      'INVALID_ARGUMENT',
    ],
  ];

  test.each(cases)('%s', async (_, attempt, code) => {
    const store = await TemporaryStore.makeWithIris();
    const before = await store.files();
    const error = await attempt(store).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code });
    expect((error as StoreError).message).toMatch(/[.]$|keys list$/);
    expect(await store.files()).toEqual(before);
    expect((await keysOf(store)).files.every(({ roles: given }) => given.length > 0)).toBe(true);
  });
});

test('granting what is granted already signs nothing', async () => {
  const store = await TemporaryStore.makeWithIris();
  const { files } = await keysOf(store);
  const publicKey = files.find(({ name }) => name === 'models')?.publicHex ?? '';
  const result = await grantKey({ ...by(store), role: 'models', publicKey });
  expect(result).toMatchObject({ changed: false, revision: 5, roles: [] });
});

test('the list of keys says what each is for and how it is kept', async () => {
  const store = await TemporaryStore.makeWithIris();
  const options = {
    keysFolder: store.keysFolder,
    name: 'spare',
    passphrase: () => Promise.resolve('secret'),
  };
  const spare = await createKey(options);
  const { files } = await keysOf(store);
  expect(files.map(({ name, form, roles: given }) => [name, form, given])).toEqual([
    ['deployments', 'plain', ['deployments']],
    ['models', 'plain', ['models', 'models-iris']],
    ['root', 'plain', ['root']],
    ['snapshot', 'plain', ['snapshot']],
    ['spare', 'encrypted', []],
    ['targets', 'plain', ['targets']],
    ['timestamp', 'plain', ['timestamp']],
  ]);
  expect(files.find(({ name }) => name === 'spare')?.keyId).toBe(spare.keyId);
});
