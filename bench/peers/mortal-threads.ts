/**
 * Loaded before a gateway (`node --import`): ends one of its model threads, whatever that is at, when the suite asks for it over
 * the channel, and says how many were there to choose from. To the gateway it is a thread that ends by itself, as one does
 * whose native code gave up. Other threads, such as the one that verifies the store, are left alone.
 */
import { isMainThread, Worker } from 'node:worker_threads';
import { field, numberField } from '../json-field.ts';

// Worker threads of the gateway load this too; the channel belongs to the main thread.
if (isMainThread && process.channel !== undefined) {
  const threads = new Set<Worker>();
  const prototype = Worker.prototype as { postMessage: (this: Worker, ...message: unknown[]) => void };
  const original = prototype.postMessage;
  // The first message that Piscina sends names the module that the thread runs; a Worker itself does not tell.
  prototype.postMessage = function (this: Worker, ...message) {
    if (/runtime[-/]worker[-/]main\.js$/.test(String(field(message[0], 'filename')))) {
      threads.add(this);
      this.once('exit', () => threads.delete(this));
    }
    original.apply(this, message);
  };
  process.on('message', (question) => {
    const alive = [...threads];
    // From 0 to below 1.
    const chosen = alive[Math.floor(numberField(question, 'kill') * alive.length)];
    void chosen?.terminate();
    process.send?.({ alive: alive.length });
  });
  process.channel.unref();
}
