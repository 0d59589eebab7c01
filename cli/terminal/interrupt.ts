/**
 * Ctrl-C while a command works: the first one asks the work to stop where nothing is half done, the second one does not
 * wait. The exit code is that of a program which a signal ended, so that shells and scripts stop too.
 */

export const interruptedExitCode = 130;

/** A person stopped the command. */
export class Interrupted extends Error {
  constructor() {
    super('Interrupted; nothing was changed.');
    this.name = 'Interrupted';
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `work` with a signal that aborts on Ctrl-C. Rejects with `Interrupted` when the work gave up because of it. Work
 * that was past the point of no return resolves as always: what is in force is told.
 */
export async function interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(interruptedExitCode);
    controller.abort(new Interrupted());
  };
  for (const name of signals) process.on(name, stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && isAbort(error, controller.signal)) throw new Interrupted();
    throw error;
  } finally {
    for (const name of signals) process.off(name, stop);
  }
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError');
}
