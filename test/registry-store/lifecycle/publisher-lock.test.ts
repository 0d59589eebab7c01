/** Who may change the store: one at a time, and a dead holder does not stand in the way. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { takeLock } from '../../../registry-store/lifecycle/publisher-lock.ts';
import { TemporaryStore } from '../temporary-store.ts';

async function emptyFolder(): Promise<string> {
  const store = await TemporaryStore.make();
  await mkdir(join(store.base, '.publisher'));
  return store.base;
}

async function leaveLock(folder: string, holder: object | string): Promise<string> {
  const path = join(folder, '.publisher', 'lock');
  await writeFile(path, typeof holder === 'string' ? holder : JSON.stringify(holder));
  return path;
}

const token = '00000000-0000-4000-8000-000000000000';

test('the second waits for the first', async () => {
  const folder = await emptyFolder();
  const first = await takeLock(folder, 0);
  await expect(takeLock(folder, 0)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  const second = takeLock(folder, 10_000);
  await first.release();
  await (await second).release();
  expect(await readdir(join(folder, '.publisher'))).toEqual([]);
});

test('the message names the holder', async () => {
  const folder = await emptyFolder();
  await takeLock(folder, 0);
  await expect(takeLock(folder, 0)).rejects.toThrow(`process ${process.pid} on ${hostname()}`);
});

test('the lock of a process that is gone is taken over', async () => {
  const folder = await emptyFolder();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  await leaveLock(folder, { token, pid, thread: 0, host: hostname() });
  await (await takeLock(folder, 0)).release();
});

test('the lock of an earlier process with our number is taken over', async () => {
  const folder = await emptyFolder();
  const path = await leaveLock(folder, { token, pid: process.pid, thread: 1, host: hostname() });
  const beforeUs = new Date(Date.now() - process.uptime() * 1000 - 60_000);
  await utimes(path, beforeUs, beforeUs);
  await (await takeLock(folder, 0)).release();
});

test('a lock from the future is from before the clock went back', async () => {
  const folder = await emptyFolder();
  const path = await leaveLock(folder, { token, pid: process.ppid, thread: 0, host: hostname() });
  const future = new Date(Date.now() + 3600_000);
  await utimes(path, future, future);
  await (await takeLock(folder, 0)).release();
});

test('of many who find a dead lock, one at a time gets it', async () => {
  const folder = await emptyFolder();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  await leaveLock(folder, { token, pid, thread: 0, host: hostname() });
  let held = 0;
  const turns = Array.from({ length: 8 }, async () => {
    const lock = await takeLock(folder, 30_000);
    expect(++held).toBe(1);
    await lock.assertHeld();
    held--;
    await lock.release();
  });
  await Promise.all(turns);
  expect(await readdir(join(folder, '.publisher'))).toEqual([]);
});

test.each([
  ['of another machine', { token, pid: 1, thread: 0, host: 'elsewhere' }],
  ['without content, as a power cut leaves it', ''],
])('a lock %s is respected while it is young, and taken over when it is old', async (_, holder) => {
  const folder = await emptyFolder();
  const path = await leaveLock(folder, holder);
  await expect(takeLock(folder, 0)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  const longAgo = new Date(Date.now() - 3600_000);
  await utimes(path, longAgo, longAgo);
  await (await takeLock(folder, 0)).release();
});

test('a holder that lost the lock finds out before it commits, and does not release the next one’s', async () => {
  const folder = await emptyFolder();
  const slow = await takeLock(folder, 0);
  await rm(join(folder, '.publisher', 'lock'));
  const next = await takeLock(folder, 0);
  await expect(slow.assertHeld()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
  await slow.release();
  await next.assertHeld();
  await next.release();
});

test('a lock counts from the moment its file is there, also for others in this thread', async () => {
  const folder = await emptyFolder();
  const path = join(folder, '.publisher', 'lock');
  for (let round = 0; round < 30; round++) {
    const taking = takeLock(folder, 0);
    while (!existsSync(path)) await setImmediate();
    await expect(takeLock(folder, 0)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    const lock = await taking;
    await lock.assertHeld();
    await lock.release();
  }
});

test('a lock that this thread gave up and could not remove stands in nobody’s way here', async () => {
  const folder = await emptyFolder();
  const lock = await takeLock(folder, 0);
  const path = join(folder, '.publisher', 'lock');
  const left = await readFile(path);
  await lock.release();
  await writeFile(path, left);
  await (await takeLock(folder, 0)).release();
  expect(await readdir(join(folder, '.publisher'))).toEqual([]);
});
