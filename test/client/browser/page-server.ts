/**
 * A plain static server for the compiled client and one empty page, which also hands `/v2` on to a gateway, HTTP and
 * WebSocket alike. So the page and the gateway have one origin, as behind the usual reverse proxy.
 */
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

const clientFolder = fileURLToPath(new URL('../../../dist/client/', import.meta.url));

export async function servePage(gatewayPort: number): Promise<PageServer> {
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    const { url = '/', method, headers } = incoming;
    if (url.startsWith('/v2')) {
      const forwarded = request(
        { host: '127.0.0.1', port: gatewayPort, path: url, method, headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        },
      );
      forwarded.once('error', () => response.destroy());
      incoming.pipe(forwarded);
    } else if (url.startsWith('/client/')) {
      const file = join(clientFolder, normalize(url.slice('/client/'.length)));
      readFile(file).then(
        (bytes) => response.writeHead(200, { 'content-type': 'text/javascript' }).end(bytes),
        () => response.writeHead(404).end(),
      );
    } else {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>client</title>');
    }
  });
  server.on('upgrade', ({ url, headers }, socket: Socket) => {
    const gateway = connect(gatewayPort, '127.0.0.1');
    for (const end of [gateway, socket]) {
      sockets.add(end);
      end.on('error', () => undefined);
      end.once('close', () => {
        sockets.delete(end);
        gateway.destroy();
        socket.destroy();
      });
    }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
    gateway.write(`GET ${url ?? '/'} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    socket.pipe(gateway).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
