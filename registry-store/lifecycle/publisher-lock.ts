/**
 * One publisher at a time, also across processes and machines that share the folder. The lock is a file that names its
 * holder. A holder that is gone is noticed by its process, if it is of this machine, and by the age of the file.
 * The holder looks again right before it commits, so one that was taken for dead does not commit over another's change.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { FieldReader } from '../manifest/field-reader.ts';
import { StoreError, systemCode } from '../store-error.ts';
import { writeFlushed } from '../storage/durable-file.ts';
import { benchFolder } from '../trust/store-file.ts';

export interface PublisherLock {
  /** Throws STORE_LOCKED when somebody took the lock over, which they may only do when this holder seemed gone. */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

interface Holder {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
}

/** A publish copies one model and writes four small files; a holder this old has crashed, or hangs. */
const staleAfterMs = 10 * 60_000;
const retryEveryMs = 20;
/** File times may run a little ahead of the clock. */
const clockSlackMs = 2000;

/** Waits up to `waitMs` for the lock of a store folder, then throws STORE_LOCKED. */
export async function takeLock(folder: string, waitMs: number): Promise<PublisherLock> {
  const bench = join(folder, benchFolder);
  await mkdir(bench, { recursive: true });
  const path = join(bench, 'lock');
  const holder: Holder = { token: randomUUID(), pid: process.pid, host: hostname() };
  for (let waitedMs = 0; ; waitedMs += retryEveryMs) {
    if (await create(path, holder)) return new HeldLock(path, holder);
    const other = await readHolder(path);
    if ((await isGone(path, other)) && (await removeDead(path, other))) continue;
    if (waitedMs >= waitMs) throw locked(other);
    await wait(retryEveryMs);
  }
}

class HeldLock implements PublisherLock {
  readonly #path: string;
  readonly #holder: Holder;

  constructor(path: string, holder: Holder) {
    this.#path = path;
    this.#holder = holder;
  }

  async assertHeld(): Promise<void> {
    const now = await readHolder(this.#path);
    if (now?.token !== this.#holder.token) throw locked(now);
  }

  async release(): Promise<void> {
    const now = await readHolder(this.#path);
    if (now?.token === this.#holder.token) await rm(this.#path, { force: true });
  }
}

async function create(path: string, holder: Holder | undefined): Promise<boolean> {
  try {
    await writeFlushed(path, Buffer.from(JSON.stringify(holder ?? {})));
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined when there is no lock, when its holder has not written its name yet, or crashed before it did. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const reader = new FieldReader(JSON.parse(await readFile(path, 'utf8')), 'the lock');
    const holder = {
      token: reader.text('token', { lengthMax: 36, pattern: /^[0-9a-f-]+$/ }),
      pid: reader.integer('pid', { min: 1, max: Number.MAX_SAFE_INTEGER }),
      host: reader.text('host', { lengthMax: 255 }),
    };
    return reader.problem === undefined ? holder : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function isGone(path: string, holder: Holder | undefined): Promise<boolean> {
  const madeMs = await stat(path).then(({ mtimeMs }) => mtimeMs, ignoreMissing);
  // Released meanwhile: nothing to take over.
  if (madeMs === undefined) return false;
  if (Date.now() - madeMs > staleAfterMs) return true;
  if (holder === undefined || holder.host !== hostname()) return false;
  // Made later than now: the clock went back, which happens when a machine without a battery starts again.
  if (madeMs > Date.now() + clockSlackMs) return true;
  // Our own number, but from before we started: process numbers come back, in containers always.
  if (holder.pid === process.pid) return madeMs < Date.now() - process.uptime() * 1000;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

/**
 * Removes the lock of a dead holder. Of several who found it dead only one may, and only while it is still that lock;
 * otherwise the slower one would remove the lock that the faster one has just made.
 */
async function removeDead(path: string, dead: Holder | undefined): Promise<boolean> {
  const marker = `${path}-of-${dead?.token ?? 'nobody'}`;
  if (!(await create(marker, dead))) {
    if (await isGone(marker, undefined)) await rm(marker, { force: true });
    return false;
  }
  const now = await readHolder(path);
  if (now?.token === dead?.token) await rm(path, { force: true });
  await rm(marker, { force: true });
  return true;
}

function locked(holder: Holder | undefined): StoreError {
  const who = holder === undefined ? 'another publisher' : `process ${holder.pid} on ${holder.host}`;
  return new StoreError(
    'STORE_LOCKED',
    `The store is being changed by ${who}. Nothing was changed here; try again.`,
  );
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}
