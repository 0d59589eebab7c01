/**
 * A static file server for one store folder, real HTTP over a real socket, that misbehaves on order. What it does well it
 * does as nginx would: entity tags, conditional GET, ranges with If-Range.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { onTestFinished } from 'vitest';

/** One request, as the server saw it, and what it would answer if it behaved. */
export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer | undefined;
  readonly res: ServerResponse;
}

/** True when it answered itself, or decided never to. */
export type Misbehaviour = (asked: Asked) => boolean;

export class PuppetServer {
  /** May be another one at any time: the next state of the store, all at once. */
  folder: string;
  /** Paths in the order in which they were asked for, each with the status that was answered. */
  readonly log: { readonly path: string; readonly status: number; readonly headers: IncomingHttpHeaders }[] =
    [];
  misbehave: Misbehaviour = () => false;
  readonly #server: Server;

  private constructor(folder: string, tls: { readonly key: string; readonly cert: string } | undefined) {
    this.folder = folder;
    const listener = (
      req: { url?: string | undefined; headers: IncomingHttpHeaders },
      res: ServerResponse,
    ): void => {
      void this.#answer(decodeURIComponent(req.url ?? '/').slice(1), req.headers, res);
    };
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  }

  /** Stops when the test that asked for it is over. */
  static async start(
    folder: string,
    options: { readonly tls?: { readonly key: string; readonly cert: string }; readonly port?: number } = {},
  ): Promise<PuppetServer> {
    const server = new PuppetServer(folder, options.tls);
    await new Promise<void>((resolve) => server.#server.listen(options.port ?? 0, '127.0.0.1', resolve));
    onTestFinished(() => server.stop());
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  /** How often a path that contains this text was asked for. */
  count(text: string): number {
    return this.log.filter(({ path }) => path.includes(text)).length;
  }

  async #answer(path: string, headers: IncomingHttpHeaders, res: ServerResponse): Promise<void> {
    const bytes = await readFile(join(this.folder, normalize(`/${path}`))).catch(() => undefined);
    res.on('error', () => undefined);
    if (!this.misbehave({ path, headers, bytes, res })) behave({ path, headers, bytes, res });
    this.log.push({ path, status: res.statusCode, headers });
  }
}

export function behave({ headers, bytes, res }: Asked): void {
  if (bytes === undefined) {
    res.writeHead(404, { 'content-type': 'text/html' }).end('<html>not found</html>');
    return;
  }
  const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;
  if (headers['if-none-match'] === etag) {
    res.writeHead(304, { etag }).end();
    return;
  }
  const from = /^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1];
  if (from !== undefined && headers['if-range'] === etag) {
    const rest = bytes.subarray(Number(from));
    res.writeHead(206, {
      etag,
      'content-length': rest.length,
      'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    });
    res.end(rest);
    return;
  }
  res.writeHead(200, { etag, 'content-length': bytes.length }).end(bytes);
}

/** Misbehaves for paths that contain this text, as often as said. */
export function onPath(text: string, act: (asked: Asked) => void, times = Infinity): Misbehaviour {
  let left = times;
  return (asked) => {
    if (!asked.path.includes(text) || left <= 0) return false;
    left -= 1;
    act(asked);
    return true;
  };
}

export function answerWith(
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body: string | Buffer = '',
): (asked: Asked) => void {
  return ({ res }) => {
    res.writeHead(status, headers).end(body);
  };
}

/** Announces the whole file, sends the first part of it, and cuts the connection. */
export function cutAfter(sentBytes: number): (asked: Asked) => void {
  return ({ bytes, res }) => {
    const whole = bytes ?? Buffer.alloc(0);
    const etag = `"${createHash('sha256').update(whole).digest('hex').slice(0, 16)}"`;
    res.writeHead(200, { 'content-length': whole.length, etag });
    res.write(whole.subarray(0, sentBytes), () => res.destroy());
  };
}

/** Sends these bytes again and again, until the client has enough. */
export function sendForEver(piece: Buffer): (asked: Asked) => void {
  return ({ res }) => {
    res.writeHead(200);
    const more = (): void => {
      while (!res.destroyed && res.write(piece));
      if (!res.destroyed) res.once('drain', more);
    };
    more();
  };
}

/** A byte now and then. */
export function drip(everyMs: number): (asked: Asked) => void {
  return ({ bytes, res }) => {
    res.writeHead(200, { 'content-length': bytes?.length ?? 1000 });
    let sent = 0;
    const timer = setInterval(() => {
      if (res.destroyed || bytes === undefined) clearInterval(timer);
      else res.write(bytes.subarray(sent, ++sent));
    }, everyMs);
    res.once('close', () => {
      clearInterval(timer);
    });
  };
}
