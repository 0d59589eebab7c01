/** The server under load: where it is, and connections to it without anything in between that costs time. */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Target {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  /** What stands before `/v2`, without a slash at its end; mostly empty. */
  readonly basePath: string;
  /** The value of the Host header. */
  readonly authority: string;
  /** Sent with every request and with every handshake. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Undefined for what is no http or https address. */
export function parseTarget(
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Target | undefined {
  const text = /^[a-z]+:\/\//i.test(address) ? address : `http://${address}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!['http:', 'https:'].includes(url.protocol) || url.hostname === '') return undefined;
  const isSecure = url.protocol === 'https:';
  return {
    isSecure,
    // Brackets belong to the address, not to the host.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
    basePath: url.pathname.replace(/\/+$/, ''),
    authority: url.host,
    headers,
  };
}

export function urlOf({ isSecure, authority, basePath }: Target): string {
  return `${isSecure ? 'https' : 'http'}://${authority}${basePath}`;
}

/** What is written before the connection stands is sent once it does. */
export function openSocket({ isSecure, host, port }: Target): Socket {
  const socket = isSecure ? connectTls({ host, port, servername: host }) : connectPlain({ host, port });
  socket.setNoDelay(true);
  return socket;
}

/** A request head, with the empty line that ends it. */
export function requestHead(
  { authority, headers: always }: Target,
  { line, headers }: { readonly line: string; readonly headers: Readonly<Record<string, string>> },
): string {
  const fields = Object.entries({ Host: authority, ...always, ...headers });
  return [`${line} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
}
