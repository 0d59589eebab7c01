/**
 * A WebSocket client that tests can make misbehave: any opcode, any frame, any size (RFC 6455 section 5). It is small
 * rather than fast, and hands out messages as they come.
 */
import { randomBytes } from 'node:crypto';
import { type IncomingHttpHeaders, request } from 'node:http';
import type { Socket } from 'node:net';

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface StreamMessage {
  readonly opcode: number;
  /** By permessage-deflate (RFC 7692): the payload is compressed. */
  readonly compressed: boolean;
  readonly payload: Buffer;
}

/** A client frame, masked as clients must. */
export function clientFrame(
  payload: Uint8Array | string,
  options: { readonly opcode?: number; readonly final?: boolean; readonly compressed?: boolean } = {},
): Buffer {
  const bytes = Buffer.from(payload);
  const mask = randomBytes(4);
  const head = Buffer.alloc(14);
  const flags = ((options.final ?? true) ? 0x80 : 0) | (options.compressed === true ? 0x40 : 0);
  head[0] = flags | (options.opcode ?? opcode.binary);
  let headBytes = 2;
  if (bytes.length < 126) {
    head[1] = 0x80 | bytes.length;
  } else if (bytes.length < 0x1_0000) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(bytes.length, 2);
    headBytes = 4;
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(bytes.length), 2);
    headBytes = 10;
  }
  const masked = bytes.map((byte, index) => byte ^ (mask[index & 3] ?? 0));
  return Buffer.concat([head.subarray(0, headBytes), mask, masked]);
}

/** A handshake that the server did not take. */
export interface RefusedHandshake {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export class StreamClient {
  readonly #socket: Socket;
  /** Of the server's answer to the handshake. */
  readonly headers: IncomingHttpHeaders;
  /** Code and reason of the close frame, once there was one. */
  closeFrame: { readonly code: number; readonly reason: string } | undefined;
  #received: Buffer = Buffer.alloc(0);
  #onMessage: (message: StreamMessage) => void = () => undefined;
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, headers: IncomingHttpHeaders) {
    this.#socket = socket;
    this.headers = headers;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
      });
    });
  }

  static async open(port: number, headers: Readonly<Record<string, string>> = {}): Promise<StreamClient> {
    const opened = await StreamClient.handshake(port, headers);
    if (opened instanceof StreamClient) return opened;
    throw new Error(`the handshake was answered with ${opened.status}`);
  }

  /** Frames that come with the answer are handed out once this has resolved. */
  static handshake(
    port: number,
    headers: Readonly<Record<string, string>> = {},
    path = '/v2/stream',
  ): Promise<StreamClient | RefusedHandshake> {
    return new Promise((resolve, reject) => {
      const handshake = request({
        host: '127.0.0.1',
        port,
        path,
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': randomBytes(16).toString('base64'),
          'sec-websocket-version': '13',
          ...headers,
        },
      });
      handshake.once('error', reject);
      handshake.once('response', (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        });
      });
      handshake.once('upgrade', (response, socket: Socket, head) => {
        const client = new StreamClient(socket, response.headers);
        if (head.length > 0) socket.unshift(head);
        resolve(client);
        // The caller has its listener by then.
        setImmediate(() => {
          socket.on('data', (chunk: Buffer) => {
            client.#receive(chunk);
          });
        });
      });
      handshake.end();
    });
  }

  /** Replaces the listener; messages that come without one are lost. */
  onMessage(listener: (message: StreamMessage) => void): void {
    this.#onMessage = listener;
  }

  /** The next message, for tests that speak one after the other. Undefined when the connection ends instead. */
  next(): Promise<StreamMessage | undefined> {
    return Promise.race([
      new Promise<StreamMessage>((resolve) => {
        this.#onMessage = resolve;
      }),
      this.closed.then(() => undefined),
    ]);
  }

  /** One binary message. */
  send(payload: Uint8Array): void {
    this.#socket.write(clientFrame(payload));
  }

  /** One text message. */
  sendText(text: string): void {
    this.#socket.write(clientFrame(text, { opcode: opcode.text }));
  }

  /** Bytes as they are, well-formed frames or not. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Stops reading, as a client that is too slow. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the connection at once, as a client that crashed. */
  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const frame = parseFrame(this.#received);
      if (frame === undefined) return;
      this.#received = this.#received.subarray(frame.bytes);
      const { payload, compressed } = frame;
      if (frame.opcode === opcode.close && payload.length >= 2) {
        this.closeFrame = { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
      } else {
        this.#onMessage({ opcode: frame.opcode, payload, compressed });
      }
    }
  }
}

/** The server sends whole, unmasked messages; undefined while the first one is not complete. */
function parseFrame(bytes: Buffer): (StreamMessage & { readonly bytes: number }) | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  if ((first & 0x80) === 0 || (second & 0x80) !== 0) throw new Error('not a whole, unmasked frame');
  let length = second;
  let start = 2;
  if (second === 126) {
    if (bytes.length < 4) return undefined;
    length = bytes.readUInt16BE(2);
    start = 4;
  } else if (second === 127) {
    if (bytes.length < 10) return undefined;
    length = Number(bytes.readBigUInt64BE(2));
    start = 10;
  }
  const end = start + length;
  if (end > bytes.length) return undefined;
  const payload = bytes.subarray(start, end);
  return { opcode: first & 0x0f, compressed: (first & 0x40) !== 0, payload, bytes: end };
}
