/** Publishing: what goes in comes out, what is wrong changes nothing, and publishers do not get in each other's way. */
import { chmod, cp, lstat, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keyFile } from '../../../registry-store/lifecycle/key-file.ts';
import {
  type PublishOptions,
  type PublishResult,
  type StoreError,
  collectGarbage,
  publishModel,
} from '../../../registry-store/main.ts';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

async function publish(store: TemporaryStore, options: Partial<PublishOptions> = {}): Promise<PublishResult> {
  return publishModel({
    ...store.publisher,
    nowMs: Date.now(),
    model: 'iris',
    version: '3.0.0',
    artifact: await demoModel('1.0.0'),
    framework: 'scikit-learn',
    author: 'Ada',
    actor: 'Grace',
    ...options,
  });
}

async function contentOf(store: TemporaryStore): Promise<ReadonlyMap<string, string>> {
  const files = await store.files();
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(store.path(file), 'latin1')] as const)),
  );
}

describe('a published version', () => {
  test('is read back with everything that was said about it', async () => {
    const store = await TemporaryStore.makeWithIris();
    const nowMs = Date.now() + 60_000;
    await publish(store, {
      nowMs,
      description: 'Größe "zählt" \\ ¯\\_(ツ)_/¯ 🌷',
      metrics: new Map([
        ['accuracy', 0.9733333333333334],
        ['loss', 1e-7],
        ['rows', 150],
        ['skill', -0.5],
        ['flops', 1.5e21],
      ]),
      tags: ['tabular', 'team:plants'],
      stage: 'training',
    });
    const version = (await store.open()).current.models.get('iris')?.get('3.0.0');
    expect(version).toMatchObject({
      framework: 'scikit-learn',
      author: 'Ada',
      description: 'Größe "zählt" \\ ¯\\_(ツ)_/¯ 🌷',
      createdAt: new Date(nowMs).toISOString(),
      tags: ['tabular', 'team:plants'],
      stage: 'training',
    });
    expect([...(version?.metrics ?? [])].sort()).toEqual([
      ['accuracy', 0.9733333333333334],
      ['flops', 1.5e21],
      ['loss', 1e-7],
      ['rows', 150],
      ['skill', -0.5],
    ]);
  });

  test('does not go live by itself', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { snapshot } = await publish(store);
    expect(snapshot.deployments.get('iris')?.version).toBe('2.0.0');
  });

  test.each(['constructor', 'tostring', 'valueof', 'hasownproperty', '0', 'a.b-c_D'])(
    'may be of a model called %s',
    async (model) => {
      const store = await TemporaryStore.makeWithIris();
      await publish(store, { model });
      await store.deploy(model, '3.0.0');
      expect((await store.open()).current.deployments.get(model)?.version).toBe('3.0.0');
    },
  );
});

describe('refused, and nothing is changed:', () => {
  const cases: readonly (readonly [string, Partial<PublishOptions>, string])[] = [
    ['a version that is there', { version: '1.0.0' }, 'DUPLICATE_VERSION'],
    [
      'a version that is there, with other bytes',
      { version: '1.0.0', artifact: Buffer.from('x') },
      'MODEL_REFUSED',
    ],
    ['a file that is no model', { artifact: Buffer.from('not onnx') }, 'MODEL_REFUSED'],
    ['an empty file', { artifact: new Uint8Array() }, 'MODEL_REFUSED'],
    ...['stats', '', '.', '..', 'a/b', 'Iris', '-x', 'é', '__proto__', 'x'.repeat(129), 'a b', 'a\0'].map(
      (model) => [`the model name ${JSON.stringify(model)}`, { model }, 'INVALID_ARGUMENT'] as const,
    ),
    ...['', '..', 'a/b', '.1', 'x'.repeat(129), '1 0', '*'].map(
      (version) => [`the version ${JSON.stringify(version)}`, { version }, 'INVALID_ARGUMENT'] as const,
    ),
    ['a line end in a name', { author: 'Ada\nRoot' }, 'INVALID_ARGUMENT'],
    ['half a character', { description: '\ud800' }, 'INVALID_ARGUMENT'],
    ['a metric that is no number', { metrics: new Map([['accuracy', NaN]]) }, 'INVALID_ARGUMENT'],
    ['a metric with a strange name', { metrics: new Map([['__proto__', 1]]) }, 'INVALID_ARGUMENT'],
    ['a tag with a space', { tags: ['a b'] }, 'INVALID_ARGUMENT'],
    ['too many tags', { tags: Array.from({ length: 65 }, (_, index) => `t${index}`) }, 'INVALID_ARGUMENT'],
    ['a very long description', { description: 'x'.repeat(2001) }, 'INVALID_ARGUMENT'],
  ];

  test('every case', async () => {
    const store = await TemporaryStore.makeWithIris();
    const before = await contentOf(store);
    for (const [what, options, code] of cases) {
      const error = await publish(store, options).catch((reason: unknown) => reason);
      expect(error, what).toMatchObject({ code });
      expect((error as StoreError).message, what).toMatch(/[.]$/);
    }
    expect(await contentOf(store)).toEqual(before);
  });

  test.each([
    ['the key is not here', (path: string) => rm(path), 'KEY_MISSING'],
    ['the key is open to others', (path: string) => chmod(path, 0o644), 'KEY_UNSAFE'],
    ['the key is another role’s', (path: string) => cp(join(path, '../snapshot.key'), path), 'KEY_UNSAFE'],
    ['the key is no key', (path: string) => cp(join(path, '../root.json'), path), 'KEY_UNSAFE'],
  ])('%s', async (_, spoil, code) => {
    const store = await TemporaryStore.makeWithIris();
    const path = keyFile(store.keysFolder, 'models');
    await spoil(path);
    if (code === 'KEY_UNSAFE')
      await chmod(path, 0o600).then(() => (_.includes('open') ? chmod(path, 0o644) : undefined));
    const before = await contentOf(store);
    await expect(publish(store)).rejects.toMatchObject({ code });
    expect(await contentOf(store)).toEqual(before);
  });

  test('the store does not verify', async () => {
    const store = await TemporaryStore.makeWithIris();
    const bytes = await readFile(store.path('metadata/2.models-iris.json'));
    await store.write('metadata/2.models-iris.json', bytes.fill(0x20, 300, 301));
    await expect(publish(store)).rejects.toMatchObject({ code: 'STORE_REFUSED', check: 'signature' });
  });

  test('there is no store', async () => {
    const store = await TemporaryStore.makeWithIris();
    await rm(store.folder, { recursive: true });
    await expect(publish(store)).rejects.toMatchObject({ code: 'STORE_MISSING' });
  });
});

describe('publishers at the same time', () => {
  test('all succeed, one after the other, and nothing is lost', async () => {
    const store = await TemporaryStore.makeWithIris();
    const versions = Array.from({ length: 6 }, (_, index) => `3.${index}.0`);
    await Promise.all(versions.map((version) => publish(store, { version })));
    const { current } = await store.open();
    expect([...(current.models.get('iris')?.keys() ?? [])].sort()).toEqual(['1.0.0', '2.0.0', ...versions]);
    expect(current.revision).toBe(5 + versions.length);
  });

  test('of one version: one wins, the others are told', async () => {
    const store = await TemporaryStore.makeWithIris();
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => publish(store)));
    const codes = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? 'published' : (outcome.reason as StoreError).code,
    );
    expect(codes.sort()).toEqual(['DUPLICATE_VERSION', 'DUPLICATE_VERSION', 'published']);
  });

  test('a model and a deployment: both count', async () => {
    const store = await TemporaryStore.makeWithIris();
    await Promise.all([publish(store), store.deploy('iris', '1.0.0')]);
    const { current } = await store.open();
    expect(current.models.get('iris')?.has('3.0.0')).toBe(true);
    expect(current.deployments.get('iris')?.version).toBe('1.0.0');
  });
});

describe('a publisher over time', () => {
  test('renews what has half its time behind it, so that a store in use does not expire', async () => {
    const store = await TemporaryStore.make();
    const dayMs = 24 * 3600_000;
    await store.init(Date.now() - 200 * dayMs);
    await publish(store);
    await store.deploy('iris', '3.0.0');
    const opened = await store.open({ nowMs: () => Date.now() + 300 * dayMs });
    expect(opened.current.revision).toBe(3);
  });

  test('without the key of the other role leaves that role as it is', async () => {
    const store = await TemporaryStore.make();
    await store.init(Date.now() - 200 * 24 * 3600_000);
    await rm(keyFile(store.keysFolder, 'deployments'));
    await rm(keyFile(store.keysFolder, 'targets'));
    await rm(keyFile(store.keysFolder, 'root'));
    await publish(store);
    expect((await store.open()).current.models.has('iris')).toBe(true);
    await expect(store.deploy('iris', '3.0.0')).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  test('keeps the number of files within bounds', async () => {
    const store = await TemporaryStore.makeWithIris();
    for (let round = 0; round < 12; round++) await store.deploy('iris', round % 2 === 0 ? '1.0.0' : '2.0.0');
    const files = await store.files();
    expect(files.filter((file) => file.endsWith('.snapshot.json'))).toHaveLength(9);
    expect(files.filter((file) => file.endsWith('.deployments.json'))).toHaveLength(9);
    expect(files.filter((file) => file.endsWith('.default.json')).length).toBeLessThanOrEqual(9);
    expect(files.filter((file) => file.endsWith('.onnx'))).toHaveLength(2);
    expect((await store.open()).current.revision).toBe(17);
  });

  test('never removes a file it cannot vouch for', async () => {
    const store = await TemporaryStore.makeWithIris();
    const elsewhere = join(store.base, 'precious');
    await store.write('notes.txt', Buffer.from('precious'));
    await publish(store);
    expect(await readFile(store.path('notes.txt'), 'utf8')).toBe('precious');
    await symlink(elsewhere, store.path('link'));
    await publish(store, { version: '3.1.0' });
    expect((await lstat(store.path('link'))).isSymbolicLink()).toBe(true);
    await expect(collectGarbage({ ...store.publisher, nowMs: Date.now() })).rejects.toMatchObject({
      check: 'file-kind',
    });
  });
});
