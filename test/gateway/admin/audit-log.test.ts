/** The audit log: one line for each change, whole and on the disk, also around a crash, a full disk and a rotation. */
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type AuditEntry, AuditLog } from '../../../gateway/admin/audit-log.ts';

const entry: AuditEntry = {
  at: '2026-01-01T00:00:00.000Z',
  token: 'ci',
  remote: '127.0.0.1',
  method: 'POST',
  path: '/deploy_model',
  model: 'iris',
  status: 201,
  code: 'OK',
  revision: 4,
};

let folder: string;
let path: string;
let troubles: unknown[];
let log: AuditLog;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-audit-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  path = join(folder, 'audit.jsonl');
  troubles = [];
  log = new AuditLog(path, (trouble) => troubles.push(trouble));
});

async function revisions(file = path): Promise<readonly unknown[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  expect(lines.at(-1)).toBe('');
  return lines.slice(0, -1).map((line) => (JSON.parse(line) as AuditEntry).revision);
}

test('writes lines in the order they were asked for, for its owner alone', async () => {
  const written = [1, 2, 3, 4, 5].map((revision) => log.append({ ...entry, revision }));
  expect(await Promise.all(written)).toEqual([true, true, true, true, true]);
  expect(await revisions()).toEqual([1, 2, 3, 4, 5]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('text of clients stays in its line', async () => {
  await log.append({ ...entry, path: '/a\n{"code":"OK"}\u2028' });
  expect(await revisions()).toEqual([4]);
});

test('begins a new line behind one that a crash cut off', async () => {
  await writeFile(path, '{"at":"2026');
  await log.append(entry);
  const [torn, whole] = (await readFile(path, 'utf8')).split('\n');
  expect(torn).toBe('{"at":"2026');
  expect(JSON.parse(whole ?? '')).toEqual(entry);
});

test('goes on in a new file when the old one was moved away', async () => {
  await log.append({ ...entry, revision: 1 });
  await rename(path, `${path}.1`);
  await log.append({ ...entry, revision: 2 });
  expect([await revisions(`${path}.1`), await revisions()]).toEqual([[1], [2]]);
});

test('keeps what it cannot write, says so, and writes it first', async () => {
  await rm(folder, { recursive: true });
  expect(await log.isReady()).toBe(false);
  expect(await log.append({ ...entry, revision: 7 })).toBe(false);
  expect(troubles).toHaveLength(2);
  await mkdir(folder);
  expect(await log.isReady()).toBe(true);
  expect(await log.append({ ...entry, revision: 8 })).toBe(true);
  expect(await revisions()).toEqual([7, 8]);
});

test('is no folder and no device', async () => {
  expect(await new AuditLog(folder, () => undefined).isReady()).toBe(false);
  expect(await new AuditLog('/dev/null', () => undefined).isReady()).toBe(false);
  await writeFile(path, '');
  await chmod(path, 0o600);
  expect(await log.isReady()).toBe(true);
});
