/**
 * Asks one gateway or several for their rollouts again and again and shows them, until a person stops it or what was waited for is done.
 * Time and network are given, so that tests move them by hand.
 */
import { CommandError } from '../command-error.ts';
import { reasonOf } from '../gateway-answer.ts';
import { type Output, write } from '../output.ts';
import { fateWords } from './rollout-block.ts';
import { askRollouts } from './rollout-answer.ts';
import { fleetPicture } from './fleet-frame.ts';
import { pictureOf, type Sight } from './watch-frame.ts';
import { type Picture, plainCanvas, watchView } from './watch-views.ts';
import { doneRollouts, type EndedRollout, nothingWatched, watchOn } from './watched-rollouts.ts';

export interface WatchOptions {
  /** Of the gateways, one or more. */
  readonly node: readonly string[];
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
  const { output, signal } = world;
  const withEvidence = options.node.length > 1;
  const ask = (address: string): ReturnType<typeof askRollouts> =>
    askRollouts({ address, model, withEvidence, signal, fetch: world.fetch });
  // A gateway that was never there is a wrong address; one that goes away comes back.
  let sights: readonly Sight[] = await Promise.all(
    options.node.map(async (address) => ({
      address,
      model,
      watched: watchOn(nothingWatched, await ask(address)),
    })),
  );
  if (options.once === true) {
    const picture = pictureOfAll(sights, world.nowMs());
    write(output, { json: picture.json, lines: picture.frame(plainCanvas(world.nowMs())) }, options);
    return;
  }
  const view = watchView(output, { isJson: options.json === true });
  const show = (): void => {
    view.show(pictureOfAll(sights, world.nowMs()), world.nowMs());
  };
  try {
    for (;;) {
      show();
      const done = options.untilDone === true ? doneEverywhere(sights) : undefined;
      if (done !== undefined) {
        view.close();
        judgeFates(done);
        return;
      }
      if (options.untilDone !== true && output.isRead?.() === false) return;
      if (!(await pause(options.intervalMs, { ...world, show }))) break;
      sights = await Promise.all(sights.map((sight) => lookAgain(sight, ask, world.nowMs())));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    view.close();
  }
  // Stopping is how watching ends; who waits for an outcome did not get it.
  if (options.untilDone === true) signal.throwIfAborted();
}

async function lookAgain(
  sight: Sight,
  ask: (address: string) => ReturnType<typeof askRollouts>,
  nowMs: number,
): Promise<Sight> {
  const { address, model, watched } = sight;
  try {
    return { address, model, watched: watchOn(watched, await ask(address)) };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { ...sight, silent: sight.silent ?? { sinceMs: nowMs, reason: reasonOf(error) } };
  }
}

function pictureOfAll(sights: readonly Sight[], nowMs: number): Picture {
  const [only, ...others] = sights;
  return only !== undefined && others.length === 0 ? pictureOf(only) : fleetPicture(sights, nowMs);
}

/** Undefined while something is on its way at one of the gateways, or one of them has nothing yet. */
function doneEverywhere(sights: readonly Sight[]): readonly EndedRollout[] | undefined {
  const done = sights.flatMap(({ watched }) => {
    const ended = doneRollouts(watched);
    return ended === undefined ? [] : [ended];
  });
  return done.length === sights.length ? done.flat() : undefined;
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
