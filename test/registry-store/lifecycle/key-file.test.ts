/** Keys at rest: what shows in clear, what a passphrase protects, and what stands behind a command. */
import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyFile } from '../../../registry-store/lifecycle/key-file.ts';
import {
  type CreateKeyOptions,
  type CreatedKey,
  KeyFolderSigners,
  createKey,
} from '../../../registry-store/lifecycle/key-folder.ts';
import { roleKeysOf } from '../../../registry-store/lifecycle/key-tables.ts';
import type { RoleKeys } from '../../../registry-store/trust/role-keys.ts';
import { initStore, publishModel } from '../../../registry-store/main.ts';
import { useCheapPassphrases } from '../cheap-passphrases.ts';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

const bytes = Buffer.from('{"_type":"timestamp"}');
const passphrase = (): Promise<string> => Promise.resolve('correct horse');

async function folderOf(): Promise<string> {
  return (await TemporaryStore.make()).keysFolder;
}

function roleOf(...keys: readonly CreatedKey[]): RoleKeys {
  const table = new Map(keys.map(({ keyId, publicHex }) => [keyId, publicHex]));
  return roleKeysOf('models', { threshold: 1, keys: table });
}

async function signWith(
  key: CreatedKey,
  options: Pick<CreateKeyOptions, 'keysFolder' | 'passphrase'>,
): Promise<string | undefined> {
  const provider = new KeyFolderSigners({
    keysFolders: [options.keysFolder],
    ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
  });
  const [signer] = await provider.signersFor(roleOf(key));
  return signer?.sign(bytes);
}

describe('a key file', () => {
  test('shows name, id and public key, and under a passphrase nothing else', async () => {
    const keysFolder = await folderOf();
    const key = await createKey({ keysFolder, name: 'ada', passphrase });
    const text = await readFile(key.path, 'utf8');
    const json = JSON.parse(text) as { readonly private: object };
    expect(json).toMatchObject({ name: 'ada', key_id: key.keyId, public: key.publicHex });
    expect(Object.keys(json.private)).not.toContain('pkcs8');
    // Every Ed25519 key in PKCS#8 begins like this.
    expect(text).not.toContain('302e020100300506032b6570');
    expect((await stat(key.path)).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['plain', undefined],
    ['encrypted', passphrase],
  ])('%s signs what its public key verifies', async (_, given) => {
    const keysFolder = await folderOf();
    const options = { keysFolder, name: 'ada', ...(given !== undefined && { passphrase: given }) };
    const key = await createKey(options);
    expect(await signWith(key, options)).toMatch(/^[0-9a-f]{128}$/);
  });

  test('encrypted is KEY_LOCKED without its passphrase, and with another one', async () => {
    const keysFolder = await folderOf();
    const key = await createKey({ keysFolder, name: 'ada', passphrase });
    await expect(signWith(key, { keysFolder })).rejects.toMatchObject({ code: 'KEY_LOCKED' });
    const wrong = { keysFolder, passphrase: () => Promise.resolve('battery staple') };
    await expect(signWith(key, wrong)).rejects.toMatchObject({ code: 'KEY_LOCKED' });
  });

  test('is not made under an empty passphrase, nor over another key', async () => {
    const keysFolder = await folderOf();
    const empty = { keysFolder, name: 'ada', passphrase: () => Promise.resolve('') };
    await expect(createKey(empty)).rejects.toMatchObject({ code: 'KEY_LOCKED' });
    const { path } = await createKey({ keysFolder, name: 'ada' });
    const before = await readFile(path);
    await expect(createKey({ keysFolder, name: 'ada' })).rejects.toMatchObject({ code: 'STORE_EXISTS' });
    expect(await readFile(path)).toEqual(before);
    await expect(createKey({ keysFolder, name: '../ada' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  test('that others can read is refused by name', async () => {
    const keysFolder = await folderOf();
    await createKey({ keysFolder, name: 'models' });
    await chmod(keyFile(keysFolder, 'models'), 0o640);
    const provider = new KeyFolderSigners({ keysFolders: [keysFolder] });
    await expect(provider.signersFor(roleOf())).rejects.toMatchObject({ code: 'KEY_UNSAFE' });
  });

  describe('whose passphrase costs little', () => {
    useCheapPassphrases();

    test('that says it is another key is refused, encrypted or not', async () => {
      for (const given of [undefined, passphrase]) {
        const keysFolder = await folderOf();
        const options = { keysFolder, ...(given !== undefined && { passphrase: given }) };
        const [ada, eve] = [
          await createKey({ ...options, name: 'ada' }),
          await createKey({ ...options, name: 'eve' }),
        ];
        const text = await readFile(eve.path, 'utf8');
        await writeFile(ada.path, text.replace(eve.keyId, ada.keyId).replace(eve.publicHex, ada.publicHex));
        const code = given === undefined ? 'KEY_UNSAFE' : 'KEY_LOCKED';
        await expect(signWith(ada, options)).rejects.toMatchObject({ code });
      }
    });

    test('is unlocked once in a run, and asked for again when the passphrase was wrong', async () => {
      const keysFolder = await folderOf();
      const key = await createKey({ keysFolder, name: 'ada', passphrase });
      const answers = ['wrong', 'correct horse', 'wrong again'];
      const provider = new KeyFolderSigners({
        keysFolders: [keysFolder],
        passphrase: (name) => Promise.resolve(name === 'ada' ? (answers.shift() ?? '') : ''),
      });
      await expect(provider.signersFor(roleOf(key))).rejects.toMatchObject({ code: 'KEY_LOCKED' });
      await provider.signersFor(roleOf(key));
      await provider.signersFor(roleOf(key));
      expect(answers).toEqual(['wrong again']);
    });
  });
});

describe('a key behind a command', () => {
  /** Signs with a key file, as the client of a token would; the folder is not one that the store looks into. */
  const signs = (path: string): string => `
    const { createPrivateKey, sign } = require('node:crypto');
    const { pkcs8 } = JSON.parse(require('node:fs').readFileSync(${JSON.stringify(path)})).private;
    const key = createPrivateKey({ key: Buffer.from(pkcs8, 'hex'), format: 'der', type: 'pkcs8' });
    const parts = [];
    process.stdin.on('data', (part) => parts.push(part)).on('end', () => {
      console.log(sign(null, Buffer.concat(parts), key).toString('hex').toUpperCase());
    });`;

  async function storeWithCommand(
    script: (path: string) => string,
    timeoutMs = 20_000,
  ): Promise<TemporaryStore> {
    const store = await TemporaryStore.makeWithIris();
    const path = keyFile(store.keysFolder, 'snapshot');
    const { public: publicHex } = JSON.parse(await readFile(path, 'utf8')) as { readonly public: string };
    const hidden = join(store.base, 'token');
    await writeFile(hidden, await readFile(path), { mode: 0o600 });
    await rm(path);
    const command = { argv: [process.execPath, '-e', script(hidden)], timeoutMs, publicHex };
    await createKey({ keysFolder: store.keysFolder, name: 'zz-token', command });
    return store;
  }

  test('signs for its role', async () => {
    const store = await storeWithCommand(signs);
    await store.publish('iris', '4.0.0');
    expect((await store.open()).current.models.get('iris')?.has('4.0.0')).toBe(true);
  });

  test.each<[string, () => string, string, number?]>([
    ['fails', () => 'process.exit(3)', 'KEY_LOCKED'],
    ['says nothing of use', () => 'console.log("signed!")', 'KEY_LOCKED'],
    ['never ends', () => 'setInterval(() => {}, 1000)', 'KEY_LOCKED', 700],
    ['talks without end', () => 'setInterval(() => console.log("x".repeat(5000)), 1)', 'KEY_LOCKED'],
    ['signs with another key', () => 'console.log("0".repeat(128))', 'KEY_UNSAFE'],
  ])('that %s changes nothing', async (_, script, code, timeoutMs) => {
    const store = await storeWithCommand(script, timeoutMs);
    await expect(store.publish('iris', '3.0.0')).rejects.toMatchObject({ code });
    expect((await store.open()).current.revision).toBe(5);
  });

  test('that is not there says which one', async () => {
    const store = await storeWithCommand(() => '');
    const path = keyFile(store.keysFolder, 'zz-token');
    const file = await readFile(path, 'utf8');
    await writeFile(path, file.replace(process.execPath, '/nowhere/at-all'));
    await expect(store.publish('iris', '3.0.0')).rejects.toThrow(/\/nowhere\/at-all .* cannot be run/);
  });
});

describe('a whole store under one passphrase', () => {
  useCheapPassphrases();

  test('is made, published to, and closed to everybody else', async () => {
    const store = await TemporaryStore.make();
    await initStore({ ...store.publisher, nowMs: Date.now(), actor: 'test', passphrase });
    const version = {
      model: 'iris',
      version: '1.0.0',
      artifact: await demoModel('1.0.0'),
      framework: 'test',
    };
    const options = { ...store.publisher, ...version, nowMs: Date.now(), author: 'test', actor: 'test' };
    await expect(publishModel(options)).rejects.toMatchObject({ code: 'KEY_LOCKED' });
    await publishModel({ ...options, passphrase });
    expect((await store.open()).current.models.has('iris')).toBe(true);
  });
});
