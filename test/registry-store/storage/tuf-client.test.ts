/** The client for TUF repositories of others, over real HTTP: what the specification asks of it. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TufRepository, ecdsaKey, ed25519Key } from './tuf-repository.ts';
import { TufVisitor, checkOf } from './tuf-visitor.ts';

let repository: TufRepository;
let visitor: TufVisitor;

beforeEach(async () => {
  repository = await TufRepository.start();
  visitor = await TufVisitor.make(repository);
});

afterEach(async () => {
  await repository.close();
  await visitor.remove();
});

describe('a refresh', () => {
  test('asks for the next root, then once for each role, and keeps the very bytes', async () => {
    await visitor.init();
    expect(repository.asked).toEqual([]);
    await visitor.refresh();
    expect(repository.asked).toEqual([
      'metadata/2.root.json',
      'metadata/timestamp.json',
      'metadata/1.snapshot.json',
      'metadata/1.targets.json',
    ]);
    for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
      const kept = await readFile(join(visitor.metadataFolder, `${role}.json`));
      expect(kept.equals(repository.fileOf(role))).toBe(true);
    }
  });

  test('of what did not change asks only for root and timestamp', async () => {
    await visitor.init();
    await visitor.refresh();
    repository.asked.length = 0;
    await visitor.refresh();
    expect(repository.asked).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
  });

  test('reads a repository without consistent snapshots, with other keys and with fields it does not know', async () => {
    await repository.close();
    repository = await TufRepository.start(ecdsaKey);
    visitor = await TufVisitor.make(repository);
    repository.isConsistent = false;
    repository.role('root').content = { 'x-custom': { a: 1 } };
    repository.publish(['root', 'targets', 'snapshot', 'timestamp'], { bump: false });
    await visitor.init();
    await visitor.refresh();
    expect(repository.asked).toContain('metadata/snapshot.json');
    expect(await visitor.trusted('targets')).toBe(1);
  });

  test('a timestamp with other content under the same version is not taken', async () => {
    await visitor.init();
    await visitor.refresh();
    const before = await readFile(join(visitor.metadataFolder, 'timestamp.json'));
    repository.role('timestamp').content = { meta: { 'snapshot.json': { version: 100 } } };
    repository.publish(['timestamp'], { bump: false });
    await visitor.refresh();
    expect((await readFile(join(visitor.metadataFolder, 'timestamp.json'))).equals(before)).toBe(true);
  });
});

describe('the first root', () => {
  test.each([
    ['without a version', (root: { signed: Record<string, unknown> }) => delete root.signed['version']],
    ['with a changed field', (root: { signed: Record<string, unknown> }) => (root.signed['version'] = 7)],
  ])('%s is refused, and nothing is asked for', async (_name, damage) => {
    const root = JSON.parse(Buffer.from(repository.fileOf('root')).toString()) as {
      signed: Record<string, unknown>;
    };
    damage(root);
    expect(await checkOf(visitor.init(Buffer.from(JSON.stringify(root))))).toMatch(/^(reference|signature)$/);
    expect(await checkOf(visitor.refresh())).toBe('pinned-root');
    expect(repository.asked).toEqual([]);
  });

  test('a damaged copy falls back to the one of init, and never below what was accepted', async () => {
    await visitor.init();
    repository.publish(['timestamp']);
    repository.publish(['timestamp']);
    await visitor.refresh();
    for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
      await writeFile(join(visitor.metadataFolder, `${role}.json`), '{');
    }
    repository.role('timestamp').version = 1;
    repository.publish(['timestamp']);
    expect(await checkOf(visitor.refresh())).toBe('rollback');
    repository.publish(['timestamp']);
    await visitor.refresh();
    expect(await visitor.trusted('timestamp')).toBe(3);
  });

  test('a damaged journal is not guessed around', async () => {
    await visitor.init();
    await visitor.refresh();
    await writeFile(join(visitor.metadataFolder, 'journal'), '{"schema":1,"floor":{}');
    expect(await checkOf(visitor.refresh())).toBe('trusted-state');
  });
});

describe('a download', () => {
  const content = Buffer.from('a model');

  test('brings what was signed, once', async () => {
    repository.addTarget('targets', 'path/to/a model+1.bin', content);
    repository.publishAll('targets');
    await visitor.init();
    const path = await visitor.download('path/to/a model+1.bin');
    expect(await readFile(path)).toEqual(content);
    repository.asked.length = 0;
    expect(await visitor.download('path/to/a model+1.bin')).toBe(path);
    expect(repository.asked.filter((asked) => asked.startsWith('targets/'))).toEqual([]);
    await writeFile(path, 'damaged');
    expect(await readFile(await visitor.download('path/to/a model+1.bin'))).toEqual(content);
  });

  test.each([
    ['swapped', Buffer.from('a modem')],
    ['longer', Buffer.from('a model and more')],
    ['truncated', Buffer.from('a mod')],
  ])('that is %s leaves nothing behind', async (_name, served) => {
    repository.addTarget('targets', 'model.bin', content);
    repository.publishAll('targets');
    await visitor.init();
    for (const path of repository.files.keys()) {
      if (path.startsWith('targets/')) repository.files.set(path, served);
    }
    expect(await checkOf(visitor.download('model.bin'))).toBe('artifact-digest');
    expect(await readdir(visitor.targetsFolder)).toEqual([]);
  });

  test('of what nobody signed is refused after the metadata was brought up to date', async () => {
    await visitor.init();
    expect(await checkOf(visitor.download('constructor'))).toBe('file-known');
    expect(await visitor.trusted('targets')).toBe(1);
  });

  test('of a target without a digest is refused: its length alone says nothing', async () => {
    repository.addTarget('targets', 'model.bin', content);
    repository.role('targets').content = { targets: { 'model.bin': { length: 7, hashes: {} } } };
    repository.publishAll('targets');
    await visitor.init();
    expect(await checkOf(visitor.download('model.bin'))).toBe('metadata-form');
  });

  test.each(['..', '.'])('a target called %s is no file', async (name) => {
    repository.addTarget('targets', name, content);
    repository.publishAll('targets');
    await visitor.init();
    expect(await checkOf(visitor.download(name))).toBe('metadata-form');
  });
});

describe('delegations', () => {
  test('are asked in order, depth first, and a terminating one is the last', async () => {
    const bytes = Buffer.from('x');
    repository.delegate('a', { parent: 'targets', paths: ['*'] });
    repository.delegate('b', { parent: 'a', paths: ['*'], terminating: true });
    repository.delegate('c', { parent: 'b', paths: ['*'] });
    repository.delegate('d', { parent: 'targets', paths: ['*'] });
    repository.addTarget('d', 'file', bytes);
    repository.publishAll('c', 'b', 'a', 'd', 'targets');
    await visitor.init();
    expect(await checkOf(visitor.download('file'))).toBe('file-known');
    const asked = repository.asked.filter((path) => /\d\.[abcd]\.json/.test(path));
    expect(asked).toEqual(['metadata/2.a.json', 'metadata/2.b.json', 'metadata/2.c.json']);
    repository.addTarget('c', 'file', bytes);
    repository.publishAll('c');
    expect(await readFile(await visitor.download('file'))).toEqual(bytes);
  });

  test('in a circle end', async () => {
    repository.delegate('a', { parent: 'targets', paths: ['*'] });
    repository.delegate('b', { parent: 'a', paths: ['*'] });
    repository.delegate('a', { parent: 'b', paths: ['*'] });
    repository.publishAll('a', 'b', 'targets');
    await visitor.init();
    expect(await checkOf(visitor.download('file'))).toBe('file-known');
  });

  test('a role that two delegate to must be signed for the one that is asked', async () => {
    const bytes = Buffer.from('x');
    repository.delegate('a', { parent: 'targets', paths: ['*'] });
    repository.delegate('shared', { parent: 'a', paths: ['file'] });
    repository.addTarget('shared', 'file', bytes);
    repository.publish(['shared', 'a', 'targets', 'snapshot', 'timestamp']);
    await visitor.init();
    await visitor.download('file');
    repository.role('shared').signers = [ed25519Key()];
    repository.publishAll('shared');
    expect(await checkOf(visitor.download('file'))).toBe('signature');
  });

  test.each(['?', '#', '/delegated', '../delegated', 'a%2fb'])(
    'to a role called %s are asked for under the escaped name and kept as one file',
    async (role) => {
      repository.delegate(role, { parent: 'targets', paths: ['*'] });
      repository.publish([role, 'targets', 'snapshot', 'timestamp'], { bump: false });
      await visitor.init();
      expect(await checkOf(visitor.download('nothing'))).toBe('file-known');
      expect(repository.asked).toContain(`metadata/1.${encodeURIComponent(role)}.json`);
      const kept = (await readdir(visitor.metadataFolder)).filter((name) => name.endsWith('.json'));
      expect(kept).toHaveLength(5);
    },
  );

  test.each(['constructor', '__proto__', 'toString'])('to a role called %s are refused', async (role) => {
    repository.delegate(role, { parent: 'targets', paths: ['*'] });
    repository.publish(['targets', 'snapshot', 'timestamp'], { bump: false });
    await visitor.init();
    expect(await checkOf(visitor.download('nothing'))).toMatch(/^(metadata-form|reference|file-known)$/);
  });
});
