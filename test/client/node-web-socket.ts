/**
 * The browser's WebSocket interface for Node 20, which has none without a flag: as much of it as the client uses, and
 * as strict as browsers are about a server that does not choose one of the subprotocols it was offered.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type ClientRequest, request } from 'node:http';
import type { Socket } from 'node:net';
import { clientFrame, opcode } from '../e2e/stream-client.ts';

type Listener = (event: never) => void;

const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class NodeWebSocket {
  binaryType = 'blob';
  protocol = '';
  readonly #listeners = new Map<string, Listener[]>();
  readonly #handshake: ClientRequest;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #closed = false;

  constructor(url: string, protocols: readonly string[] = []) {
    const key = randomBytes(16).toString('base64');
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': key,
      'sec-websocket-version': '13',
      ...(protocols.length === 0 ? {} : { 'sec-websocket-protocol': protocols.join(', ') }),
    };
    this.#handshake = request(url.replace(/^ws/, 'http'), { headers });
    this.#handshake.once('error', () => {
      this.#finish(1006);
    });
    this.#handshake.once('response', (response) => {
      response.destroy();
      this.#finish(1006);
    });
    this.#handshake.once('upgrade', (response, socket: Socket, head) => {
      const wanted = createHash('sha1')
        .update(key + acceptSuffix)
        .digest('base64');
      const chosen = response.headers['sec-websocket-protocol'];
      const agreed = protocols.length === 0 ? chosen === undefined : protocols.includes(chosen ?? '');
      if (this.#closed || !agreed || response.headers['sec-websocket-accept'] !== wanted) {
        socket.destroy();
        this.#finish(1006);
        return;
      }
      this.protocol = chosen ?? '';
      this.#open(socket, head);
    });
    this.#handshake.end();
  }

  get bufferedAmount(): number {
    return this.#socket?.writableLength ?? 0;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(data: Uint8Array): void {
    if (this.#socket === undefined) throw new Error('the socket is not open');
    if (!this.#closed) this.#socket.write(clientFrame(data));
  }

  close(code?: number): void {
    if (this.#closed) return;
    this.#handshake.destroy();
    const payload = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) payload.writeUInt16BE(code);
    this.#socket?.end(clientFrame(payload, { opcode: opcode.close }));
  }

  #open(socket: Socket, head: Buffer): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#finish(1006);
    });
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    this.#emit('open', {});
    if (head.length > 0) this.#receive(head);
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const frame = wholeFrame(this.#received);
      if (frame === undefined || this.#closed) return;
      this.#received = this.#received.subarray(frame.bytes);
      this.#take(frame.opcode, frame.payload);
    }
  }

  #take(kind: number, payload: Buffer): void {
    if (kind === opcode.binary) this.#emit('message', { data: Uint8Array.from(payload).buffer });
    else if (kind === opcode.text) this.#emit('message', { data: payload.toString() });
    else if (kind === opcode.ping) this.#socket?.write(clientFrame(payload, { opcode: opcode.pong }));
    else if (kind === opcode.close) {
      this.#socket?.end(clientFrame(payload, { opcode: opcode.close }));
      this.#finish(payload.length < 2 ? 1005 : payload.readUInt16BE());
    }
  }

  #finish(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    if (code === 1006) this.#emit('error', {});
    this.#emit('close', { code, reason: '' });
  }

  #emit(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}

/** Servers here send whole, unmasked frames; undefined while the first is not complete. */
function wholeFrame(bytes: Buffer): { opcode: number; payload: Buffer; bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return undefined;
  const long = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const length = short === 126 ? bytes.readUInt16BE(2) : long;
  if (bytes.length < start + length) return undefined;
  return {
    opcode: bytes.readUInt8(0) & 0x0f,
    payload: bytes.subarray(start, start + length),
    bytes: start + length,
  };
}
