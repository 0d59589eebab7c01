/** The worker of the product, whose runs or loads wait while a test holds them (held-threads.ts). */
import { getEnvironmentData } from 'node:worker_threads';
import handle from '../../dist/runtime/worker/main.js';

const gate = getEnvironmentData('tidegate-held-threads');
const places = { run: 0, load: 1 };
const counted = 2;

export default function handleWhenLet(task) {
  const place = places[task.kind];
  if (place !== undefined && Atomics.load(gate, place) === 1) {
    Atomics.add(gate, counted, 1);
    Atomics.wait(gate, place, 1);
  }
  return handle(task);
}
