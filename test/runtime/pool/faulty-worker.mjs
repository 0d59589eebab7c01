/**
 * The worker of the product with faults at hand: what a run does is said by the first value of its first input, so that
 * one batch of a test can be well and the next one not. Loading and warming use small values and are always well.
 */
import { exit } from 'node:process';
import { workerData } from 'piscina';
import handle from '../../../dist/runtime/worker/main.js';

/** Values of the first element, with what happens then. */
const faults = {
  /** Never comes back, and never looks at its messages. */
  hang: 1001,
  /** The thread ends. */
  crash: 1002,
  /** The task throws, as a WebAssembly instance does that has trapped. */
  trap: 1003,
  /** The runtime says that it has no room. */
  outOfMemory: 1004,
  /** One row too many. */
  wrongRows: 1005,
  /** Results that lie in the memory of somebody else. */
  wrongPlace: 1006,
  /** No outputs at all. */
  noOutputs: 1007,
  /** The answer to another question. */
  wrongKind: 1008,
};

export default async function handleWithFaults(task) {
  if (task.kind !== 'run') return handle(task);
  const { byteOffset } = task.inputs[0].pieces[0];
  const [first] = new Float32Array(workerData.arena, byteOffset, 1);
  switch (first) {
    case faults.hang:
      for (;;);
    case faults.crash:
      return exit(1);
    case faults.trap:
      throw new WebAssembly.RuntimeError('unreachable');
    case faults.outOfMemory:
      return { kind: 'failed', code: 'OUT_OF_MEMORY', detail: 'std::bad_alloc' };
    case faults.wrongKind:
      return { kind: 'unloaded' };
  }
  const reply = await handle(task);
  if (reply.kind !== 'ran') return reply;
  const [output] = reply.outputs;
  switch (first) {
    case faults.wrongRows:
      output.shape[0] += 1;
      break;
    case faults.wrongPlace:
      output.byteOffset += 65_536;
      break;
    case faults.noOutputs:
      reply.outputs.length = 0;
      break;
  }
  return reply;
}
