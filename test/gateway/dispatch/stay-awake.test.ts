/** The event loop turns for a moment after an answer, and then sleeps. */
import { expect, test, vi } from 'vitest';
import { StayAwake } from '../../../gateway/dispatch/stay-awake.ts';

function turnsOfOthers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length;
}

test('an answer keeps the loop turning, however many there were, and not for long', async () => {
  const before = turnsOfOthers();
  const awake = new StayAwake();
  awake.answered();
  expect(turnsOfOthers()).toBe(before + 1);
  awake.answered();
  expect(turnsOfOthers()).toBe(before + 1);
  await vi.waitUntil(() => turnsOfOthers() === before, { timeout: 20_000, interval: 5 });
  awake.answered();
  expect(turnsOfOthers()).toBe(before + 1);
});
