/**
 * A batch as the worker's task sees it, and the worker's answer as replies see it. Only addresses and shapes are
 * handled here; elements stay where they are.
 */
import type { LaneRun } from '../../runtime/pool/lane.ts';
import { elementBytes, typedView } from '../../runtime/tensor/dtype.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import type { ArenaPiece, RunInput, RunOutput } from '../../runtime/protocol/worker-task.ts';
import type { Batch } from '../batch/batcher.ts';
import type { OutputColumn } from '../wire/infer-request.ts';
import type { PendingRequest } from './request-queue.ts';
import type { RequestQueue } from './request-queue.ts';

export type RequestBatch = Batch<RequestQueue, PendingRequest>;

/** What a lane is told to run. */
export function runOf(batch: RequestBatch): LaneRun {
  const { generation, outputs, line } = batch.queue;
  const { runMsMax } = line.tuning;
  return { session: generation.session, inputs: runInputs(batch), outputs, runMsMax };
}

/**
 * Rows that the thread adds to the run of a batch, and cuts off again, because the model only runs so many
 * (runtime/worker/fixed-rows.ts). They are no rows to anybody else.
 */
export function paddedRowsOf({ queue, rows }: RequestBatch): number {
  const { fixedRows } = queue.generation.signature;
  return fixedRows === undefined ? 0 : Math.max(0, fixedRows - rows);
}

/** The inputs of a batch: its shape, and where its members' rows are, neighbours joined into one piece. */
function runInputs(batch: RequestBatch): RunInput[] {
  const { queue } = batch;
  const batched = queue.generation.signature.batching === 'rows';
  return queue.inputRowShapes.map((rowShape, input) => {
    const shape = batched ? [batch.rows, ...rowShape] : rowShape;
    const strings = stringsOf(batch, input);
    if (strings !== undefined) return { shape, strings };
    return { shape, pieces: piecesOf(batch, { input, rowElements: elementCount(rowShape) }) };
  });
}

/**
 * The outputs of a batch as columns over the arena or over moved buffers. Throws when a batched answer has another
 * number of rows than the batch: that breaks what the worker promised, and rows would go to the wrong callers.
 */
export function columnsOf(
  batch: RequestBatch,
  { outputs, arena }: { readonly outputs: readonly RunOutput[]; readonly arena: SharedArrayBuffer },
): OutputColumn[] {
  const { runSignature: signature } = batch.queue.generation;
  const batched = signature.batching === 'rows';
  const wanted = batch.queue.outputs?.map((index) => signature.outputs[index]) ?? signature.outputs;
  return wanted.map((spec, index) => {
    const output = outputs[index];
    if (spec === undefined || output === undefined) throw new Error(`the batch has no output ${index}`);
    if (batched && output.shape[0] !== batch.rows) {
      throw new Error(`output ${spec.name} has ${String(output.shape[0])} rows for ${batch.rows}`);
    }
    const rowShape = batched ? output.shape.slice(1) : output.shape;
    const { name, datatype } = spec;
    const rowElements = elementCount(rowShape);
    if ('strings' in output) return { name, datatype, rowShape, rowElements, data: output.strings };
    if (datatype === 'BYTES') throw new Error(`output ${name} should be strings`);
    const isMoved = 'moved' in output;
    const data = typedView(datatype, {
      buffer: isMoved ? output.moved : arena,
      byteOffset: isMoved ? 0 : output.byteOffset,
      elementCount: elementCount(output.shape),
    });
    return { name, datatype, rowShape, rowElements, data };
  });
}

function stringsOf(batch: RequestBatch, input: number): string[] | undefined {
  if (batch.members[0]?.strings?.[input] === undefined) return undefined;
  return batch.members.flatMap((member) => member.strings?.[input] ?? []);
}

function piecesOf(
  batch: RequestBatch,
  { input, rowElements }: { readonly input: number; readonly rowElements: number },
): ArenaPiece[] {
  const { slabs, generation } = batch.queue;
  const bytes = elementBytes(generation.runSignature.inputs[input]?.datatype ?? 'FP32');
  const pieces: ArenaPiece[] = [];
  let byteOffset = -1;
  let elements = 0;
  for (const member of batch.members) {
    const start = slabs.byteOffset(member.place, input);
    const count = member.rows * rowElements;
    if (start === byteOffset + elements * bytes) {
      elements += count;
      continue;
    }
    if (byteOffset >= 0) pieces.push({ byteOffset, elements });
    byteOffset = start;
    elements = count;
  }
  pieces.push({ byteOffset, elements });
  return pieces;
}
