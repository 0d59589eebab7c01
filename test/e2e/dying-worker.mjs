/** A worker whose second session takes the thread down, as a model that crashes its runtime would. */
import { exit } from 'node:process';
import handle from '../../dist/runtime/worker/main.js';

/** Sessions are numbered in the order in which they are loaded: the live version first, then its candidate. */
const deadlySession = 2;

export default function handleUntilDeath(task) {
  if (task.kind === 'run' && task.session === deadlySession) exit(1);
  return handle(task);
}
