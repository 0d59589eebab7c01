/**
 * Clients of the gateway, one per way in: give a call, get tensors or a coded error. Each has one connection, opened
 * when it is first needed. An HTTP caller does one call at a time; a stream caller any number.
 */
import { oipBinaryBody, oipBinaryOutcome } from './binary-form.ts';
import { within } from './deadline.ts';
import { type HttpAnswer, HttpConnection, type RequestParts } from './http-connection.ts';
import { StreamClient } from './stream-client.ts';
import {
  type Call,
  inferPath,
  msgpackMessage,
  msgpackOutcome,
  oipJsonBody,
  oipJsonOutcome,
  type Outcome,
  type OutputNames,
  packed,
  predictBody,
  predictOutcome,
  predictPath,
  unpacked,
} from './wire-forms.ts';

export const forms = [
  'oip-json',
  'oip-json-nested',
  'oip-binary',
  'predict-json',
  'oip-msgpack',
  'oip-msgpack-values',
  'stream-msgpack',
  'stream-msgpack-values',
] as const;
export type Form = (typeof forms)[number];

export interface Caller {
  readonly form: Form;
  call(call: Call): Promise<Outcome>;
  close(): void;
}

export interface CallerOptions {
  readonly port: number;
  /** Outputs of a model by its name; only the form that does not name them asks. */
  readonly outputsOf: (model: string) => OutputNames;
}

export function openCaller(form: Form, options: CallerOptions): Caller {
  return form === 'stream-msgpack' || form === 'stream-msgpack-values'
    ? new StreamCaller(form, options.port)
    : new HttpCaller(form, options);
}

/** Only a request that hangs takes this long, also on a busy machine. */
const answerMsMax = 60_000;

interface HttpForm {
  readonly request: (call: Call) => RequestParts;
  readonly outcome: (answer: HttpAnswer, outputs: OutputNames) => Outcome;
}

const json = { 'content-type': 'application/json' };
const msgpack = { 'content-type': 'application/msgpack' };

const httpForms: Readonly<Record<Exclude<Form, 'stream-msgpack' | 'stream-msgpack-values'>, HttpForm>> = {
  'oip-json': {
    request: (call) => ({ method: 'POST', path: inferPath(call), headers: json, body: oipJsonBody(call) }),
    outcome: ({ body, status }) => oipJsonOutcome(body, status),
  },
  'oip-json-nested': {
    request: (call) => ({
      method: 'POST',
      path: inferPath(call),
      headers: json,
      body: oipJsonBody(call, 'nested'),
    }),
    outcome: ({ body, status }) => oipJsonOutcome(body, status),
  },
  'oip-binary': {
    request: (call) => ({ method: 'POST', path: inferPath(call), ...oipBinaryBody(call) }),
    outcome: (answer) => oipBinaryOutcome(answer),
  },
  'predict-json': {
    request: (call) => ({ method: 'POST', path: predictPath(call), headers: json, body: predictBody(call) }),
    outcome: ({ body, status }, outputs) => predictOutcome(body, status, outputs),
  },
  'oip-msgpack': {
    request: (call) => ({
      method: 'POST',
      path: inferPath(call),
      headers: msgpack,
      body: packed(msgpackMessage(call)),
    }),
    outcome: ({ body, status }) => msgpackOutcome(unpacked(body), status),
  },
  'oip-msgpack-values': {
    request: (call) => ({
      method: 'POST',
      path: inferPath(call),
      headers: msgpack,
      body: packed(msgpackMessage(call, { elements: 'values' })),
    }),
    outcome: ({ body, status }) => msgpackOutcome(unpacked(body), status),
  },
};

class HttpCaller implements Caller {
  readonly form: keyof typeof httpForms;
  readonly #options: CallerOptions;
  #connection: Promise<HttpConnection> | undefined;

  constructor(form: keyof typeof httpForms, options: CallerOptions) {
    this.form = form;
    this.#options = options;
  }

  async call(call: Call): Promise<Outcome> {
    const { request, outcome } = httpForms[this.form];
    this.#connection ??= HttpConnection.open(this.#options.port);
    const connection = await this.#connection;
    const answer = await within(
      connection.exchange(request(call)),
      `${this.form} ${call.model}`,
      answerMsMax,
    );
    if (answer.headers.get('connection') === 'close') this.#connection = undefined;
    return outcome(answer, this.#options.outputsOf(call.model));
  }

  close(): void {
    void this.#connection?.then((connection) => {
      connection.destroy();
    });
  }
}

class StreamCaller implements Caller {
  readonly form: 'stream-msgpack' | 'stream-msgpack-values';
  readonly #port: number;
  readonly #waiting = new Map<string | number, (outcome: Outcome) => void>();
  #client: Promise<StreamClient> | undefined;
  #lastId = 0;

  constructor(form: StreamCaller['form'], port: number) {
    this.form = form;
    this.#port = port;
  }

  async call(call: Call): Promise<Outcome> {
    this.#client ??= this.#open();
    const client = await this.#client;
    this.#lastId += 1;
    const id = this.#lastId % 2 === 0 ? this.#lastId : `s${this.#lastId}`;
    const outcome = new Promise<Outcome>((resolve) => this.#waiting.set(id, resolve));
    const fields = { model: call.model, ...(call.version === undefined ? {} : { version: call.version }) };
    const elements = this.form === 'stream-msgpack' ? 'bin' : 'values';
    client.send(packed(msgpackMessage({ ...call, id }, { elements, fields })));
    return within(outcome, `${this.form} ${call.model}`, answerMsMax);
  }

  close(): void {
    void this.#client?.then((client) => {
      client.destroy();
    });
  }

  async #open(): Promise<StreamClient> {
    const client = await StreamClient.open(this.#port);
    client.onMessage(({ payload }) => {
      const message = unpacked(payload);
      const id = message['id'];
      if (typeof id !== 'string' && typeof id !== 'number') throw new Error('an answer without an id');
      const settle = this.#waiting.get(id);
      if (settle === undefined) throw new Error(`an answer to ${id}, which is not in flight`);
      this.#waiting.delete(id);
      settle(msgpackOutcome(message, undefined));
    });
    return client;
  }
}
