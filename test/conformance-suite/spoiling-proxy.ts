/** Stands in front of a right server and spoils its answers: faults in what the faulty server does not do at all. */
import { createServer, request as openRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Spoilable {
  readonly path: string;
  readonly requestBody: string;
  readonly status: number;
  readonly body: string;
}

export interface SpoilingProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** `spoil` gives what is different; bodies are texts, so binary answers must be left alone. */
export async function startSpoilingProxy(
  target: string,
  spoil: (answer: Spoilable) => Partial<Pick<Spoilable, 'status' | 'body'>>,
): Promise<SpoilingProxy> {
  const server = createServer((incoming, response) => {
    const { method, headers } = incoming;
    const path = incoming.url ?? '';
    const asked: Buffer[] = [];
    const forward = openRequest(target + path, { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const whole = Buffer.concat(chunks);
        const status = answer.statusCode ?? 0;
        const requestBody = Buffer.concat(asked).toString();
        const spoilt = spoil({ path, requestBody, status, body: whole.toString() });
        const body = spoilt.body === undefined ? whole : Buffer.from(spoilt.body);
        response
          .writeHead(spoilt.status ?? status, { ...answer.headers, 'content-length': body.length })
          .end(body);
      });
    });
    incoming.on('data', (chunk: Buffer) => {
      asked.push(chunk);
      forward.write(chunk);
    });
    incoming.on('end', () => forward.end());
    forward.on('error', () => response.destroy());
    response.on('close', () => forward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}
