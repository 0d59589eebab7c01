/**
 * One HTTP request of the control port and its answer: hands the request over in the form the control service takes, gives
 * it the body when it asks, and writes what comes back. A connection whose body was not read to its end is closed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { type ControlFailure, type ControlResult, accepted, refuse } from '../admin/control-error.ts';
import type { ControlAnswer, ControlCall } from '../admin/control-service.ts';
import { type TrustedProxies, unmapped } from './client-address.ts';
import { CollectedBody } from './collected-body.ts';

export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Whether the client waits to be told that it may send its body. */
  readonly expectsContinue: boolean;
}

/** Undefined for a target that is no path, such as that of a proxy. */
export function callOf(
  { request, response, expectsContinue }: ExchangeParts,
  proxies: TrustedProxies,
): ControlCall | undefined {
  const [path = '', ...query] = (request.url ?? '').split('?');
  if (!path.startsWith('/')) return undefined;
  return {
    method: request.method ?? '',
    path,
    query: new URLSearchParams(query.join('?')),
    header: (name) => headerOf(request, name),
    remoteAddress: proxies.clientOf(unmapped(request.socket.remoteAddress ?? 'unknown'), () =>
      headerOf(request, proxies.header),
    ),
    certificate: certificateOf(request),
    readBody: (bytesMax, limitName) => {
      const tooLarge = refuse('BODY_TOO_LARGE', `The body is larger than ${limitName}, ${bytesMax} bytes.`);
      if (Number(request.headers['content-length'] ?? 0) > bytesMax) return Promise.resolve(tooLarge);
      if (expectsContinue) response.writeContinue();
      return readBody(request, { bytesMax, tooLarge });
    },
  };
}

/** `isLast` ends the connection behind the answer. */
export function writeAnswer(
  { request, response }: ExchangeParts,
  { status, headers, body }: ControlAnswer,
  isLast: boolean,
): void {
  if (response.destroyed) return;
  const text = Buffer.from(JSON.stringify(body));
  const isUnread = !request.complete;
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': text.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...((isUnread || isLast) && { connection: 'close' }),
  });
  // Node leaves the body of an answer to HEAD away by itself.
  response.end(text);
}

/** A header that came twice and must not, such as Authorization, is kept by Node as the first one. */
function headerOf({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  const text = Array.isArray(value) ? value.join(', ') : (value ?? '');
  return name === 'content-type' ? lowerCaseType(text) : text;
}

/** The type, not its parameters: the boundary of a form has its own case. */
function lowerCaseType(text: string): string {
  const end = text.indexOf(';');
  return end === -1 ? text.toLowerCase() : text.slice(0, end).toLowerCase() + text.slice(end);
}

/** Only of a client that was verified; the server lets no other in where certificates are asked for. */
function certificateOf({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  // Without a certificate the library gives an object without fields, which its types do not say.
  const { subject } = socket.getPeerCertificate() as Partial<PeerCertificate>;
  const name = subject?.CN;
  return Array.isArray(name) ? name.join(', ') : name;
}

function readBody(
  request: IncomingMessage,
  { bytesMax, tooLarge }: { readonly bytesMax: number; readonly tooLarge: ControlFailure },
): Promise<ControlResult<Uint8Array>> {
  const collected = new CollectedBody(bytesMax, Number(request.headers['content-length'] ?? 0));
  return new Promise((resolve) => {
    request.on('data', (chunk: Buffer) => {
      if (collected.add(chunk)) return;
      request.pause();
      request.removeAllListeners('data');
      resolve(tooLarge);
    });
    request.once('end', () => {
      resolve(accepted(collected.bytes()));
    });
    request.once('close', () => {
      resolve(refuse('BODY_INCOMPLETE', 'The connection ended before the body was complete.'));
    });
    request.once('error', () => undefined);
  });
}
