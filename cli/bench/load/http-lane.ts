/**
 * One HTTP/1.1 keep-alive connection with one request under way at a time. Of an answer only status and length are
 * read, so that the generator costs less than what it loads. A connection that was lost, or that the server closes after an
 * answer, is opened again by the next request.
 */
import type { Socket } from 'node:net';
import { type Lane, type LaneAnswer, type LaneListener, outcomeOfStatus, type RequestCycle } from './lane.ts';
import { openSocket, type Target } from './target.ts';

const headEnd = Buffer.from('\r\n\r\n');
/** A head that is longer is no answer of an inference server. */
const headBytesMax = 64 * 1024;

interface Head {
  readonly bytes: Buffer;
  readonly status: number;
  readonly bodyBytes: number;
  readonly closes: boolean;
}

export class HttpLane implements Lane {
  readonly room = 1;
  readonly #target: Target;
  readonly #requests: RequestCycle;
  #socket: Socket | undefined;
  #listener: LaneListener = () => undefined;
  /** Of the request under way. */
  #token: number | undefined;
  #pending: Buffer = Buffer.alloc(0);
  /** The last head: most servers send the same one again and again, and comparing is cheaper than reading. */
  #head: Head | undefined;
  /** Of the answer that is being read. */
  #current: Head | undefined;
  #left = 0;

  constructor(target: Target, requests: RequestCycle) {
    this.#target = target;
    this.#requests = requests;
  }

  listen(listener: LaneListener): void {
    this.#listener = listener;
  }

  send(token: number): void {
    this.#token = token;
    this.#socket ??= this.#open();
    this.#socket.write(this.#requests.next());
  }

  flush(): void {
    // Written at once: there is one request and nothing to gather.
  }

  close(): void {
    this.#token = undefined;
    this.#drop();
  }

  #open(): Socket {
    const socket = openSocket(this.#target);
    const lost = (reason: string): void => {
      if (this.#socket !== socket) return;
      this.#drop();
      this.#settle({ outcome: 'failed', reason });
    };
    socket.on('data', (chunk: Buffer) => {
      if (this.#socket === socket) this.#read(chunk);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      lost(`connection lost (${error.code ?? error.message})`);
    });
    socket.once('close', () => {
      lost('connection closed by the server');
    });
    return socket;
  }

  #drop(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#pending = Buffer.alloc(0);
    this.#current = undefined;
    this.#left = 0;
  }

  #read(chunk: Buffer): void {
    if (this.#current === undefined) {
      const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      const head = this.#readHead(bytes);
      if (head === undefined) {
        this.#pending = bytes;
        if (bytes.length > headBytesMax) this.#refuse('the answer has no end of its head');
        return;
      }
      if (typeof head === 'string') {
        this.#refuse(head);
        return;
      }
      this.#pending = Buffer.alloc(0);
      this.#current = head;
      this.#left = head.bodyBytes - (bytes.length - head.bytes.length);
    } else {
      this.#left -= chunk.length;
    }
    if (this.#left > 0) return;
    const { status, closes } = this.#current;
    if (this.#left < 0 || this.#token === undefined) {
      this.#refuse('the server sent more than it was asked for');
      return;
    }
    this.#current = undefined;
    if (closes) this.#drop();
    const outcome = outcomeOfStatus(status);
    this.#settle(outcome === 'good' ? { outcome } : { outcome, reason: `status ${status}` });
  }

  /** Undefined while it is not all there; text for a head that is not understood. */
  #readHead(bytes: Buffer): Head | string | undefined {
    const known = this.#head;
    if (known !== undefined && known.bytes.equals(bytes.subarray(0, known.bytes.length))) return known;
    const end = bytes.indexOf(headEnd);
    if (end === -1) return undefined;
    const text = bytes.toString('latin1', 0, end);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? NaN);
    if (Number.isNaN(status)) return 'the answer is not HTTP/1.1';
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (length === undefined) return 'the answer has no Content-Length';
    const closes = /\r\nconnection: *close/i.test(text) || text.startsWith('HTTP/1.0');
    // A copy: the chunk it lies in may be large.
    const head = Buffer.from(bytes.subarray(0, end + headEnd.length));
    this.#head = { bytes: head, status, bodyBytes: Number(length), closes };
    return this.#head;
  }

  #refuse(reason: string): void {
    this.#drop();
    this.#settle({ outcome: 'failed', reason });
  }

  #settle(answer: Omit<LaneAnswer, 'token'>): void {
    const token = this.#token;
    if (token === undefined) return;
    this.#token = undefined;
    this.#listener(this, { token, ...answer });
  }
}
