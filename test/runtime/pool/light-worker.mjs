/**
 * A worker without a runtime: it starts, loads and lets go as the one of the product does, runs nothing, and takes hardly any
 * time for that. For tests of what the pool does with threads.
 */
import { threadNumber } from '../../../dist/runtime/worker/thread-number.js';

export default function handleLightly(task) {
  switch (task.kind) {
    case 'where':
      return { kind: 'here', osThread: threadNumber() };
    case 'load':
      return {
        kind: 'loaded',
        batching: task.signature.batching,
        note: undefined,
        costs: [],
        loadMs: 0,
        warmMs: 0,
        ...(task.givesBack ? { model: task.model } : {}),
      };
    case 'unload':
      return { kind: 'unloaded' };
    case 'hello':
      return { kind: 'hello' };
  }
}
