/**
 * Callers that keep asking one model, each request with a number in its row that the answer must repeat: one HTTP connection
 * with a request at a time, or one WebSocket with many. They read every answer as a whole, since what counts is whose it is;
 * how fast it came is the business of the other load generators.
 */
import type { Socket } from 'node:net';
import { requestHead, openSocket, type Target } from '../../cli/bench/load/target.ts';
import { StreamSocket } from '../../cli/bench/load/stream-socket.ts';
import { encodeClientFrame } from '../../cli/bench/load/websocket-frame.ts';
import { tensor } from '../../client/tensor/tensor.ts';
import { decodeServerFrame, encodeRequest } from '../../client/wire/stream-frame.ts';
import { field } from '../json-field.ts';
import type { AnswerLedger } from './answer-ledger.ts';

export interface NumberedLoad {
  readonly target: Target;
  readonly model: string;
  readonly input: string;
  /** Numbers of a row; the first one is that of the request. */
  readonly width: number;
  /** The output whose first number is that of the request. */
  readonly output: string;
  readonly ledger: AnswerLedger;
}

export interface NumberedCaller {
  /** No more requests; those under way are still waited for. */
  stop(): void;
  close(): void;
}

const headEnd = Buffer.from('\r\n\r\n');

/** One HTTP connection, JSON both ways, one request under way. */
export function callOverHttp(load: NumberedLoad): NumberedCaller {
  const { target, model, input, output, width, ledger } = load;
  let goesOn = true;
  let current: number | undefined;
  let pending: Buffer = Buffer.alloc(0);
  const socket: Socket = openSocket(target);
  const next = (): void => {
    if (!goesOn) return;
    current = ledger.ask();
    const inputs = [{ name: input, datatype: 'FP32', shape: [1, width], data: rowOf(current, width) }];
    const body = JSON.stringify({ inputs, outputs: [{ name: output }] });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) };
    socket.write(requestHead(target, { line: `POST /v2/models/${model}/infer`, headers }) + body);
  };
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (let taken = takeAnswer(pending); taken !== undefined; taken = takeAnswer(pending)) {
      pending = taken.rest;
      const number = current;
      current = undefined;
      if (number === undefined) ledger.surprise('an HTTP answer that nobody waited for');
      else settle(ledger, number, taken.body);
      next();
    }
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    // The gateway may end one that has been idle for long.
    if (goesOn || current !== undefined) ledger.surprise('an HTTP connection was lost');
  });
  next();
  return {
    stop: () => {
      goesOn = false;
    },
    close: () => {
      [goesOn, current] = [false, undefined];
      socket.destroy();
    },
  };
}

/** The body of the first whole answer and what follows it; undefined where there is none. */
function takeAnswer(bytes: Buffer): { readonly body: Buffer; readonly rest: Buffer } | undefined {
  const end = bytes.indexOf(headEnd);
  if (end === -1) return undefined;
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, end))?.[1] ?? NaN);
  const from = end + headEnd.length;
  if (!(bytes.length >= from + length)) return undefined;
  return { body: bytes.subarray(from, from + length), rest: bytes.subarray(from + length) };
}

function settle(ledger: AnswerLedger, number: number, body: Buffer): void {
  const answer: unknown = JSON.parse(body.toString());
  const code = field(answer, 'code');
  if (typeof code === 'string') ledger.refuse(number, code);
  else ledger.answer(number, Number(field(field(field(field(answer, 'outputs'), '0'), 'data'), '0')));
}

/** One WebSocket, msgpack both ways, so many requests under way. Its ids are the numbers of the requests. */
export async function callOverStream(load: NumberedLoad, inflight: number): Promise<NumberedCaller> {
  const { target, model, input, output, width, ledger } = load;
  let goesOn = true;
  const due: Uint8Array[] = [];
  const add = (): void => {
    if (!goesOn) return;
    const number = ledger.ask();
    const row = tensor('FP32', [1, width], Float32Array.from(rowOf(number, width)));
    const fields = { model, version: undefined, outputs: [output], remainingMs: Infinity };
    const inputs = [{ name: input, ...row }];
    due.push(
      encodeClientFrame(encodeRequest(number, { ...fields, inputs, priority: undefined, parameters: {} })),
    );
  };
  const flush = (): void => {
    if (due.length > 0) socket.send(Buffer.concat(due.splice(0)));
  };
  const socket = await StreamSocket.connect(target, {
    onMessage: (payload) => {
      // A copy that is no Buffer: reading tensors slices it, which of a Buffer gives no copy.
      const frame = decodeServerFrame(new Uint8Array(payload));
      if (frame.kind === 'answer') {
        ledger.answer(frame.id, Number(frame.result.output(output).data[0]));
        add();
      } else if (frame.kind === 'error') {
        ledger.refuse(frame.id ?? NaN, frame.error.code);
        add();
      }
    },
    onChunkEnd: flush,
    onLost: (error) => {
      ledger.surprise(`a WebSocket was lost: ${error.message}`);
    },
  });
  for (let slot = 0; slot < inflight; slot++) add();
  flush();
  return {
    stop: () => {
      goesOn = false;
    },
    close: () => {
      socket.close();
    },
  };
}

function rowOf(number: number, width: number): readonly number[] {
  return Array.from({ length: width }, (_, at) => (at === 0 ? number : 1));
}
