/** The priority of one thread, which Linux has and Node can set once the number of the thread is known. */
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** From now on this thread runs when nothing else wants to. Where that cannot be said, it runs like any other. */
export function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    // "<process>/task/<thread>"
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    if (Number.isInteger(thread) && thread > 0) setPriority(thread, constants.priority.PRIORITY_LOW);
  } catch {
    // A container without /proc: the queue is bounded all the same.
  }
}
