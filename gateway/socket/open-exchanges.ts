/**
 * How many HTTP exchanges are open: from the headers of a request until the last byte of its answer is taken, or the
 * client is gone. Shutdown waits for these, so that neither half a body nor half an answer is lost.
 */
import { OpenCount } from './open-count.ts';

export class OpenExchanges extends OpenCount {
  #draining = false;
  #parting = false;

  /** True once clients are to go elsewhere: each answer is the last one on its connection. */
  get parting(): boolean {
    return this.#parting;
  }

  part(): void {
    this.#parting = true;
  }

  /** True once the gateway shuts down: exchanges that begin from then on are new work, those before are held. */
  get draining(): boolean {
    return this.#draining;
  }

  drain(): void {
    this.#draining = true;
    this.#parting = true;
  }
}
