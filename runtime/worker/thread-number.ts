/** The number that the operating system knows the calling thread by. */
import { readlinkSync } from 'node:fs';

/** Undefined where there is no telling: on another system than Linux, and in a container without /proc. */
export function threadNumber(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // "<process>/task/<thread>"
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    return Number.isInteger(thread) && thread > 0 ? thread : undefined;
  } catch {
    return undefined;
  }
}
