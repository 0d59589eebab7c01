/** What attackers show to a client for TUF repositories of others, over real HTTP: each is refused by a named check. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TufRepository, ed25519Key } from './tuf-repository.ts';
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

describe('going back', () => {
  test.each([false, true])(
    'of timestamp, snapshot and targets is refused (digests: %s)',
    async (hasDigests) => {
      repository.hasDigests = hasDigests;
      repository.publishAll('targets');
      await visitor.init();
      await visitor.refresh();
      expect(await visitor.trusted('targets')).toBe(2);

      repository.role('timestamp').version = 1;
      repository.publish(['timestamp'], { bump: false });
      expect(await checkOf(visitor.refresh())).toBe('rollback');

      repository.role('timestamp').version = 2;
      repository.role('snapshot').version = 1;
      repository.publish(['snapshot'], { bump: false });
      repository.publish(['timestamp']);
      expect(await checkOf(visitor.refresh())).toBe('rollback');
      expect([await visitor.trusted('timestamp'), await visitor.trusted('snapshot')]).toEqual([2, 2]);

      repository.role('timestamp').version = 2;
      repository.role('snapshot').version = 2;
      repository.role('targets').version = 1;
      repository.publish(['targets'], { bump: false });
      repository.publishAll();
      expect(await checkOf(visitor.refresh())).toBe('rollback');
      expect(await visitor.trusted('targets')).toBe(2);
    },
  );

  test('is allowed after new keys: timestamp, snapshot and targets recover from a number a thief pushed up', async () => {
    await visitor.init();
    repository.role('timestamp').version = 99_998;
    repository.role('snapshot').version = 99_998;
    repository.role('targets').version = 99_998;
    repository.publishAll('targets');
    await visitor.refresh();
    expect(await visitor.trusted('snapshot')).toBe(99_999);
    for (const role of ['timestamp', 'snapshot']) repository.role(role).keys = [ed25519Key()];
    for (const role of ['timestamp', 'snapshot', 'targets']) repository.role(role).version = 1;
    repository.publish(['root']);
    repository.publishAll('targets');
    await visitor.refresh();
    expect(
      await Promise.all(['root', 'timestamp', 'snapshot', 'targets'].map((role) => visitor.trusted(role))),
    ).toEqual([2, 2, 2, 2]);
  });
});

test('a recovery that was interrupted half way does not lock the client out', async () => {
  repository.role('targets').version = 99_998;
  repository.publishAll('targets');
  await visitor.init();
  await visitor.refresh();
  for (const role of ['timestamp', 'snapshot']) repository.role(role).keys = [ed25519Key()];
  repository.role('targets').version = 1;
  repository.publish(['root']);
  repository.publishAll('targets');
  const path = 'metadata/2.targets.json';
  const targets = repository.files.get(path) ?? new Uint8Array();
  repository.files.delete(path);
  expect(await checkOf(visitor.refresh())).toBe('file-present');
  repository.files.set(path, targets);
  await visitor.refresh();
  expect(await visitor.trusted('targets')).toBe(2);
});

describe('mixing', () => {
  test('a snapshot that is not the version the timestamp names is refused, the timestamp is kept', async () => {
    await visitor.init();
    repository.role('timestamp').content = { meta: { 'snapshot.json': { version: 1 } } };
    repository.role('snapshot').version = 2;
    repository.publish(['snapshot'], { bump: false });
    repository.files.set('metadata/1.snapshot.json', repository.fileOf('snapshot'));
    expect(await checkOf(visitor.refresh())).toBe('rollback');
    expect([await visitor.trusted('timestamp'), await visitor.trusted('snapshot')]).toEqual([1, undefined]);
  });

  test('targets with other bytes than the snapshot names are refused', async () => {
    repository.hasDigests = true;
    repository.publishAll('targets');
    await visitor.init();
    await visitor.refresh();
    repository.role('targets').content = { 'x-added': 1 };
    repository.publishAll('targets');
    repository.role('targets').content = { 'x-added': 2 };
    repository.publish(['targets'], { bump: false });
    expect(await checkOf(visitor.refresh())).toBe('mix-and-match');
    expect(await visitor.trusted('targets')).toBe(2);
  });

  test('a role that disappears from the snapshot is refused', async () => {
    await visitor.init();
    await visitor.refresh();
    repository.role('snapshot').content = { meta: {} };
    repository.publishAll();
    expect(await checkOf(visitor.refresh())).toBe('reference');
  });
});

describe('time', () => {
  test.each(['timestamp', 'snapshot', 'targets'])('an expired %s is refused and not kept', async (role) => {
    await visitor.init();
    await visitor.refresh();
    repository.role(role).expires = '2020-01-01T00:00:00Z';
    repository.publishAll(...(role === 'targets' ? ['targets'] : []));
    expect(await checkOf(visitor.refresh())).toBe('expiry');
    expect(await visitor.trusted(role)).toBe(1);
  });

  test('an expired root is kept, but nothing is believed under it until the next one', async () => {
    await visitor.init();
    repository.role('root').expires = '2020-01-01T00:00:00Z';
    repository.publish(['root']);
    expect(await checkOf(visitor.refresh())).toBe('expiry');
    expect([await visitor.trusted('root'), await visitor.trusted('timestamp')]).toEqual([2, undefined]);
    repository.role('root').expires = '2099-01-01T00:00:00Z';
    repository.publish(['root']);
    await visitor.refresh();
    expect(await visitor.trusted('root')).toBe(3);
  });

  test('an expired copy still guards against going back', async () => {
    repository.role('timestamp').expires = '2098-01-01T00:00:00Z';
    repository.publish(['timestamp']);
    await visitor.init();
    await visitor.refresh();
    const later = Date.parse('2098-06-01T00:00:00Z');
    repository.role('timestamp').version = 0;
    repository.role('timestamp').expires = '2099-01-01T00:00:00Z';
    repository.publish(['timestamp']);
    expect(await checkOf(visitor.refresh(later))).toBe('rollback');
    repository.role('timestamp').version = 2;
    repository.publish(['timestamp']);
    await visitor.refresh(later);
    expect(await visitor.trusted('timestamp')).toBe(3);
  });
});

describe('signers', () => {
  test('a threshold counts people, not key ids', async () => {
    await visitor.init();
    await visitor.refresh();
    const key = ed25519Key();
    const twin = { ...key, id: '0'.repeat(64) };
    const role = repository.role('snapshot');
    role.keys = [key, twin];
    role.threshold = 2;
    repository.publish(['root']);
    repository.publishAll();
    expect(await checkOf(visitor.refresh())).toBe('signature');
    expect([await visitor.trusted('root'), await visitor.trusted('snapshot')]).toEqual([2, 1]);
  });

  test.each([
    ['one of two', (keys: ReturnType<typeof ed25519Key>[]) => keys.slice(0, 1)],
    ['the same one twice', (keys: ReturnType<typeof ed25519Key>[]) => [keys[0]!, keys[0]!]],
    ['one and a stranger', (keys: ReturnType<typeof ed25519Key>[]) => [keys[0]!, ed25519Key()]],
  ])('%s is not enough', async (_name, choose) => {
    await visitor.init();
    const role = repository.role('timestamp');
    role.keys = [ed25519Key(), ed25519Key()];
    role.threshold = 2;
    repository.publish(['root']);
    role.signers = choose(role.keys);
    repository.publish(['timestamp']);
    expect(await checkOf(visitor.refresh())).toMatch(/^(signature|reference)$/);
    role.signers = role.keys;
    repository.publish(['timestamp']);
    await visitor.refresh();
    expect(await visitor.trusted('root')).toBe(2);
  });

  test.each([
    ['by the old keys alone', 'old'],
    ['by the new keys alone', 'new'],
  ])('a new root signed %s is refused', async (_name, who) => {
    await visitor.init();
    const root = repository.role('root');
    const [old, next] = [root.keys, [ed25519Key()]];
    root.keys = next;
    root.signers = who === 'old' ? old : next;
    repository.publish(['root']);
    expect(await checkOf(visitor.refresh())).toBe('signature');
    root.signers = [...old, ...next];
    repository.publish(['root'], { bump: false });
    await visitor.refresh();
    expect(await visitor.trusted('root')).toBe(2);
  });

  test('a root that skips a version is refused', async () => {
    await visitor.init();
    repository.role('root').version = 2;
    repository.publish(['root']);
    repository.files.set('metadata/2.root.json', repository.fileOf('root'));
    expect(await checkOf(visitor.refresh())).toBe('root-chain');
  });
});

describe('an answer', () => {
  test('with one key twice is refused: readers differ in which one counts', async () => {
    await visitor.init();
    const text = Buffer.from(repository.fileOf('timestamp')).toString();
    const doubled = text.replace('"version"', '"versi\\u006fn": 9, "version"');
    repository.files.set('metadata/timestamp.json', Buffer.from(doubled));
    expect(await checkOf(visitor.refresh())).toBe('metadata-form');
  });

  test.each([
    ['timestamp.json', 16_384],
    ['1.snapshot.json', 2_000_000],
  ])('%s beyond what it may have is refused', async (file, bytesMax) => {
    await visitor.init();
    const bytes = repository.files.get(`metadata/${file}`) ?? new Uint8Array();
    const padded = Buffer.concat([bytes, Buffer.alloc(bytesMax, ' ')]);
    repository.files.set(`metadata/${file}`, padded);
    expect(await checkOf(visitor.refresh())).toBe('file-size');
  });

  test('that is no JSON is refused', async () => {
    await visitor.init();
    repository.files.set('metadata/timestamp.json', Buffer.from('<html>sign in</html>'));
    expect(await checkOf(visitor.refresh())).toBe('metadata-form');
  });

  test('missing is refused by name', async () => {
    await visitor.init();
    repository.files.delete('metadata/1.snapshot.json');
    expect(await checkOf(visitor.refresh())).toBe('file-present');
  });
});
