/**
 * Before a run of the tests and after it: temporary folders lie in memory, where the system has such a place. Publishers
 * wait for the disk at every step (docs/store.md), and no test can tell a disk from memory; so a slow disk costs no time, and
 * what tests that were killed leave behind goes with the run.
 */
import { mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const memory = '/dev/shm';
const mark = 'tidegate-tests-';
/** Some times what the tests have there at once. Containers often have much less, and stay with their disk. */
const freeBytesMin = 2 * 1024 ** 3;

export default function setup(): (() => void) | undefined {
  // Every project of the tests asks, and a run within a run.
  if (tmpdir().startsWith(join(memory, mark)) || freeBytes() < freeBytesMin) return undefined;
  for (const name of readdirSync(memory).filter((entry) => entry.startsWith(mark))) {
    if (!isAlive(Number(name.slice(mark.length)))) remove(name);
  }
  const mine = `${mark}${process.pid}`;
  mkdirSync(join(memory, mine), { recursive: true, mode: 0o700 });
  process.env['TMPDIR'] = join(memory, mine);
  return () => {
    remove(mine);
  };
}

function freeBytes(): number {
  try {
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function remove(name: string): void {
  rmSync(join(memory, name), { recursive: true, force: true });
}
