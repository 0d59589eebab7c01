/** What scenarios that change the store under load have in common: waiting for a change to show, and a watch as long as it takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PhaseReport } from '../load/load-job.ts';

/** Milliseconds for what is waited for to show: a gateway looks at its store every second. */
const changeMsMax = 60_000;
const lookAgainMs = 50;

/** Rejects when it does not show in time; `what` says in the message what did not. */
export async function until(isSo: () => Promise<boolean>, what = 'A change of the store'): Promise<void> {
  const endMs = performance.now() + changeMsMax;
  while (performance.now() < endMs) {
    if (await isSo()) return;
    await sleep(lookAgainMs);
  }
  throw new Error(`${what} did not show within ${changeMsMax / 1000} s.`);
}

/** Window after window until the work is over: how much of it fits into one is not known. Rejects as the work does. */
export async function watchedDuring(
  watch: () => Promise<PhaseReport>,
  work: Promise<unknown>,
): Promise<readonly PhaseReport[]> {
  const parts: PhaseReport[] = [];
  const done = new AbortController();
  const over = (): void => {
    done.abort();
  };
  work.then(over, over);
  do parts.push(await watch());
  while (!done.signal.aborted);
  await work;
  return parts;
}
