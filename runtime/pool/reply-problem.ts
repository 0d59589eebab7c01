/**
 * Whether the answer of a thread to a run can be true. A thread whose memory is damaged still answers, and what it says
 * about places and sizes must not be believed: it would show one caller the bytes of another. Pure.
 */
import type { Ran, RunOutput, RunTask, WorkerReply } from '../protocol/worker-task.ts';
import { elementBytes } from '../tensor/dtype.ts';
import { elementCount, type ModelSignature } from '../tensor/signature.ts';

/** In words, for the log; undefined for an answer that fits what was asked. `signature` as it was loaded. */
export function replyProblem(
  reply: WorkerReply,
  task: RunTask,
  signature: ModelSignature,
): string | undefined {
  switch (reply.kind) {
    case 'failed':
      return undefined;
    case 'ran':
      return ranProblem(reply, task, signature);
    case 'here':
    case 'hello':
    case 'loaded':
    case 'unloaded':
      return `a run was answered with ${reply.kind}`;
  }
}

function ranProblem({ outputs }: Ran, task: RunTask, signature: ModelSignature): string | undefined {
  const wanted = task.outputs?.map((index) => signature.outputs[index]) ?? signature.outputs;
  if (outputs.length !== wanted.length) return `${outputs.length} outputs came for ${wanted.length}`;
  const rows = signature.batching === 'rows' ? task.inputs[0]?.shape[0] : undefined;
  for (const [index, output] of outputs.entries()) {
    const { name, datatype } = wanted[index] ?? { name: String(index), datatype: 'FP32' };
    const { shape } = output;
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      return `output ${name} has the shape [${shape.join()}]`;
    }
    if (rows !== undefined && shape[0] !== rows) {
      return `output ${name} has ${String(shape[0])} rows for ${rows}`;
    }
    const elements = elementCount(shape);
    const problem =
      datatype === 'BYTES'
        ? stringsProblem(output, elements)
        : placeProblem(output, elements * elementBytes(datatype), task);
    if (problem !== undefined) return `output ${name} ${problem}`;
  }
  return undefined;
}

function stringsProblem(output: RunOutput, elements: number): string | undefined {
  if (!('strings' in output)) return 'should be strings';
  return output.strings.length === elements
    ? undefined
    : `has ${output.strings.length} of ${elements} strings`;
}

function placeProblem(output: RunOutput, bytes: number, task: RunTask): string | undefined {
  if ('strings' in output) return 'should be numbers';
  if ('moved' in output) {
    return output.moved.byteLength === bytes ? undefined : `has ${output.moved.byteLength} of ${bytes} bytes`;
  }
  const start = output.byteOffset - task.resultOffset;
  if (Number.isSafeInteger(start) && start >= 0 && start + bytes <= task.resultBytes) return undefined;
  return `lies outside of the memory it was given`;
}
