/**
 * Asks a gateway for its rollouts again and again and shows them, until a person stops it or what was waited for is done.
 * Time and network are given, so that tests move them by hand.
 */
import { CommandError } from '../command-error.ts';
import { reasonOf } from '../gateway-answer.ts';
import { type Output, write } from '../output.ts';
import { fateWords } from './rollout-block.ts';
import { askRollouts } from './rollout-answer.ts';
import { watchFrame } from './watch-frame.ts';
import { plainCanvas, watchView } from './watch-views.ts';
import { doneRollouts, type EndedRollout, nothingWatched, watchOn } from './watched-rollouts.ts';

export interface WatchOptions {
  /** Of the gateway. */
  readonly node: string;
  readonly intervalMs: number;
  readonly once?: true;
  readonly untilDone?: true;
  readonly json?: true;
}

export interface WatchWorld {
  readonly output: Output;
  readonly nowMs: () => number;
  /** Resolves after that long, or at once when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly fetch: typeof fetch;
  /** Aborts when a person stops the command. */
  readonly signal: AbortSignal;
}

/** A clock on the screen that stands still looks like a fault; a window may change its size. */
const redrawMs = 1000;

/** Resolves when it was stopped, or when all that was waited for is completed; rejects when something else came of it. */
export async function watchRollouts(
  model: string | undefined,
  options: WatchOptions,
  world: WatchWorld,
): Promise<void> {
  const { node: address, intervalMs } = options;
  const { output, signal, fetch } = world;
  const ask = (): ReturnType<typeof askRollouts> => askRollouts({ address, model, fetch, signal });
  // A gateway that was never there is a wrong address; one that goes away comes back.
  let watched = watchOn(nothingWatched, await ask());
  if (options.once === true) {
    const lines = watchFrame({ address, model, watched }, plainCanvas(world.nowMs()));
    write(output, { json: watched.report, lines }, options);
    return;
  }
  const view = watchView(output, { isJson: options.json === true });
  let silent: { readonly sinceMs: number; readonly reason: string } | undefined;
  const show = (): void => {
    view.show({ address, model, watched, ...(silent !== undefined && { silent }) }, world.nowMs());
  };
  try {
    for (;;) {
      show();
      const done = options.untilDone === true ? doneRollouts(watched) : undefined;
      if (done !== undefined) {
        view.close();
        judgeFates(done);
        return;
      }
      if (options.untilDone !== true && output.isRead?.() === false) return;
      if (!(await pause(intervalMs, { ...world, show }))) break;
      try {
        watched = watchOn(watched, await ask());
        silent = undefined;
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        silent ??= { sinceMs: world.nowMs(), reason: reasonOf(error) };
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    view.close();
  }
  // Stopping is how watching ends; who waits for an outcome did not get it.
  if (options.untilDone === true) signal.throwIfAborted();
}

/** False when a person stopped it. */
async function pause(
  intervalMs: number,
  { wait, signal, show }: WatchWorld & { readonly show: () => void },
): Promise<boolean> {
  for (let leftMs = intervalMs; leftMs > 0 && !signal.aborted; leftMs -= redrawMs) {
    await wait(Math.min(leftMs, redrawMs), signal);
    if (leftMs > redrawMs) show();
  }
  return !signal.aborted;
}

function judgeFates(done: readonly EndedRollout[]): void {
  const bad = done.filter(({ fate }) => fate !== 'completed');
  if (bad.length === 0) return;
  const code = bad.some(({ fate }) => fate === 'rolled_back') ? 'ROLLED_BACK' : 'NOT_COMPLETED';
  const texts = bad.map(({ state: { model, candidate }, fate, reason }) => {
    return `The rollout of ${model} to ${candidate} did not complete. It is ${fateWords[fate]}: ${reason}.`;
  });
  throw new CommandError(code, texts.join(' '));
}
