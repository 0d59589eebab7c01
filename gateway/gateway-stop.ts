/**
 * How a gateway ends: no new connections and requests, the answers that it owes, then everything is let go. Or, as one of
 * several processes on a port, its clients go to the others first.
 */
import { performance } from 'node:perf_hooks';
import type { Limits } from './admission/limits.ts';
import type { Dispatcher } from './dispatch/dispatcher.ts';
import type { RequestDoor } from './dispatch/request-door.ts';
import type { GatewayServer } from './socket/server.ts';
import type { Logger } from './telemetry/logger.ts';
import { fail } from './wire/error-code.ts';

export interface GatewayStopOptions {
  readonly server: GatewayServer;
  readonly dispatcher: Dispatcher;
  readonly door: RequestDoor;
  readonly limits: Pick<Limits, 'shutdownGraceMs' | 'shutdownLingerMs'>;
  readonly log: Logger;
  /** Lets go of all that the gateway holds. */
  readonly release: () => Promise<void>;
}

/** Idle connections are cut after 10 seconds, so that by then all have ended that are not in the middle of something. */
const partMsMax = 15_000;

/** A turn of the event loop that took less begins and ends with hardly a connection that came meanwhile. */
const quietTurnMsMax = 0.2;
/** After so many turns it is one that never has such a turn. */
const turnsMax = 1000;

export class GatewayStop {
  readonly #options: GatewayStopOptions;
  #closing: Promise<void> | undefined;

  constructor(options: GatewayStopOptions) {
    this.#options = options;
  }

  get isBegun(): boolean {
    return this.#closing !== undefined;
  }

  /** Finishes what was begun within the grace period. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** Closes once its clients have gone to the other processes on the port. */
  async retire(): Promise<void> {
    const { server, log } = this.#options;
    log.info('gateway sends its clients to the other processes');
    await quietTurn();
    server.stopListening();
    await within(server.part(partMsMax), partMsMax);
    await this.close();
  }

  async #close(): Promise<void> {
    const { server, dispatcher, door, limits, log, release } = this.#options;
    const { shutdownGraceMs, shutdownLingerMs } = limits;
    log.info({ inflight: dispatcher.inflightRequests }, 'gateway stopping');
    door.close();
    server.stopListening();
    server.drain(shutdownGraceMs);
    const begunMs = performance.now();
    await within(this.#settled(), shutdownGraceMs);
    // Who waits between two requests would otherwise find a connection that is gone.
    const lingerMs = Math.min(shutdownLingerMs, shutdownGraceMs) - (performance.now() - begunMs);
    if (lingerMs > 0) await within(server.disconnected(), lingerMs);
    door.failAll(fail('SHUTTING_DOWN', 'The gateway stopped before this request was run. Send it again.'));
    // Answers are written in this turn and leave the process in the next.
    await new Promise((resolve) => setImmediate(resolve));
    await release();
    log.info('gateway stopped');
  }

  /** Every request that was begun is answered, and every answer is taken by its socket. */
  async #settled(): Promise<void> {
    const { server, dispatcher } = this.#options;
    await server.settled();
    await dispatcher.settled();
    await server.streamsSettled();
  }
}

/**
 * Resolves at the end of a short turn, behind its look at the sockets: what waited to be accepted is accepted, and who comes
 * between that look and the end of the listening socket is reset by the kernel (docs/processes.md).
 */
async function quietTurn(): Promise<void> {
  for (let turn = 0; turn < turnsMax; turn += 1) {
    const begunMs = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    if (turn > 0 && performance.now() - begunMs < quietTurnMsMax) return;
  }
}

async function within(done: Promise<void>, graceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs);
  });
  await Promise.race([done, grace]);
  clearTimeout(timer);
}
