/** What a pool thread does with a task: hand it to the thread's session host, and move large results back. */
import { MessageChannel } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { movedBytes } from '../protocol/moved-bytes.ts';
import type { LoadTask, WorkerReply, WorkerStart, WorkerTask } from '../protocol/worker-task.ts';
import { type HostReply, SessionHost } from './session-host.ts';
import { runtimeModule } from './runtime-module.ts';
import { chooseEngine } from './thread-engine.ts';
import { threadNumber } from './thread-number.ts';

const { arena, engine } = workerData as WorkerStart;
chooseEngine(engine);
const host = new SessionHost(arena);
// The first task would say so, but it comes from a thread that is busy starting itself.
const started = host.start();
/** What is moved there is freed at once, which the garbage collector would do some time. */
const { port1: nobody } = new MessageChannel();
nobody.close();

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
      return withFile(await host.load(task), task);
    case 'unload':
      return host.unload(task.session);
  }
}

/** Gives the file back where the pool has another thread for it, or lets it go. */
function withFile(reply: WorkerReply, { model, givesBack }: LoadTask): WorkerReply {
  const moved = movedBytes(model);
  if (givesBack === true && reply.kind === 'loaded') return crossing({ reply: { ...reply, model }, moved });
  nobody.postMessage(undefined, moved);
  return reply;
}

/** Marks the reply so that the pool moves its large buffers instead of copying them. */
function crossing({ reply, moved }: HostReply): WorkerReply {
  if (moved.length === 0) return reply;
  return move({ [transferableSymbol]: moved, [valueSymbol]: reply }) as never;
}
