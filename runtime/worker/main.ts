/** What a pool thread does with a task: hand it to the thread's session host, and move large results back. */
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import type { WorkerReply, WorkerStart, WorkerTask } from '../protocol/worker-task.ts';
import { type HostReply, SessionHost } from './session-host.ts';
import { runtimeModule } from './runtime-module.ts';
import { chooseEngine } from './thread-engine.ts';
import { threadNumber } from './thread-number.ts';

const { arena, engine } = workerData as WorkerStart;
chooseEngine(engine);
const host = new SessionHost(arena);
// The first task would say so, but it comes from a thread that is busy starting itself.
const started = host.start();

export default async function handle(task: WorkerTask): Promise<WorkerReply> {
  switch (task.kind) {
    case 'where':
      return { kind: 'here', osThread: threadNumber() };
    case 'hello':
      await started;
      return { kind: 'hello', runtime: runtimeModule() };
    case 'run':
      return crossing(await host.run(task));
    case 'load':
      return host.load(task);
    case 'unload':
      return host.unload(task.session);
  }
}

/** Marks the reply so that the pool moves its large buffers instead of copying them. */
function crossing({ reply, moved }: HostReply): WorkerReply {
  if (moved.length === 0) return reply;
  return move({ [transferableSymbol]: moved, [valueSymbol]: reply }) as never;
}
