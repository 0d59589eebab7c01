/** A server on a free port that answers every request at once, except while a stall lasts: then nothing is answered until it is over. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StallOptions {
  /** From the first request on. */
  readonly stallFromMs: number;
  readonly stallMs: number;
  /** What is answered instead of 200, for the request with this number, from 0. */
  readonly statusOf?: (index: number) => number;
}

export class StallingServer {
  readonly #server: Server;
  readonly port: number;
  served = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start({ stallFromMs, stallMs, statusOf = () => 200 }: StallOptions): Promise<StallingServer> {
    let firstMs: number | undefined;
    let index = 0;
    const server = createServer((request, response) => {
      firstMs ??= performance.now();
      const sinceMs = performance.now() - firstMs;
      const isStalled = sinceMs >= stallFromMs && sinceMs < stallFromMs + stallMs;
      request.resume();
      const status = statusOf(index++);
      const answer = (): void => {
        started.served += 1;
        response.writeHead(status, { 'content-length': 2 }).end('ok');
      };
      if (isStalled) setTimeout(answer, stallFromMs + stallMs - sinceMs);
      else answer();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const started: StallingServer = new StallingServer(server);
    return started;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
