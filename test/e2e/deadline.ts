/**
 * Waiting without sleeping: for a promise, or for a condition that is looked at again and again, and never longer than a
 * deadline that names what was waited for.
 */
import { performance } from 'node:perf_hooks';

const deadlineMsDefault = 10_000;
const lookAgainMs = 2;

export async function within<Value>(
  promise: Promise<Value>,
  what: string,
  deadlineMs: number = deadlineMsDefault,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${deadlineMs} ms for ${what}`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with the first value that is neither undefined nor false. */
export async function eventually<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  what: string,
  deadlineMs: number = deadlineMsDefault,
): Promise<Value> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > until) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}
