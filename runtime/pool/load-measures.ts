/** What the loads of one model on several threads say about it together. Pure. */
import type { Loaded, LoadTask, RunCost } from '../protocol/worker-task.ts';
import type { ModelToLoad } from './held-sessions.ts';

/** Default of `PoolOptions.inlineModelBytesMax`. */
const inlineModelBytesMaxDefault = 256 * 1024;

/** Whether even the largest batch costs less than waking a thread. Only fixed row shapes have a known cost. */
export function isCheap(
  task: LoadTask,
  loaded: readonly Pick<Loaded, 'costs'>[],
  limits: {
    readonly inlineRunUsMax: number;
    readonly inlineModelBytesMax?: number;
    readonly hasSteadyCost?: ModelToLoad['hasSteadyCost'];
  },
): boolean {
  const { inlineRunUsMax, inlineModelBytesMax = inlineModelBytesMaxDefault, hasSteadyCost } = limits;
  const bounded = task.signature.inputs.every((input) => input.shape.slice(1).every((size) => size >= 0));
  const rows = task.signature.fixedRows ?? task.warmRows.at(-1) ?? 1;
  return (
    bounded &&
    task.model.byteLength <= inlineModelBytesMax &&
    loaded.every(({ costs }) => costs.some((cost) => cost.rows === rows && cost.us <= inlineRunUsMax)) &&
    hasSteadyCost?.(task.model) !== false
  );
}

/**
 * What a session takes on one thread, about: at least its weights, and what the memory of the thread grew by when it was
 * loaded, which is nothing where it found room that others had left.
 */
export function sessionBytes({ heapGrownBytes = 0 }: Loaded, { model }: LoadTask): number {
  return Math.max(heapGrownBytes, model.byteLength);
}

/** What else the machine does disturbs a measurement: what a run costs is what the luckiest of them measured. */
export function lowestCosts(byLane: readonly (readonly RunCost[])[]): readonly RunCost[] {
  const [first = [], ...others] = byLane;
  return first.map(({ rows, us }) => ({
    rows,
    us: Math.min(us, ...others.map((costs) => costs.find((cost) => cost.rows === rows)?.us ?? Infinity)),
  }));
}
