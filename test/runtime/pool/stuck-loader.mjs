/** The worker of the product, except that loading a file of eight bytes never ends. */
import handle from '../../../dist/runtime/worker/main.js';

export default function handleUnlessStuck(task) {
  if (task.kind === 'load' && task.model.byteLength === 8) for (;;);
  return handle(task);
}
