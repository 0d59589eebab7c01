/** What survives a restart, and a disk that does not do its part. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RolloutMemory } from '../../../../gateway/live/rollouts/rollout-memory.ts';

let folder: string;
const troubles: unknown[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rollout-memory-'));
  troubles.length = 0;
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function open(file: string | undefined = join(folder, 'state', 'rollouts.json')): RolloutMemory {
  return new RolloutMemory({ file, onTrouble: (trouble) => void troubles.push(trouble) });
}

describe('RolloutMemory', () => {
  test('knows after a restart what it was told before', () => {
    const before = open();
    before.add('iris:1:2', 'worse');
    before.add('iris:1:3', 'worse');
    const after = open();
    expect(['iris:1:2', 'iris:1:3', 'iris:1:4'].map((id) => after.has(id))).toEqual([true, true, false]);
    expect(troubles).toEqual([]);
  });

  test('forgets the oldest when there are too many', () => {
    const memory = open(undefined);
    for (let rollout = 0; rollout <= 1000; rollout += 1) memory.add(`r${rollout}`, 'worse');
    expect([memory.has('r0'), memory.has('r1'), memory.has('r1000')]).toEqual([false, true, true]);
  });

  test.each(['', '{', '[]', '{"rolled_back": [1]}', 'null'])(
    'reports a file that holds %j and goes on',
    (text) => {
      const file = join(folder, 'rollouts.json');
      writeFileSync(file, text);
      const memory = open(file);
      expect(troubles).toHaveLength(1);
      memory.add('iris:1:2', 'worse');
      expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
        rolled_back: ['iris:1:2'],
        steps: {},
        flips: {},
        decisions: [],
      });
    },
  );

  test('remembers the last hundred decisions', () => {
    const file = join(folder, 'rollouts.json');
    const memory = open(file);
    for (let count = 0; count < 101; count += 1) {
      memory.note({ at: '', model: 'iris', rollout_id: `r${count}`, decision: 'began', reason: '' });
    }
    expect([memory.decisions.length, open(file).decisions[0]?.rollout_id]).toEqual([100, 'r1']);
    writeFileSync(file, '{"rolled_back": [], "decisions": [{"at": 7}]}');
    open(file);
    expect(troubles).toHaveLength(1);
  });

  test('knows after a restart how far a rollout was', () => {
    const file = join(folder, 'rollouts.json');
    open(file).setStep('iris:1:2', { step: 2, sinceMs: 7 });
    expect(open(file).stepOf('iris:1:2')).toEqual({ step: 2, sinceMs: 7 });
    expect(open(file).stepOf('iris:1:3')).toBeUndefined();
  });

  test('knows after a restart that it flipped, and what the version before did', () => {
    const file = join(folder, 'rollouts.json');
    const flipped = { sinceMs: 7, reference: { trials: 900, failed: { error: 3, nan: 0 } } };
    open(file).setFlip('iris:1', flipped);
    expect(open(file).flipOf('iris:1')).toEqual(flipped);
    expect(open(file).flipOf('iris:2')).toBeUndefined();
    expect(troubles).toEqual([]);
  });

  test.each(['7', '{}', '{"sinceMs": 7, "reference": {"trials": 1, "failed": {"error": -1, "nan": 0}}}'])(
    'reports a flip that is %s',
    (flip) => {
      const file = join(folder, 'rollouts.json');
      writeFileSync(file, `{"rolled_back": [], "flips": {"iris:1": ${flip}}}`);
      open(file);
      expect(troubles).toHaveLength(1);
    },
  );

  test('remembers until it ends where it cannot write, and says so', () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    const memory = open(join(file, 'rollouts.json'));
    memory.add('iris:1:2', 'worse');
    expect(memory.has('iris:1:2')).toBe(true);
    expect(troubles.length).toBeGreaterThan(0);
  });
});
