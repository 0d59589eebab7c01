/**
 * What a file server, or somebody on the way to it, could do to a node that follows a store over HTTP: each is refused or
 * waited out under its name, the last good state serves on, and when it stops the node goes on by itself.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { TransferLimits } from '../../../registry-store/storage/transfer-limits.ts';
import { TemporaryStore, nextEvent } from '../temporary-store.ts';
import { expectLastGood, freshState, nextState, nodeOverHttp, openingError } from './node-under-test.ts';
import { type Asked, answerWith, cutAfter, drip, onPath, sendForEver } from './puppet-server.ts';

/** Short, so that what is slow is found to be slow soon; for what is not slow the limits are those of every node. */
const impatient = { stallMs: 500, rateWindowMs: 500, rateBytesMin: 2000 };

/** The files of one refresh in the order in which a node asks for them. */
const stages = [
  ['the timestamp', 'timestamp.json'],
  ['the snapshot', '.snapshot.json'],
  ['the role for what is live', '.deployments.json'],
  ['a role for models', '.models'],
  ['the manifest', '.default.json'],
  ['the model', '.model.onnx'],
] as const;

interface Trouble {
  readonly name: string;
  /** The check, or the code of a failure of transport. */
  readonly expected: string;
  readonly transferLimits?: Partial<TransferLimits>;
  readonly act: (asked: Asked) => void;
}

const troubles: readonly Trouble[] = [
  { name: 'a cut connection', expected: 'SOURCE_UNREACHABLE', act: cutAfter(20) },
  {
    name: 'an answer that never comes',
    expected: 'SOURCE_UNREACHABLE',
    transferLimits: impatient,
    act: () => undefined,
  },
  { name: 'a byte now and then', expected: 'SOURCE_UNREACHABLE', transferLimits: impatient, act: drip(20) },
  { name: 'an error of the server', expected: 'SOURCE_UNREACHABLE', act: answerWith(500) },
  { name: 'no end', expected: 'file-size', act: sendForEver(randomBytes(65_536)) },
  {
    name: 'a redirect elsewhere',
    expected: 'source-answer',
    act: answerWith(302, { location: 'http://127.0.0.1:1/' }),
  },
  {
    name: 'a content encoding',
    expected: 'source-answer',
    act: ({ bytes, res }) => {
      res.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes);
    },
  },
];

describe.each(stages)('%s', (_stage, path) => {
  test.each(troubles)(
    'answered with $name is refused, and the node goes on when it is over',
    async ({ expected, transferLimits = {}, act }) => {
      const store = await TemporaryStore.makeWithIris();
      const { server, open } = await nodeOverHttp(store);
      const opened = await open({ transferLimits });
      const before = opened.current;
      const known = new Set(server.log.map((asked) => asked.path));
      const refused = nextEvent(opened, 'refused');
      const isNew = (asked: Asked): boolean => asked.path.includes('timestamp') || !known.has(asked.path);
      const misbehaviour = onPath(path, act);
      const next = await nextState();
      server.misbehave = (asked) => isNew(asked) && misbehaviour(asked);
      server.folder = next.folder;
      const { error } = await refused;
      expect(error.check ?? error.code).toBe(expected);
      expect(opened.current).toBe(before);
      await expectLastGood(opened);
      expect(opened.condition).toMatchObject({ fresh: false, lastError: { code: error.code } });
      const seen = nextEvent(opened, 'snapshot');
      server.misbehave = () => false;
      expect((await seen).snapshot.deployments.get('iris')?.version).toBe('3.0.0');
      expect(opened.condition.lastError).toBeUndefined();
    },
  );
});

describe('content', () => {
  const contents = [
    ['a truncated model', '.model.onnx', 'artifact-digest', (whole: Buffer) => whole.subarray(0, -1)],
    [
      'a model with a byte too many',
      '.model.onnx',
      'file-size',
      (whole: Buffer) => Buffer.concat([whole, Buffer.alloc(1)]),
    ],
    ['another model', '.model.onnx', 'artifact-digest', (whole: Buffer) => randomBytes(whole.length)],
    [
      'another manifest',
      '.default.json',
      'artifact-digest',
      (whole: Buffer) => Buffer.from(whole.toString().replace('3.0.0', '1.0.0')),
    ],
    [
      'a snapshot of nonsense',
      '.snapshot.json',
      'canonical-bytes',
      (whole: Buffer) => randomBytes(whole.length),
    ],
    [
      'a page for people',
      'timestamp.json',
      'canonical-bytes',
      () => Buffer.from('<html>Sign in to this network</html>'),
    ],
    [
      'keys of JSON said twice',
      '.snapshot.json',
      'signature',
      (whole: Buffer) =>
        Buffer.from(whole.toString().replace('"_type":"snapshot"', '"_type":"snapshot","_type":"snapshot"')),
    ],
    ['a snapshot beyond its bound', '.snapshot.json', 'file-size', () => Buffer.alloc(2_000_001, '{')],
    ['a timestamp beyond its bound', 'timestamp.json', 'file-size', () => Buffer.alloc(16_385, '{')],
    ['a root beyond its bound', '2.root.json', 'file-size', () => Buffer.alloc(512_001, '{')],
  ] as const;

  test.each(contents)(
    '%s is refused, as a change and as a first state',
    async (_name, path, check, forge) => {
      const store = await TemporaryStore.makeWithIris();
      const { server, open } = await nodeOverHttp(store);
      // Only a full look asks for a next root.
      const opened = await open({ reverifyMs: path === '2.root.json' ? 0 : 3600_000 });
      const known = new Set(server.log.filter(({ status }) => status === 200).map((asked) => asked.path));
      const refused = nextEvent(opened, 'refused');
      const next = await nextState();
      // Without a length the node has only the bytes themselves to go by.
      const misbehaviour = onPath(path, ({ bytes, res }) =>
        res.writeHead(200).end(forge(bytes ?? Buffer.alloc(0))),
      );
      server.misbehave = (asked) =>
        (asked.path.includes('timestamp') || !known.has(asked.path)) && misbehaviour(asked);
      server.folder = next.folder;
      expect((await refused).error.check).toBe(check);
      await expectLastGood(opened);
      expect(await openingError(open({ stateFolder: freshState(store) }))).toMatchObject({ check });
    },
  );
});

describe('freshness', () => {
  test('"not modified" for ever does not keep an expired state fresh', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    let nowMs = Date.now();
    const opened = await open({ nowMs: () => nowMs });
    server.misbehave = ({ headers, path, res }) => {
      if (!path.includes('timestamp') || headers['if-none-match'] === undefined) return false;
      res.writeHead(304).end();
      return true;
    };
    const refused = nextEvent(opened, 'refused');
    nowMs += 20 * 365 * 24 * 3600_000;
    expect((await refused).error.check).toBe('expiry');
    expect(opened.condition.fresh).toBe(false);
    await expectLastGood(opened);
  });

  test('a next root is found also while the timestamp stays the same', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    await open({ reverifyMs: 0 });
    const before = server.count('2.root.json');
    await expect.poll(() => server.count('2.root.json')).toBeGreaterThan(before + 1);
  });
});

describe('what is fetched', () => {
  test('is only what is needed, and never twice', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    const opened = await open();
    const seen = nextEvent(opened, 'snapshot');
    await store.deploy('iris', '1.0.0');
    await seen;
    const versioned = server.log.filter(({ path, status }) => status === 200 && !path.includes('timestamp'));
    expect(new Set(versioned.map(({ path }) => path)).size).toBe(versioned.length);
    await opened.close();
    server.log.length = 0;
    // After a restart the node has all it needs on its own disk.
    await (await open()).close();
    const again = server.log.filter(({ path, status }) => status === 200 && !path.includes('timestamp'));
    expect(again).toEqual([]);
  });

  test('leaves models alone that are not deployed, until they are asked for', async () => {
    const next = await (await nextState()).copy();
    await next.deploy('iris', '1.0.0');
    await next.deploy('iris', '2.0.0');
    const { server, open } = await nodeOverHttp(next);
    const opened = await open();
    expect(server.count('models/iris/3.0.0')).toBe(0);
    const version = opened.current.models.get('iris')!.get('3.0.0')!;
    expect(await opened.readArtifact(version)).toHaveLength(version.artifact.lengthBytes);
    expect(server.count('models/iris/3.0.0')).toBe(1);
  });

  test('is polled at intervals, and less often while the server asks for that', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    const opened = await open();
    server.misbehave = onPath('timestamp', answerWith(503, { 'retry-after': '3600' }));
    await nextEvent(opened, 'refused');
    const asked = server.log.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.log).toHaveLength(asked);
  });
});

describe('a store at an address where there is none', () => {
  test('is missing, not wrong', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { server, open } = await nodeOverHttp(store);
    server.misbehave = answerAll(404);
    expect(await openingError(open())).toMatchObject({ code: 'STORE_MISSING' });
    server.misbehave = answerAll(500);
    expect(await openingError(open())).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  test('whose models do not fit into the cache says so', async () => {
    const store = await TemporaryStore.makeWithIris();
    const { open } = await nodeOverHttp(store);
    expect(await openingError(open({ cacheBytesMax: 10 }))).toMatchObject({ code: 'CACHE_FULL' });
  });
});

function answerAll(status: number): (asked: Asked) => boolean {
  return (asked) => {
    answerWith(status)(asked);
    return true;
  };
}
