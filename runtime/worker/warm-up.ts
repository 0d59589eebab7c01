/**
 * Runs a fresh session before it meets traffic: it fills the runtime's caches, finds out whether the rows of one run are
 * independent, which is what batching assumes and no signature can promise, and measures what runs cost.
 *
 * The probe runs one row, then two rows in one run. A model whose answer then has not twice the rows, or whose first row
 * changed by more than rounding, is never batched. One whose runs have a fixed number of rows cannot be tried so; what is done
 * with it instead is in independent-rows.ts.
 *
 * A model that fails on made-up values is loaded all the same; one that breaks the runtime is not, because whatever it is sent,
 * its thread would be lost and the models beside it with that.
 */
import { performance } from 'node:perf_hooks';
import type { LoadTask, RunCost } from '../protocol/worker-task.ts';
import {
  elementBytes,
  type Datatype,
  typedView,
  type NumericArray,
  type NumericDatatype,
} from '../tensor/dtype.ts';
import { halfToNumber, numberToHalf } from '../tensor/half-float.ts';
import { elementCount, type ModelSignature, type TensorSpec } from '../tensor/signature.ts';
import type { Engine } from './engine.ts';
import { rowDependence } from './independent-rows.ts';
import type { OnnxSession, SessionTensor } from './onnx-session.ts';
import { warmUpBroke } from './refusal-words.ts';

/** What a warm-up needs of a session. */
export type WarmingSession = Pick<OnnxSession, 'run'>;

/** The part of a load that says how to warm up. */
export type WarmUpTask = Pick<LoadTask, 'signature' | 'warmRows' | 'costAlone' | 'isMeasured' | 'batching'>;

export interface WarmUpResult {
  readonly batching: ModelSignature['batching'];
  /** Why a model that promised rows is not batched, or why nothing could be tried. */
  readonly note: string | undefined;
  /** Ascending by rows. Of a model whose rows are not joined only one run, and only when asked for. */
  readonly costs: readonly RunCost[];
}

/** Kernels differ between batch sizes in the order of their sums; the same row may differ by this much, relative. */
const rowToleranceRatio = 1e-3;
/** The same for FP16, which has eleven bits. */
const halfToleranceRatio = 1e-2;

/** Runs per measured size, and the time after which a size is measured enough or not at all, milliseconds. */
const costRunsMax = 64;
const costBudgetMs = 40;

/** The size a free dimension other than the batch gets in a probe. */
const probeFreeSize = 1;

/** Throws when the library answers nothing any more, see `Engine.isBroken`: whoever owns the thread must replace it. */
export async function warmUp(
  session: WarmingSession,
  task: WarmUpTask,
  engine: Pick<Engine, 'isBroken'>,
): Promise<WarmUpResult> {
  const { signature } = task;
  const { fixedRows } = signature;
  const alone = async (note: string | undefined): Promise<WarmUpResult> => {
    const costs =
      task.costAlone === true ? await measureCosts(session, { signature, sizes: [fixedRows ?? 1] }) : [];
    return { batching: 'none', note, costs };
  };
  try {
    if (fixedRows !== undefined) {
      const isKnown = task.batching === 'rows';
      const dependence = isKnown ? undefined : await rowDependence(session, signature, fixedRows);
      if (dependence !== undefined) return await alone(dependence);
      // A run takes the same however many of its rows somebody sent.
      const costs = await measureCosts(session, { ...task, sizes: [fixedRows] });
      return { batching: 'rows', note: undefined, costs };
    }
    const sizes = [1, ...task.warmRows];
    if (task.isMeasured === true && task.batching === 'rows') {
      // On another thread it is the same: what is left to do is to fill the caches.
      return { batching: 'rows', note: undefined, costs: await measureCosts(session, { ...task, sizes }) };
    }
    const single = await session.run(probeInputs(signature, 1), undefined);
    if (signature.batching === 'none') return await alone(undefined);
    const pair = await session.run(probeInputs(signature, 2), undefined);
    for (const [index, spec] of signature.outputs.entries()) {
      const difference = rowDifference(spec.datatype, single[index], pair[index]);
      if (difference !== undefined) {
        return await alone(`output ${spec.name} ${difference}`);
      }
    }
    const costs = await measureCosts(session, { ...task, sizes });
    return { batching: 'rows', note: undefined, costs };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (engine.isBroken(error)) throw new Error(warmUpBroke + reason, { cause: error });
    // Made-up values can be outside what a model takes; the first real request will tell. Until then, no joining.
    return { batching: 'none', note: `the warm-up run failed: ${reason}`, costs: [] };
  }
}

/** `sizes` ascend; one is skipped when the one before it says that even a single run would exceed the budget. */
async function measureCosts(
  session: WarmingSession,
  {
    signature,
    sizes,
    isMeasured,
  }: Pick<WarmUpTask, 'signature' | 'isMeasured'> & { readonly sizes: readonly number[] },
): Promise<RunCost[]> {
  const costs: RunCost[] = [];
  for (const rows of sizes) {
    const last = costs.at(-1);
    if (last !== undefined && (last.us * rows) / last.rows > costBudgetMs * 1000) break;
    const inputs = probeInputs(signature, rows);
    const endMs = performance.now() + costBudgetMs;
    let us = Infinity;
    const runsMax = isMeasured === true ? 1 : costRunsMax;
    for (let run = 0; run < runsMax && performance.now() < endMs; run++) {
      const startMs = performance.now();
      await session.run(inputs, undefined);
      us = Math.min(us, (performance.now() - startMs) * 1000);
    }
    costs.push({ rows, us });
  }
  return costs;
}

function probeInputs(signature: ModelSignature, rows: number): readonly SessionTensor[] {
  return signature.inputs.map((spec) => probeInput(spec, rows));
}

/** Neighbouring rows differ in every element, so that a model which mixes rows cannot hide. */
function probeInput(spec: TensorSpec, rows: number): SessionTensor {
  const shape = spec.shape.map((size, axis) => {
    if (size >= 0) return size;
    return axis === 0 ? rows : probeFreeSize;
  });
  const total = elementCount(shape);
  const perRow = Math.max(1, total / Math.max(1, shape[0] ?? 1));
  const isOdd = (index: number): boolean => Math.floor(index / perRow) % 2 === 1;
  if (spec.datatype === 'BYTES')
    return { shape, data: Array.from({ length: total }, (_, i) => (isOdd(i) ? 'b' : 'a')) };
  return { shape, data: probeValues(spec.datatype, { total, isOdd }) };
}

/** Zeros and ones for integers, which index and select in many models; small fractions for floats. */
function probeValues(
  datatype: NumericDatatype,
  { total, isOdd }: { readonly total: number; readonly isOdd: (index: number) => boolean },
): NumericArray {
  const bytes = new ArrayBuffer(total * elementBytes(datatype));
  const data = typedView(datatype, { buffer: bytes, byteOffset: 0, elementCount: total });
  for (let i = 0; i < total; i++) {
    const fraction = ((i % 13) + (isOdd(i) ? 1.5 : 1)) / 16;
    if (data instanceof Float32Array || data instanceof Float64Array) data[i] = fraction;
    else if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = isOdd(i) ? 1n : 0n;
    else if (datatype === 'FP16') data[i] = numberToHalf(fraction);
    else data[i] = isOdd(i) ? 1 : 0;
  }
  return data;
}

function rowDifference(
  datatype: Datatype,
  single: SessionTensor | undefined,
  pair: SessionTensor | undefined,
): string | undefined {
  if (single === undefined || pair === undefined) return 'is missing';
  if (single.shape[0] !== 1 || pair.shape[0] !== 2) {
    return `has shape [${pair.shape.join()}] for two rows, so its first dimension is not the batch`;
  }
  if (single.shape.slice(1).join() !== pair.shape.slice(1).join())
    return 'has another row shape for two rows';
  for (let i = 0; i < single.data.length; i++) {
    if (!isSame(datatype, single.data[i], pair.data[i]))
      return 'gives a row another answer when a second row rides along';
  }
  return undefined;
}

/** Floats may differ by rounding; everything else is the same or it is not. */
function isSame(datatype: Datatype, a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'number' || typeof b !== 'number') return false;
  if (datatype === 'FP16')
    return isClose(halfToNumber(a), { to: halfToNumber(b), within: halfToleranceRatio });
  if (datatype === 'FP32' || datatype === 'FP64') return isClose(a, { to: b, within: rowToleranceRatio });
  return false;
}

function isClose(a: number, { to, within }: { readonly to: number; readonly within: number }): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(to)) return Object.is(a, to);
  return Math.abs(a - to) <= within * Math.max(1, Math.abs(a), Math.abs(to));
}
