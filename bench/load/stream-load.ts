/** Load over WebSocket from our own client (stream-client.ts), in a child of its own. */
import { type Children, nodeCommand } from '../children.ts';
import { field, numberField, textField } from '../json-field.ts';
import { type LoadReport, parseLoadReport } from './load-report.ts';

/** One closed-loop run: on every socket a fixed number of requests is in flight. */
export interface StreamLoad {
  readonly port: number;
  readonly sockets: number;
  /** Requests in flight on each socket. */
  readonly inflight: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** See StreamCallerOptions. In base64, to cross to the child. */
  readonly template: string;
  readonly answerBytes: number;
  readonly ids: 'echoed' | 'fixed';
}

const clientModule = new URL('stream-client.js', import.meta.url);

export async function runStream(children: Children, load: StreamLoad): Promise<LoadReport> {
  const child = children.start(nodeCommand('stream client', clientModule, { args: [JSON.stringify(load)] }));
  return parseLoadReport(await child.output());
}

export function parseStreamLoad(json: string | undefined): StreamLoad {
  const value: unknown = JSON.parse(json ?? 'null');
  return {
    port: numberField(value, 'port'),
    sockets: numberField(value, 'sockets'),
    inflight: numberField(value, 'inflight'),
    warmUpSeconds: numberField(value, 'warmUpSeconds'),
    seconds: numberField(value, 'seconds'),
    template: textField(value, 'template'),
    answerBytes: numberField(value, 'answerBytes'),
    ids: field(value, 'ids') === 'fixed' ? 'fixed' : 'echoed',
  };
}
