/**
 * One WebSocket connection to a server under test, from the client's side: handshake, sending of frames that are
 * encoded already, messages cut from what comes back.
 */
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { Target } from './target.ts';
import { ServerFrameReader } from './websocket-frame.ts';

export interface StreamHandlers {
  /** One message; valid during the call only. */
  readonly onMessage: (payload: Uint8Array) => void;
  /** All messages that came together were handed out: the moment to send. */
  readonly onChunkEnd: () => void;
  /** Once, when the connection is lost or speaks something else. Not after `close`. */
  readonly onLost: (error: Error) => void;
}

export class StreamSocket {
  readonly #socket: Socket;
  readonly #reader = new ServerFrameReader();

  private constructor(socket: Socket, handlers: StreamHandlers) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#reader.read(chunk, handlers.onMessage);
        handlers.onChunkEnd();
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.once('error', handlers.onLost);
    socket.once('end', () => {
      handlers.onLost(new Error('The server closed the connection.'));
    });
  }

  static connect(target: Target, handlers: StreamHandlers): Promise<StreamSocket> {
    const key = randomBytes(16).toString('base64');
    const headers = {
      ...target.headers,
      host: target.authority,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': key,
      'sec-websocket-version': '13',
    };
    return new Promise((resolve, reject) => {
      const { host, port, basePath, isSecure } = target;
      const where = { host, port, path: `${basePath}/v2/stream`, headers };
      const handshake = isSecure ? secureRequest(where) : request(where);
      handshake.once('error', reject);
      handshake.once('response', (response) => {
        response.resume();
        reject(new Error(`The server answered the handshake with ${response.statusCode ?? 0}.`));
      });
      handshake.once('upgrade', (response, socket: Socket, head: Buffer) => {
        if (response.headers['sec-websocket-accept'] !== acceptOf(key)) {
          socket.destroy();
          reject(new Error('The server answered the handshake with a wrong sec-websocket-accept.'));
          return;
        }
        // What the server says first came with the handshake.
        if (head.length > 0) socket.unshift(head);
        resolve(new StreamSocket(socket, handlers));
      });
      handshake.end();
    });
  }

  /** One or more frames in a row; the bytes must stay as they are until they are sent. */
  send(frames: Uint8Array): void {
    this.#socket.write(frames);
  }

  close(): void {
    this.#socket.removeAllListeners('end');
    this.#socket.removeAllListeners('error');
    this.#socket.on('error', () => undefined);
    this.#socket.destroy();
  }
}

/** RFC 6455 section 4.2.2, step 5.4. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
