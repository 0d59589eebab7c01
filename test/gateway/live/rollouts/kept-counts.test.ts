/** Counts on the disk of a node: over a restart, and with a disk that does not do its part. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KeptCounts } from '../../../../gateway/live/rollouts/kept-counts.ts';
import { RolloutWatch } from '../../../../gateway/live/rollouts/rollout-watch.ts';
import { CanaryJudge } from '../../../../gateway/rollout/canary-judge.ts';

let folder: string;
const troubles: unknown[] = [];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'kept-counts-')), 'counts');
  troubles.length = 0;
});
afterEach(() => {
  rmSync(join(folder, '..'), { recursive: true });
});

function open(): KeptCounts {
  return new KeptCounts({ folder, onTrouble: (trouble) => void troubles.push(trouble) });
}

function watch(requests = 0): RolloutWatch {
  const watched = new RolloutWatch({
    share: 0.5,
    judge: new CanaryJudge(),
    costs: [],
    rollBack: () => undefined,
  });
  for (let user = 0; user < requests; user += 1) {
    watched.ended(watched.trial(user % 2 === 0 ? 'candidate' : 'stable', `user-${user}`), 'OK', user);
  }
  return watched;
}

async function keep(rolloutId: string, requests: number): Promise<void> {
  const counts = open();
  const watched = watch();
  counts.begin(rolloutId, watched);
  for (let user = 0; user < requests; user += 1) {
    watched.ended(watched.trial('candidate', `user-${user}`), 'OK', user);
  }
  await counts.close();
}

function resumed(rolloutId: string): RolloutWatch {
  const watched = watch();
  const counts = open();
  counts.begin(rolloutId, watched);
  void counts.close();
  return watched;
}

/** Requests of both versions. */
function countedIn(watched: RolloutWatch): number {
  const { candidate, stable } = watched.totals.requests;
  return candidate + stable;
}

const filesIn = (): readonly string[] => readdirSync(folder);
const onlyFile = (): string => join(folder, filesIn()[0] ?? '');

describe('KeptCounts', () => {
  test('gives a rollout back what it had counted, and no other one', async () => {
    await keep('iris/../:1', 40);
    expect(resumed('iris/../:1').totals).toMatchObject({
      requests: { candidate: 40, stable: 0 },
      candidateKeys: 40,
    });
    expect(countedIn(resumed('iris:2'))).toBe(0);
    expect(troubles).toEqual([]);
    expect(readFileSync(onlyFile()).byteLength).toBeLessThan(20_000);
  });

  test('a rollout that is over leaves nothing, also when it ends while it is written', async () => {
    const counts = open();
    const watched = watch();
    counts.begin('over', watched);
    watched.ended(watched.trial('candidate', 'ada'), 'OK', 0);
    void counts.write();
    await new Promise((resolve) => setImmediate(resolve));
    counts.end('over');
    await counts.close();
    expect(filesIn()).toEqual([]);
    expect(troubles).toEqual([]);
  });

  test.each([
    ['cut off', (content: Buffer) => content.subarray(0, content.length / 2)],
    ['with a wrong byte', (content: Buffer) => content.map((byte, at) => (at === 200 ? byte ^ 0xff : byte))],
    ['empty', () => Buffer.alloc(0)],
    ['text', () => Buffer.from('{"rollouts": []}')],
  ])('a file that is %s is dropped with a warning, and counting begins anew', async (_, spoil) => {
    await keep('iris', 40);
    writeFileSync(onlyFile(), spoil(readFileSync(onlyFile())));
    expect(countedIn(resumed('iris'))).toBe(0);
    expect(troubles).toHaveLength(1);
    expect(filesIn()).toEqual([]);
    await keep('iris', 3);
    expect(countedIn(resumed('iris'))).toBe(3);
  });

  test('a folder that cannot be written is reported and costs nothing else', async () => {
    writeFileSync(folder, 'a file in its place');
    const counts = open();
    const watched = watch();
    counts.begin('iris', watched);
    watched.ended(watched.trial('candidate', 'ada'), 'OK', 0);
    await counts.close();
    expect(troubles.length).toBeGreaterThan(0);
    expect(countedIn(watched)).toBe(1);
    rmSync(folder);
  });

  test('files of rollouts that nobody asks for are bounded in number, the newest stay', async () => {
    mkdirSync(folder);
    for (let old = 0; old < 70; old += 1) {
      const file = join(folder, `${old}.gz`);
      writeFileSync(file, '');
      utimesSync(file, old, old);
    }
    await keep('iris', 1);
    expect(filesIn()).toHaveLength(64);
    expect(filesIn()).not.toContain('6.gz');
    expect(countedIn(resumed('iris'))).toBe(1);
  });

  test('a node without a disk of its own keeps nothing', async () => {
    const counts = new KeptCounts({ folder: undefined, onTrouble: (trouble) => void troubles.push(trouble) });
    counts.begin('iris', watch());
    await counts.close();
    counts.end('iris');
    expect(troubles).toEqual([]);
  });
});
