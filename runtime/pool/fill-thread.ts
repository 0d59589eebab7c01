/** Brings a thread to the point where it can take work: it answers, and holds the sessions that it must and no others. */
import type { LoadTask, WorkerTask } from '../protocol/worker-task.ts';
import { type LaneReply, type LaneThread, messageOf } from './lane-thread.ts';

export interface SessionToLoad {
  readonly session: number;
  /** Reads the file; its bytes are held only while it is loaded. `isAwaited`: somebody waits for the thread. */
  readonly task: (isAwaited: boolean) => Promise<LoadTask>;
}

export interface ThreadFilling {
  /** In this order; one that is `last` too waits for its turn. */
  readonly sessions: readonly SessionToLoad[];
  readonly last: SessionToLoad | undefined;
  /** What the thread holds; it changes with what is asked. */
  readonly held: ReadonlySet<number>;
  /** Whether the thread may take work all the same when it could not load this session. */
  readonly mayMiss: (session: number) => boolean;
  readonly isAwaited: boolean;
  readonly ask: (task: WorkerTask) => Promise<LaneReply>;
}

/** What `last` was answered, or what went wrong before it. */
export async function fillThread(filling: ThreadFilling): Promise<LaneReply> {
  const { sessions, held, last, mayMiss, isAwaited, ask } = filling;
  let reply = await ask({ kind: 'hello' });
  const wanted = new Set(sessions.map(({ session }) => session));
  try {
    for (const session of [...held]) if (!wanted.has(session)) await ask({ kind: 'unload', session });
    for (const { session, task } of sessions) {
      if (reply.kind === 'lost') return reply;
      if (session === last?.session || held.has(session)) continue;
      const given = await ask(await task(isAwaited));
      if (given.kind !== 'failed') reply = given;
      else if (!mayMiss(session)) return given;
    }
    if (last === undefined || reply.kind === 'lost') return reply;
    return await ask(await last.task(isAwaited));
  } catch (error) {
    return { kind: 'lost', detail: `a model could not be read: ${messageOf(error)}` };
  }
}

/** Asks, and calls `onOverdue` when there is no answer within `limitMs`: it should end the thread. */
export async function askWithin(
  thread: LaneThread,
  task: WorkerTask,
  { limitMs, onOverdue }: { readonly limitMs: number; readonly onOverdue: () => void },
): Promise<LaneReply> {
  const timer = setTimeout(onOverdue, limitMs);
  const reply = await thread.ask(task);
  clearTimeout(timer);
  return reply;
}
