/** One node to a state folder: who comes second is told, and a process that was killed holds nothing. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../served.ts';

const holder = fileURLToPath(new URL('state-holder.mjs', import.meta.url));

interface Outcome {
  readonly held: boolean;
  readonly code?: string;
  readonly message?: string;
}

/** A process that wants the folder, and what became of that; it stays until it is ended. */
async function want(
  folder: string,
): Promise<{ readonly pid: number; readonly outcome: Outcome; end(signal: NodeJS.Signals): Promise<void> }> {
  const child = fork(holder, [folder]);
  const exited = once(child, 'exit');
  onTestFinished(() => void child.kill('SIGKILL'));
  const [outcome] = (await once(child, 'message')) as [Outcome];
  return {
    pid: child.pid ?? 0,
    outcome,
    end: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}

test('the second process is told who has the folder, and what to do', async () => {
  const folder = join(await temporaryFolder(), 'state');
  const first = await want(folder);
  expect(first.outcome).toEqual({ held: true });

  const second = await want(folder);
  expect(second.outcome).toMatchObject({ held: false, code: 'STATE_IN_USE' });
  expect(second.outcome.message).toBe(
    `Process ${first.pid} serves with the state folder ${folder}. Stop it first, or give this one a folder of its own with --state.`,
  );
});

test('a process that was killed holds nothing, and of many that come after it one gets the folder', async () => {
  const folder = await temporaryFolder();
  const first = await want(folder);
  await first.end('SIGKILL');
  expect(existsSync(join(folder, 'in-use.socket'))).toBe(true);

  const next = await Promise.all(Array.from({ length: 4 }, () => want(folder)));
  expect(next.filter(({ outcome }) => outcome.held)).toHaveLength(1);
});

test("a folder with a long name is held as well, and let go at an end of one's own", async () => {
  const folder = join(await temporaryFolder(), 'long-'.repeat(30));
  const first = await want(folder);
  expect((await want(folder)).outcome).toMatchObject({ held: false, code: 'STATE_IN_USE' });
  await first.end('SIGTERM');
  expect(existsSync(join(folder, 'in-use.socket'))).toBe(false);
  expect((await want(folder)).outcome).toEqual({ held: true });
});
