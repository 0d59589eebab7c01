/**
 * Threads of which nobody waits for anything: those that load what is to take over later, until it does, and those of
 * shadows once they have loaded, for as long as they live.
 */
import type { WorkerTask } from '../protocol/worker-task.ts';
import type { LaneReply } from './lane-thread.ts';
import { beNice, bringBack, mayBringBack, type OsThread, putBehind } from './thread-policy.ts';

type Ask = (task: WorkerTask) => Promise<LaneReply>;

/** Puts the thread that is asked behind all others, for good. */
export async function stayBehind(ask: Ask): Promise<void> {
  const thread = await numberOf(ask);
  if (thread !== undefined && !(await putBehind(thread))) beNice(thread);
}

/**
 * Has the thread behind all others while it is filled, for `msMax` milliseconds at most: where no processor is ever free, it
 * would be filled never. It is among them meanwhile where it could not come back, and lost when it does not all the same.
 */
export async function fillBehind(
  fill: () => Promise<LaneReply>,
  { ask, msMax }: { readonly ask: Ask; readonly msMax: number },
): Promise<LaneReply> {
  if (msMax === 0 || !(await mayBringBack())) return fill();
  const thread = await numberOf(ask);
  const { done, isBack } = await doBehind(fill, { thread, msMax });
  if (done.kind === 'lost' || isBack) return done;
  return { kind: 'lost', detail: 'the operating system did not let the thread come back among the others' };
}

/**
 * Has a thread behind all others while it does some work, for `msMax` milliseconds at most, 0 for never. Nothing of that where
 * it could not come back. Rejects as the work does.
 */
export async function workBehind<Value>(
  work: () => Promise<Value>,
  { thread, msMax }: { readonly thread: OsThread | undefined; readonly msMax: number },
): Promise<Value> {
  if (msMax === 0 || thread === undefined || !(await mayBringBack())) return work();
  return (await doBehind(work, { thread, msMax })).done;
}

async function doBehind<Value>(
  work: () => Promise<Value>,
  { thread, msMax }: { readonly thread: OsThread | undefined; readonly msMax: number },
): Promise<{ readonly done: Value; readonly isBack: boolean }> {
  if (thread === undefined || !(await putBehind(thread))) return { done: await work(), isBack: true };
  const patience = setTimeout(() => void bringBack(thread), msMax);
  const doing = work();
  await doing.catch(() => undefined);
  clearTimeout(patience);
  const isBack = await bringBack(thread);
  return { done: await doing, isBack };
}

async function numberOf(ask: Ask): Promise<OsThread | undefined> {
  const reply = await ask({ kind: 'where' });
  return reply.kind === 'here' ? reply.osThread : undefined;
}
