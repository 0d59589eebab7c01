/** The event loop turns for a moment after an answer, and then sleeps. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
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
  await sleep(20);
  expect(turnsOfOthers()).toBe(before);
  awake.answered();
  expect(turnsOfOthers()).toBe(before + 1);
});
