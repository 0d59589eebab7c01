/**
 * Sends one request again and again on a few HTTP connections of its own, each waiting for its answer, and prints how
 * many were answered and how long they took. A process of its own: what it does between answers is nobody's latency.
 * The request is built once; of an answer only status and length are read.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LatencySamples } from './latency.ts';

export interface BodyLoadJob {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyFile: string;
  readonly connections: number;
  readonly seconds: number;
  /** Between an answer and the next request, milliseconds. */
  readonly pauseMs: number;
}

export interface BodyLoadReport {
  readonly requests: number;
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** First requests of a connection are not counted: the gateway warms up too. */
const warmUpRequests = 3;

async function load(job: BodyLoadJob): Promise<BodyLoadReport> {
  const body = readFileSync(job.bodyFile);
  const head = Object.entries({ ...job.headers, 'content-length': String(body.length) })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const request = Buffer.concat([
    Buffer.from(`POST ${job.path} HTTP/1.1\r\nhost: bench\r\n${head}\r\n`),
    body,
  ]);
  const samples = new LatencySamples();
  let failures = 0;
  const endMs = performance.now() + job.seconds * 1000;
  const startMs = performance.now();
  const one = async (): Promise<void> => {
    const connection = new Connection(job.port);
    for (let sent = 0; performance.now() < endMs; sent++) {
      const sentMs = performance.now();
      const status = await connection.exchange(request);
      if (status !== 200) failures += 1;
      if (sent >= warmUpRequests) samples.record((performance.now() - sentMs) * 1000);
      if (job.pauseMs > 0) await sleep(job.pauseMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: job.connections }, one));
  const { p50Us, p99Us } = samples.summary();
  const perSecond = (samples.count / (performance.now() - startMs)) * 1000;
  return { requests: samples.count, failures, perSecond, p50Us, p99Us };
}

class Connection {
  readonly #socket;
  #onAnswer: ((status: number) => void) | undefined;
  #head = Buffer.alloc(0);
  #status = 0;
  /** Bytes of the body still to come; -1 while the head is read. */
  #left = -1;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => {
      this.#read(chunk);
    });
    this.#socket.on('close', () => this.#onAnswer?.(0));
  }

  exchange(request: Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#onAnswer = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#left === -1) {
      this.#head = Buffer.concat([this.#head, chunk]);
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return;
      const text = this.#head.subarray(0, end).toString('latin1');
      this.#status = Number(text.slice(9, 12));
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      this.#left = length - (this.#head.length - end - 4);
      this.#head = Buffer.alloc(0);
    } else {
      this.#left -= chunk.length;
    }
    if (this.#left > 0) return;
    this.#left = -1;
    this.#onAnswer?.(this.#status);
  }
}

console.log(JSON.stringify(await load(JSON.parse(process.argv[2] ?? '{}') as BodyLoadJob)));
