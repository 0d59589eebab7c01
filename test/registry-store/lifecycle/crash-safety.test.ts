/**
 * A publisher that dies at any system call leaves a store that verifies, in the state before its change or after it, and
 * does not stand in the way of the next one. Most deaths are simulated in this process: from the chosen call on nothing
 * reaches the disk any more. A few are real.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  collectGarbage,
  deployModel,
  moveStage,
  readHistory,
  readStatus,
  refreshStore,
  rotateKey,
  verifyStore,
} from '../../../registry-store/main.ts';
import { TemporaryStore } from '../temporary-store.ts';
import { armFaults, disarmFaults } from './fault-injection.mjs';

/** Every call in a full run, which takes minutes; some of them, spread over the whole change, in a normal one. */
const isFull = process.env['TIDEGATE_FULL_FAULTS'] === '1';
const timeout = isFull ? 1_200_000 : 60_000;

function someOf(calls: number, count: number): readonly number[] {
  if (isFull) return Array.from({ length: calls }, (_, index) => index + 1);
  const step = Math.max(1, Math.floor(calls / count));
  return Array.from({ length: Math.ceil(calls / step) }, (_, index) => 1 + index * step);
}

type Change = (store: TemporaryStore) => Promise<unknown>;

const nowMs = Date.now();
/** With the number of deaths in a normal run. */
const changes: readonly (readonly [string, Change, number])[] = [
  ['publishes a version', (store) => store.publish('iris', '3.0.0'), 7],
  ['publishes a new model', (store) => store.publish('tulip', '1.0.0'), 5],
  [
    'deploys',
    (store) => deployModel({ ...store.publisher, nowMs, model: 'iris', version: '1.0.0', actor: 'test' }),
    7,
  ],
  [
    'moves a stage',
    (store) =>
      moveStage({ ...store.publisher, nowMs, model: 'iris', version: '2.0.0', to: 'production', actor: 'a' }),
    4,
  ],
  ['refreshes', (store) => refreshStore({ ...store.publisher, nowMs }), 3],
  ...(['timestamp', 'snapshot', 'targets', 'root', 'models', 'deployments'] as const).map(
    (role) =>
      [
        `rotates the key of ${role}`,
        (store: TemporaryStore) => rotateKey({ ...store.publisher, nowMs, role, actor: 'test' }),
        role === 'models' || role === 'timestamp' ? 6 : 3,
      ] as const,
  ),
  ['collects garbage', (store) => collectGarbage({ ...store.publisher, nowMs, keepSuperseded: 0 }), 5],
];

const deadPid = spawnSync(process.execPath, ['-e', '']).pid;

/** In this process the dead publisher looks alive: it has our number. */
function bury(store: TemporaryStore): void {
  const path = join(store.folder, '.publisher', 'lock');
  if (!existsSync(path)) return;
  const lock = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...lock, pid: deadPid }));
}

/** What a store says, without what a refresh changes. */
async function meaningOf(store: TemporaryStore): Promise<string> {
  const { snapshot } = await readStatus(store.reader);
  const history = await readHistory(store.reader);
  const versions = [...snapshot.models].map(([model, table]) => [
    model,
    [...table].map(([version, { stage }]) => `${version} ${stage}`),
  ]);
  return JSON.stringify([
    snapshot.revision,
    versions,
    [...snapshot.deployments.values()],
    history.map(({ revision, action }) => `${revision} ${action}`),
  ]);
}

describe('a publisher that dies while it', () => {
  const base = new TemporaryStore(join(tmpdir(), `tidegate-crash-${process.pid}`));
  beforeAll(async () => {
    await base.init();
    for (const version of ['1.0.0', '2.0.0']) await base.publish('iris', version);
    await base.deploy('iris', '2.0.0');
  });
  afterAll(() => base.remove());

  function copyOf(name: string): TemporaryStore {
    const copy = new TemporaryStore(`${base.base}-${name}`);
    cpSync(base.base, copy.base, { recursive: true });
    return copy;
  }

  test.each(changes)('%s', { timeout }, async (name, change, deaths) => {
    const whole = copyOf('whole');
    const before = await meaningOf(whole);
    armFaults({ at: Number.POSITIVE_INFINITY, effect: 'none' });
    await change(whole);
    const { calls } = disarmFaults();
    const after = await meaningOf(whole);
    rmSync(whole.base, { recursive: true });
    expect(calls, name).toBeGreaterThan(5);

    const reached = new Set<string>();
    for (const at of someOf(calls, deaths)) {
      const store = copyOf(`at-${at}`);
      armFaults({ at, effect: 'crash' });
      await change(store).catch(() => undefined);
      disarmFaults();
      bury(store);
      const found = await meaningOf(store);
      expect([before, after], `killed at call ${at} of ${calls}`).toContain(found);
      reached.add(found);
      // The next publisher is not in the way, and afterwards everything is as it should be.
      await store.publish('iris', '9.0.0');
      if (isFull) await verifyStore(store.reader);
      else await readStatus(store.reader);
      rmSync(store.base, { recursive: true });
    }
    expect(reached).toContain(before);
  });
});

describe('a publisher that is killed with SIGKILL', () => {
  const script = `
    import { readFileSync } from 'node:fs';
    import { publishModel } from ${JSON.stringify(new URL('../../../dist/registry-store/main.js', import.meta.url).href)};
    const [folder, ...keysFolders] = process.argv.slice(1);
    const artifact = readFileSync(${JSON.stringify(new URL('../../../deploy/demo/models/iris-1.0.0.onnx', import.meta.url).pathname)});
    const about = { framework: 'test', author: 'test', actor: 'test', artifact };
    await publishModel({ folder, keysFolders, nowMs: Date.now(), model: 'iris', version: '3.0.0', ...about });`;

  test('at some of its calls', { timeout }, async () => {
    const preload = new URL('fault-injection.mjs', import.meta.url).href;
    let killed = 0;
    for (const at of isFull ? Array.from({ length: 100 }, (_, index) => index + 1) : [4, 23, 58]) {
      const store = await TemporaryStore.makeWithIris();
      const child = spawnSync(
        process.execPath,
        ['--import', preload, '--input-type=module', '-e', script, store.folder, store.keysFolder],
        { env: { ...process.env, TIDEGATE_KILL_AT: String(at) }, encoding: 'utf8' },
      );
      if (child.signal === 'SIGKILL') killed += 1;
      else expect(child.status, child.stderr).toBe(0);
      const { snapshot } = await readStatus(store.reader);
      expect([5, 6]).toContain(snapshot.revision);
      await store.publish('iris', '9.0.0');
      await verifyStore(store.reader);
    }
    expect(killed).toBeGreaterThan(1);
  });
});

describe('a disk that does not take any more', () => {
  afterAll(() => {
    disarmFaults();
  });

  test.each(['ENOSPC', 'EIO', 'EROFS'])(
    '(%s) leaves the store before or after, and says so',
    { timeout },
    async (code) => {
      const whole = await TemporaryStore.makeWithIris();
      armFaults({ at: Number.POSITIVE_INFINITY, effect: 'none' });
      await whole.publish('iris', '3.0.0');
      const { calls } = disarmFaults();
      for (const at of someOf(calls, 5)) {
        const store = await TemporaryStore.makeWithIris();
        armFaults({ at, effect: code === 'EIO' ? 'fail' : 'full', code });
        const outcome = await store.publish('iris', '3.0.0').catch((error: unknown) => error);
        disarmFaults();
        if (outcome !== undefined)
          expect(outcome, `at call ${at}`).toMatchObject({ code: 'FILE_UNREADABLE' });
        const { snapshot } = await readStatus(store.reader);
        expect([5, 6], `at call ${at}`).toContain(snapshot.revision);
        // Nothing was interrupted, so nothing waits for anybody: the lock is free and the folder tidy.
        await store.publish('iris', '9.0.0');
        await verifyStore(store.reader);
      }
    },
  );
});
