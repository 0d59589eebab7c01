/**
 * The thread that reads large bodies: it decodes them and writes their elements into the shared arena, where the event
 * loop has made room. It keeps a body between those two steps. It also writes large answers as text. It knows nothing of
 * queues and sockets.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { typedView } from '../../../runtime/tensor/dtype.ts';
import { elementCount } from '../../../runtime/tensor/signature.ts';
import { ByteWriter } from '../../wire/byte-writer.ts';
import { fail, type Result, succeed } from '../../wire/error-code.ts';
import type { InferRequest, InputTensor, TensorSource } from '../../wire/infer-request.ts';
import { type MessageFormat, oipBinary, oipJson, predictJson } from '../../wire/message-format.ts';
import { readStrings, writeElements } from '../../wire/tensor-elements.ts';
import type { Filled } from '../fill-rows.ts';
import type {
  BodyReply,
  BodyTask,
  BodyThreadStart,
  FillTask,
  ReadRequest,
  ReadTask,
  WriteTask,
} from './body-task.ts';

const { arena } = workerData as BodyThreadStart;
const formats: Readonly<Record<ReadTask['format'], MessageFormat>> = {
  'oip-json': oipJson,
  'oip-binary': oipBinary,
  'predict-json': predictJson,
};
/** Requests that were read and are not filled yet; they point into their bodies. */
const requests = new Map<number, InferRequest>();

parentPort?.on('message', (task: BodyTask) => {
  switch (task.kind) {
    case 'read':
      send({ kind: 'read', ticket: task.ticket, request: read(task) });
      return;
    case 'fill':
      send({ kind: 'filled', ticket: task.ticket, filled: fill(task) });
      return;
    case 'write':
      write(task);
      return;
    case 'drop':
      requests.delete(task.ticket);
      return;
  }
});

function send(reply: BodyReply): void {
  parentPort?.postMessage(reply);
}

function read({ ticket, format, body, jsonBytes, signature }: ReadTask): Result<ReadRequest> {
  const request = formats[format].decode(body, signature, jsonBytes);
  if (!request.ok) return request;
  requests.set(ticket, request.value);
  const inputs = request.value.inputs.map(({ name, datatype, shape, source }) => {
    return { name, datatype, shape, sourceBytes: bytesOf(source) };
  });
  return succeed({ ...request.value, inputs });
}

const writer = new ByteWriter();

function write({ ticket, format, reply }: WriteTask): void {
  writer.reset();
  const jsonBytes = formats[format].encode(reply, writer);
  const body = new Uint8Array(writer.bytes());
  const written: BodyReply = { kind: 'written', ticket, body, jsonBytes };
  parentPort?.postMessage(written, [body.buffer]);
}

function bytesOf(source: TensorSource): number {
  switch (source.kind) {
    case 'packed':
      return source.bytes.byteLength;
    case 'json':
      return source.end - source.start;
    case 'values':
      return source.values.length;
  }
}

function fill({ ticket, inputs }: FillTask): Result<Filled | undefined> {
  const request = requests.get(ticket);
  requests.delete(ticket);
  let strings: (readonly string[] | undefined)[] | undefined;
  for (const [index, { name, byteOffset }] of inputs.entries()) {
    const tensor = request?.inputs.find((candidate) => candidate.name === name);
    if (tensor === undefined) return fail('INTERNAL', `a body has no input ${name}`);
    if (tensor.datatype === 'BYTES') {
      const read = readStrings(tensor);
      if (!read.ok) return read;
      strings ??= [];
      strings[index] = read.value;
    } else {
      const error = writeElements(tensor, slotOf(tensor, byteOffset));
      if (error !== undefined) return error;
    }
  }
  return succeed(strings);
}

function slotOf({ datatype, shape }: InputTensor, byteOffset: number): ReturnType<typeof typedView> {
  if (datatype === 'BYTES') throw new TypeError('strings have no slot');
  return typedView(datatype, { buffer: arena, byteOffset, elementCount: elementCount(shape) });
}
