/**
 * One publisher at a time, also across processes and machines that share the folder. The lock is a file that names its
 * holder and comes into being whole. A holder that is gone is noticed by its process, if it is of this machine, and by
 * the age of the file. The holder looks again right before it commits, so one that was taken for dead does not commit
 * over another's change.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { FieldReader } from '../manifest/field-reader.ts';
import { StoreError, systemCode } from '../store-error.ts';
import { benchFolder } from '../trust/store-file.ts';
import { createExclusively } from './exclusive-file.ts';

const heldKey = Symbol.for('tidegate.publisher-locks');

export interface PublisherLock {
  /** Throws STORE_LOCKED when somebody took the lock over, which they may only do when this holder seemed gone. */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

interface Holder {
  readonly token: string;
  readonly pid: number;
  /** Threads of one process have one number. */
  readonly thread: number;
  readonly host: string;
}

/** Tokens of this thread's own locks, also those taken by another copy of this code. */
const held = heldByThisThread();

/** A publish copies one model and writes a few small files; a holder this old has crashed, or hangs. */
const staleAfterMs = 10 * 60_000;
const retryEveryMs = 10;
/** Somebody who waits says so this often; who comes anew lets him go first. */
const wantedFreshMs = 200;
/** File times may run a little ahead of the clock. */
const clockSlackMs = 2000;

/** Waits up to `waitMs` for the lock of a store folder, then throws STORE_LOCKED; an aborted signal ends the wait. */
export async function takeLock(folder: string, waitMs: number, signal?: AbortSignal): Promise<PublisherLock> {
  const bench = join(folder, benchFolder);
  await mkdir(bench, { recursive: true });
  const path = join(bench, 'lock');
  const holder: Holder = { token: randomUUID(), pid: process.pid, thread: threadId, host: hostname() };
  let hasWaited = false;
  if (await isWanted(path)) await wait(3 * retryEveryMs);
  const deadlineMs = performance.now() + waitMs;
  for (;;) {
    const other = await readHolder(path);
    if (other === 'none') {
      if (await create(path, holder)) {
        if (hasWaited) await rm(wantedFile(path), { force: true }).catch(() => undefined);
        return new HeldLock(path, holder);
      }
    } else if ((await isGone(path, other)) && (await removeDead(path, { dead: other, by: holder }))) {
      continue;
    }
    if (performance.now() >= deadlineMs || signal?.aborted === true) {
      if (hasWaited) await rm(wantedFile(path), { force: true });
      signal?.throwIfAborted();
      throw locked(other);
    }
    hasWaited = true;
    await writeFile(wantedFile(path), '');
    await wait(retryEveryMs * (0.5 + Math.random()));
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
    if (!isHolder(now, this.#holder)) throw locked(now);
  }

  async release(): Promise<void> {
    // From here on the file stands in nobody's way, even where it cannot be removed.
    held.delete(this.#holder.token);
    if (isHolder(await readHolder(this.#path), this.#holder)) await rm(this.#path, { force: true });
  }
}

/** False when the name is taken, or the draft was swept away by somebody who had the lock meanwhile. */
async function create(path: string, holder: Holder): Promise<boolean> {
  // Before the file is there: others in this thread may find it before this call comes back.
  held.add(holder.token);
  try {
    await createExclusively(path, Buffer.from(JSON.stringify(holder)));
    return true;
  } catch (error) {
    held.delete(holder.token);
    const code = systemCode(error);
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    throw error;
  }
}

/** `unreadable` is a lock that names nobody, which only a file system without hard links can leave. */
type Found = Holder | 'none' | 'unreadable';

async function readHolder(path: string): Promise<Found> {
  try {
    const reader = new FieldReader(JSON.parse(await readFile(path, 'utf8')), 'the lock');
    const holder = {
      token: reader.text('token', { lengthMax: 36, pattern: /^[0-9a-f-]+$/ }),
      pid: reader.integer('pid', { min: 1, max: Number.MAX_SAFE_INTEGER }),
      thread: reader.integer('thread', { min: 0, max: Number.MAX_SAFE_INTEGER }),
      host: reader.text('host', { lengthMax: 255 }),
    };
    return reader.problem === undefined ? holder : 'unreadable';
  } catch (error) {
    if (error instanceof SyntaxError) return 'unreadable';
    if (systemCode(error) === 'ENOENT') return 'none';
    throw error;
  }
}

function isHolder(found: Found, holder: Holder): boolean {
  return typeof found === 'object' && found.token === holder.token;
}

async function isGone(path: string, holder: Found): Promise<boolean> {
  const madeMs = await stat(path).then(({ mtimeMs }) => mtimeMs, ignoreMissing);
  // Released meanwhile: nothing to take over.
  if (madeMs === undefined) return false;
  if (Date.now() - madeMs > staleAfterMs) return true;
  if (typeof holder !== 'object' || holder.host !== hostname()) return false;
  // Made later than now: the clock went back, which happens when a machine without a battery starts again.
  if (madeMs > Date.now() + clockSlackMs) return true;
  // From before this machine started: whoever has that process number now is somebody else.
  if (madeMs < Date.now() - uptime() * 1000 - clockSlackMs) return true;
  if (holder.pid === process.pid) {
    // Our own number, but from before we started: process numbers come back, in containers always.
    if (madeMs < Date.now() - process.uptime() * 1000) return true;
    // Given up by this thread, which was not able to remove it.
    return holder.thread === threadId && !held.has(holder.token);
  }
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

/**
 * Removes the lock of a dead holder. Of several who found it dead only one may, and only while it is still that lock;
 * otherwise the slower one would remove the lock that the faster one has just made. Who removes may die at it too.
 */
async function removeDead(
  path: string,
  { dead, by }: { readonly dead: Found; readonly by: Holder },
): Promise<boolean> {
  const marker = `${path}-of-${typeof dead === 'object' ? dead.token : 'nobody'}`;
  if (!(await create(marker, by))) {
    const remover = await readHolder(marker);
    if (await isGone(marker, remover)) await rm(marker, { force: true });
    return false;
  }
  const now = await readHolder(path);
  const isStill = typeof dead === 'object' ? isHolder(now, dead) : now === 'unreadable';
  if (isStill) await rm(path, { force: true });
  await rm(marker, { force: true });
  return true;
}

function heldByThisThread(): Set<string> {
  const shared = globalThis as unknown as Record<symbol, Set<string> | undefined>;
  return (shared[heldKey] ??= new Set());
}

function wantedFile(path: string): string {
  return `${path}-wanted`;
}

/** Without this, a publisher that makes one change after another would hardly ever let another one in. */
async function isWanted(path: string): Promise<boolean> {
  const askedMs = await stat(wantedFile(path)).then(({ mtimeMs }) => mtimeMs, ignoreMissing);
  return askedMs !== undefined && Math.abs(Date.now() - askedMs) < wantedFreshMs;
}

function locked(holder: Found): StoreError {
  const who = typeof holder === 'object' ? `process ${holder.pid} on ${holder.host}` : 'another publisher';
  return new StoreError(
    'STORE_LOCKED',
    `The store is being changed by ${who}. Nothing was changed here; try again.`,
  );
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}
