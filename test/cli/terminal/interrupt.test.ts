/** Ctrl-C: work that can still stop does, work that is done is told, and no handler stays behind. */
import { expect, test } from 'vitest';
import { Interrupted, interruptible } from '../../../cli/terminal/interrupt.ts';

function handlers(): number {
  return process.listenerCount('SIGINT') + process.listenerCount('SIGTERM') + process.listenerCount('SIGHUP');
}

test('work that can still stop ends with Interrupted', async () => {
  const before = handlers();
  const work = interruptible(
    (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
        process.emit('SIGINT');
      }),
  );
  await expect(work).rejects.toThrow(Interrupted);
  expect(handlers()).toBe(before);
});

test('work that is past the point of no return resolves', async () => {
  const done = await interruptible((signal) => {
    process.emit('SIGINT');
    return Promise.resolve(signal.aborted);
  });
  expect(done).toBe(true);
});

test('an error of the work itself stays what it is', async () => {
  const before = handlers();
  await expect(interruptible(() => Promise.reject(new RangeError('its own')))).rejects.toThrow(RangeError);
  expect(handlers()).toBe(before);
});
