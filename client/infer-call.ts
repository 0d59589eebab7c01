/** What a caller asks for, the same for HTTP and WebSocket, and what is checked before anything is sent. */
import { TidegateError } from './tidegate-error.ts';
import type { InferResult } from './infer-result.ts';
import { isDatatype } from './tensor/datatype.ts';
import { elementCount, type Tensor } from './tensor/tensor.ts';

/** Values of the protocol's `parameters`. */
export type ParameterValue = string | number | boolean;

export interface InferCall {
  readonly model: string;
  /** Undefined lets the gateway choose the version that is live. */
  readonly version?: string | undefined;
  /** By the names of the model's inputs; with a batch dimension the first dimension counts rows. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Names of the outputs that are wanted; undefined or empty means all. */
  readonly outputs?: readonly string[] | undefined;
  /**
   * Milliseconds that the call may take in all: waiting, sending, repeating. The gateway is told what is left of it.
   * Infinity for no deadline; the default is that of the client.
   */
  readonly deadlineMs?: number | undefined;
  /** 0, the default, is the gateway's usual priority; 1 is the highest, larger numbers come later. */
  readonly priority?: number | undefined;
  /** Further request parameters of the protocol, sent as they are. */
  readonly parameters?: Readonly<Record<string, ParameterValue>> | undefined;
  /** Aborting rejects the call with ABORTED and tells the gateway not to run it. */
  readonly signal?: AbortSignal | undefined;
}

/** What both clients do. */
export interface InferenceClient {
  /**
   * Runs a model. Rejects with a TidegateError: a code of the gateway (docs/protocol.md), CONNECTION_LOST,
   * DEADLINE_EXCEEDED, ABORTED, QUEUE_FULL, INVALID_ARGUMENT, INVALID_RESPONSE or CLIENT_CLOSED.
   */
  infer(call: InferCall): Promise<InferResult>;
  close(): Promise<void>;
}

/** Throws INVALID_ARGUMENT for what no gateway could answer. Callers in JavaScript have no compiler to tell them. */
export function checkCall(call: InferCall): void {
  if (!isObject(call)) throw invalid('A call is one object: { model, inputs }.');
  const { model, version, inputs, outputs, priority, parameters, signal } = call;
  if (typeof model !== 'string' || model === '') throw invalid('model is missing; give the name of a model.');
  if (version !== undefined && (typeof version !== 'string' || version === '')) {
    throw invalid('version is given and is no text; leave it out for the live one.');
  }
  if (!isObject(inputs)) throw invalid('inputs is missing; give tensors by the names of the inputs.');
  for (const [name, input] of Object.entries(inputs)) checkTensor(name, input);
  if (outputs !== undefined && !Array.isArray(outputs)) {
    throw invalid('outputs is given and is no list; give the names of the outputs that are wanted.');
  }
  if (priority !== undefined && (!Number.isSafeInteger(priority) || priority < 0)) {
    throw invalid(`priority is ${priority}; it is a whole number from 0 on.`);
  }
  for (const [name, value] of Object.entries(parameters ?? {})) {
    if (!parameterKinds.has(typeof value)) {
      throw invalid(`The parameter ${name} is no text, number, true or false.`);
    }
  }
  if (signal !== undefined && typeof signal.addEventListener !== 'function') {
    throw invalid('signal is no AbortSignal; give the signal of an AbortController.');
  }
}

const parameterKinds = new Set(['string', 'number', 'boolean']);

/** What `tensor` makes is right; a tensor may also be written by hand. */
function checkTensor(name: string, input: Tensor): void {
  if (!isObject(input) || !isDatatype(input.datatype) || !Array.isArray(input.shape)) {
    throw invalid(`Input ${name} is no tensor; make one with tensor(datatype, shape, data).`);
  }
  const { datatype, shape, data } = input;
  if (!(datatype === 'BYTES' ? Array.isArray(data) : ArrayBuffer.isView(data))) {
    throw invalid(
      `The data of input ${name} does not suit ${datatype}; make it with tensor(datatype, shape, data).`,
    );
  }
  const count = elementCount(shape);
  if (data.length !== count) {
    throw invalid(`Input ${name} (${datatype}) has ${data.length} elements; its shape takes ${count}.`);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function invalid(message: string): TidegateError {
  return new TidegateError('INVALID_ARGUMENT', message);
}
