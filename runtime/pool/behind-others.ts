/**
 * Threads of which nobody waits for anything: those that load what is to take over later, until it does, and those of
 * shadows for as long as they live.
 */
import type { WorkerTask } from '../protocol/worker-task.ts';
import type { LaneReply } from './lane-thread.ts';
import { bringBack, type OsThread, putBehind } from './thread-policy.ts';

type Ask = (task: WorkerTask) => Promise<LaneReply>;

/** Puts the thread that is asked behind all others. Its number, where it has one. */
export async function putThreadBehind(ask: Ask): Promise<OsThread | undefined> {
  const reply = await ask({ kind: 'where' });
  const number = reply.kind === 'here' ? reply.osThread : undefined;
  if (number !== undefined) await putBehind(number);
  return number;
}

/**
 * Has the thread behind all others while it is filled, for `msMax` milliseconds at most: where no processor is ever free, it
 * would be filled never. It is lost when it cannot come back.
 */
export async function fillBehind(
  fill: () => Promise<LaneReply>,
  { ask, msMax }: { readonly ask: Ask; readonly msMax: number },
): Promise<LaneReply> {
  if (msMax === 0) return fill();
  const number = await putThreadBehind(ask);
  if (number === undefined) return fill();
  const patience = setTimeout(() => void bringBack(number), msMax);
  const reply = await fill();
  clearTimeout(patience);
  if (reply.kind === 'lost' || (await bringBack(number))) return reply;
  return { kind: 'lost', detail: 'the operating system did not let the thread come back among the others' };
}
