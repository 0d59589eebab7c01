/**
 * A gateway moved by hand, written from docs/protocol.md and with another msgpack (msgpackr): a test reads what came,
 * and says what goes back, in which order, or that the connection breaks now.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { within } from '../e2e/deadline.ts';
import { opcode } from '../e2e/stream-client.ts';
import { packed, unpacked } from '../e2e/wire-forms.ts';

export type Message = Readonly<Record<string, unknown>>;

export interface HttpCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface HttpReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Breaks the connection, after sending half of the body when there is one. */
  readonly drop?: boolean;
}

export interface FakeOptions {
  readonly port?: number;
  /** Undefined: the gateway chooses no subprotocol and says no hello, as early ones did. */
  readonly hello?: Message | undefined;
  /** Refuses upgrades while it returns false. */
  readonly admits?: () => boolean;
}

export const usualHello: Message = {
  op: 'hello',
  protocol: 'tidegate.v1',
  server: { name: 'fake', version: '0' },
  limits: { inflight_max: 1024, frame_bytes_max: 1_048_576, request_rows_max: 64 },
};

export class FakeGateway {
  readonly url: string;
  readonly calls: HttpCall[] = [];
  /** Every socket that was opened, in order. */
  readonly sockets: FakeSocket[] = [];
  /** Answers HTTP requests; may wait. */
  onHttp: (call: HttpCall) => HttpReply | Promise<HttpReply> = () => ({ status: 404 });
  /** Called with every socket as it opens. */
  onSocket: (socket: FakeSocket) => void = () => undefined;
  readonly #server: Server;
  readonly #options: FakeOptions;
  readonly #waiting: ((socket: FakeSocket) => void)[] = [];
  #handedOut = 0;

  private constructor(server: Server, options: FakeOptions) {
    this.#server = server;
    this.#options = options;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (incoming, response) => {
      void this.#answer(incoming).then(({ status = 200, headers = {}, body = '', drop = false }) => {
        if (!drop) {
          response.writeHead(status, headers).end(body);
          return;
        }
        if (body.length > 0) {
          response.writeHead(status, { ...headers, 'content-length': body.length });
          response.write(body.slice(0, body.length / 2));
        }
        setImmediate(() => response.socket?.destroy());
      });
    });
    server.on('upgrade', (incoming, socket: Socket) => {
      this.#upgrade(incoming, socket);
    });
  }

  static async start(options: FakeOptions = { hello: usualHello }): Promise<FakeGateway> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
    return new FakeGateway(server, options);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The next socket that was not handed out yet. */
  socket(): Promise<FakeSocket> {
    const ready = this.sockets[this.#handedOut];
    this.#handedOut += 1;
    if (ready !== undefined) return Promise.resolve(ready);
    return within(new Promise<FakeSocket>((resolve) => this.#waiting.push(resolve)), 'a socket');
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage): Promise<HttpReply> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = incoming;
    const call = { method, path: url, headers, body: Buffer.concat(chunks) };
    this.calls.push(call);
    return this.onHttp(call);
  }

  #upgrade({ headers }: IncomingMessage, socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#options.admits?.() === false) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
      return;
    }
    const { hello } = this.#options;
    const accept = createHash('sha1')
      .update(`${headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    const offered = headers['sec-websocket-protocol'];
    const chosen = hello !== undefined && offered === 'tidegate.v1';
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
      ...(chosen ? ['Sec-WebSocket-Protocol: tidegate.v1'] : []),
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const fake = new FakeSocket(socket, offered);
    this.sockets.push(fake);
    this.onSocket(fake);
    if (chosen) fake.send(hello);
    this.#waiting.shift()?.(fake);
  }
}

/** The gateway's end of one WebSocket. */
export class FakeSocket {
  /** Everything that came and was not taken by `next`. */
  readonly pending: Message[] = [];
  readonly offered: string | undefined;
  /** Resolves with the close code that the client sent, or undefined when it just went. */
  readonly closed: Promise<number | undefined>;
  /** Called with every message as it comes, instead of keeping it. */
  onMessage: ((message: Message) => void) | undefined;
  readonly #socket: Socket;
  readonly #waiting: ((message: Message) => void)[] = [];
  #received: Buffer = Buffer.alloc(0);
  #closeCode: number | undefined;

  constructor(socket: Socket, offered: string | undefined) {
    this.#socket = socket;
    this.offered = offered;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve(this.#closeCode);
      });
    });
  }

  /** The next message of the client. */
  next(): Promise<Message> {
    const ready = this.pending.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return within(new Promise<Message>((resolve) => this.#waiting.push(resolve)), 'a frame');
  }

  async take(count: number): Promise<readonly Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  send(message: Message): void {
    this.sendBytes(packed(message));
  }

  /** The inputs of a request as its outputs. */
  echo({ id, model, inputs }: Message): void {
    this.send({ id, model_name: model, model_version: '1', outputs: inputs });
  }

  fail(id: unknown, code: string, more: Message = {}): void {
    this.send({ id, error: `because ${code}`, code, ...more });
  }

  sendBytes(payload: Uint8Array, kind: number = opcode.binary): void {
    const length = payload.length;
    const head = Buffer.alloc(length < 126 ? 2 : length < 0x1_0000 ? 4 : 10);
    head[0] = 0x80 | kind;
    head[1] = length < 126 ? length : length < 0x1_0000 ? 126 : 127;
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  close(code: number): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.sendBytes(payload, opcode.close);
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const frame = maskedFrame(this.#received);
      if (frame === undefined) return;
      this.#received = this.#received.subarray(frame.bytes);
      if (frame.opcode === opcode.close) {
        this.#closeCode = frame.payload.length < 2 ? undefined : frame.payload.readUInt16BE();
        this.#socket.end();
      } else {
        this.#take(unpacked(frame.payload));
      }
    }
  }

  #take(message: Message): void {
    const waiting = this.#waiting.shift();
    if (this.onMessage !== undefined) this.onMessage(message);
    else if (waiting === undefined) this.pending.push(message);
    else waiting(message);
  }
}

function maskedFrame(bytes: Buffer): { opcode: number; payload: Buffer; bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  if ((bytes.readUInt8(1) & 0x80) === 0) throw new Error('a frame of the client is not masked');
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if (bytes.length < start) return undefined;
  const long = lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  const length = lengthBytes === 2 ? bytes.readUInt16BE(2) : long;
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(
    bytes.subarray(start, start + length).map((byte, at) => byte ^ (mask[at & 3] ?? 0)),
  );
  return { opcode: bytes.readUInt8(0) & 0x0f, payload, bytes: start + length };
}
