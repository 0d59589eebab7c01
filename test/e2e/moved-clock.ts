/**
 * The time of day as gateways in this process see it, which decides how long a rollout was held: it goes on by itself, and
 * is put forward where a test would have to wait. Timers and times of requests go by another clock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished, vi } from 'vitest';

/** Rollouts are looked at every second (gateway/live/rollouts/live-rollouts.ts); with room for a busy machine. Milliseconds. */
const lookedAtMs = 1200;

const timeOfDayMs = Date.now.bind(Date);
let aheadMs = 0;

/** So much time goes by, of which only as much is waited for as rollouts need to be looked at after it. */
export async function timePasses(ms: number): Promise<void> {
  aheadMs += Math.max(0, ms - lookedAtMs);
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => timeOfDayMs() + aheadMs);
  onTestFinished(() => {
    aheadMs = 0;
    clock.mockRestore();
  });
  await sleep(lookedAtMs);
}
