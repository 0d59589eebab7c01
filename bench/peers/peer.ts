/** The servers that are compared, and what one of them answers to the one request of the workload. */
import { EventEmitter, once } from 'node:events';
import { type Children, nodeCommand } from '../children.ts';
import { numberField, textField } from '../json-field.ts';
import { localTarget } from '../load/local-target.ts';
import { firstId } from '../load/stream-caller.ts';
import { StreamSocket } from '../../cli/bench/load/stream-socket.ts';
import { encodeClientFrame } from '../../cli/bench/load/websocket-frame.ts';
import type { OrtBackend } from './ort-session.ts';
import {
  inferPath,
  jsonRequest,
  requireLabel,
  type Sample,
  streamRequest,
  unpackAnswer,
} from '../workload.ts';

export type PeerName = 'gateway' | 'bare-uws' | 'fastify-ort';

export const peerTitles: Readonly<Record<PeerName, string>> = {
  gateway: 'gateway',
  'bare-uws': 'bare uWebSockets.js',
  'fastify-ort': 'Fastify + ort-web',
};

/** Milliseconds for one answer of a server that has nothing else to do. */
const answerMsMax = 10_000;

export interface HttpAnswer {
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly modelVersion: string;
}

/** Asks once over HTTP. Throws unless the answer is 200 with the label of the sample. */
export async function askOnce(port: number, sample: Sample): Promise<HttpAnswer> {
  const response = await fetch(`http://127.0.0.1:${port}${inferPath}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: jsonRequest(sample),
    signal: AbortSignal.timeout(answerMsMax),
  });
  const body = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(`Status ${response.status}: ${body.toString()}`);
  const answer: unknown = JSON.parse(body.toString());
  requireLabel(answer, sample.label);
  const contentType = response.headers.get('content-type') ?? '';
  return { contentType, body, modelVersion: textField(answer, 'model_version') };
}

/** Asks once over WebSocket. Rejects unless the answer has the label of the sample and the id it was asked with. */
export async function askOnceOnStream(port: number, sample: Sample): Promise<Uint8Array> {
  const message = await firstMessage(port, encodeClientFrame(streamRequest(sample)));
  const answer = unpackAnswer(message);
  if (numberField(answer, 'id') !== firstId) throw new Error('The answer has another id than the request.');
  requireLabel(answer, sample.label);
  return message;
}

async function firstMessage(port: number, frame: Uint8Array): Promise<Uint8Array> {
  const inbox = new EventEmitter<{ message: [Uint8Array]; error: [Error] }>();
  const socket = await StreamSocket.connect(localTarget(port), {
    onMessage: (payload) => inbox.emit('message', payload.slice()),
    onChunkEnd: () => undefined,
    onLost: (error) => inbox.emit('error', error),
  });
  try {
    const answered = once(inbox, 'message', { signal: AbortSignal.timeout(answerMsMax) });
    socket.send(frame);
    const messages: readonly unknown[] = await answered;
    const [message] = messages;
    if (message instanceof Uint8Array) return message;
    throw new Error('No answer on the WebSocket.');
  } finally {
    socket.close();
  }
}

export async function startBareUws(
  children: Children,
  answers: { readonly http: HttpAnswer; readonly message: Uint8Array },
): Promise<number> {
  const job = {
    contentType: answers.http.contentType,
    body: Buffer.from(answers.http.body).toString('base64'),
    message: Buffer.from(answers.message).toString('base64'),
  };
  return startServer(children, 'bare-uws', [JSON.stringify(job)]);
}

export async function startFastify(
  children: Children,
  models: readonly { readonly name: string; readonly file: string; readonly version: string }[],
  backend: OrtBackend,
): Promise<number> {
  const list = models.map(({ name, file, version }) => ({ name, file, version }));
  return startServer(children, 'fastify-ort', [JSON.stringify(list), backend]);
}

async function startServer(children: Children, name: PeerName, args: readonly string[]): Promise<number> {
  const script = new URL(`${name}.js`, import.meta.url);
  const line = await children.start(nodeCommand(name, script, { args })).firstLine();
  return numberField(JSON.parse(line), 'port');
}
