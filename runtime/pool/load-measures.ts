/** What the loads of one model on several threads say about it together. Pure. */
import type { Loaded, RunCost } from '../protocol/worker-task.ts';
import type { ModelToLoad } from './held-sessions.ts';
import type { LoadedModel } from './pool-options.ts';

/** Default of `PoolOptions.inlineModelBytesMax`. */
export const inlineModelBytesMaxDefault: number = 256 * 1024;

/** Whether even the largest batch costs less than waking a thread. Only fixed row shapes have a known cost. */
export function isCheap(
  { signature, warmRows, hasSteadyCost }: ModelToLoad,
  loaded: readonly Pick<Loaded, 'costs'>[],
  { file, inlineRunUsMax }: { readonly file: Uint8Array; readonly inlineRunUsMax: number },
): boolean {
  const bounded = signature.inputs.every((input) => input.shape.slice(1).every((size) => size >= 0));
  const rows = signature.fixedRows ?? warmRows.at(-1) ?? 1;
  return (
    bounded &&
    loaded.every(({ costs }) => costs.some((cost) => cost.rows === rows && cost.us <= inlineRunUsMax)) &&
    hasSteadyCost?.(file) !== false
  );
}

/**
 * What a session takes on one thread, about: at least its weights, and what the memory of the thread grew by when it was
 * loaded, which is nothing where it found room that others had left.
 */
function sessionBytes({ heapGrownBytes = 0 }: Loaded, fileBytes: number): number {
  return Math.max(heapGrownBytes, fileBytes);
}

/** What else the machine does disturbs a measurement: what a run costs is what the luckiest of them measured. */
export function lowestCosts(byLane: readonly (readonly RunCost[])[]): readonly RunCost[] {
  const [first = [], ...others] = byLane;
  return first.map(({ rows, us }) => ({
    rows,
    us: Math.min(us, ...others.map((costs) => costs.find((cost) => cost.rows === rows)?.us ?? Infinity)),
  }));
}

/** Of one model on several threads: the longest time that any of them needed, milliseconds, and what it takes on all of them. */
export function loadTotals(
  loaded: readonly Loaded[],
  fileBytes: number,
): Pick<LoadedModel, 'loadMs' | 'warmMs' | 'memoryBytes'> {
  return {
    loadMs: Math.max(...loaded.map(({ loadMs }) => loadMs)),
    warmMs: Math.max(...loaded.map(({ warmMs }) => warmMs)),
    memoryBytes: loaded.reduce((sum, reply) => sum + sessionBytes(reply, fileBytes), 0),
  };
}
