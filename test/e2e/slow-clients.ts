/** Clients that take their time: one that reads only when it is told to, and one that sends its body in parts. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Sends bytes at once and reads nothing before `readAll`. */
export class SlowReader {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(port: number, request: Uint8Array): Promise<SlowReader> {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.pause();
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(request);
    return new SlowReader(socket);
  }

  /** Everything until the connection ends, with a pause after each piece. */
  async readAll(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    const closed = new Promise<void>((resolve) => {
      this.#socket.once('close', () => {
        resolve();
      });
    });
    this.#socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      this.#socket.pause();
      setTimeout(() => this.#socket.resume(), 1);
    });
    this.#socket.resume();
    await closed;
    return Buffer.concat(pieces);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
