/**
 * The requests of a run as the bytes that go out, made once: a load generator that encodes for every request measures its
 * own encoder. Several different ones are sent in turn, so that nothing along the way can live on seeing the same.
 */
import type { InferCall } from '../../../client/infer-call.ts';
import { encodeHttpRequest, type HttpEncoding } from '../../../client/wire/http-message.ts';
import type { RequestFields } from '../../../client/wire/request-fields.ts';
import { encodeRequest } from '../../../client/wire/stream-frame.ts';
import type { RequestCycle } from './lane.ts';
import { firstStreamId } from './stream-lane.ts';
import { requestHead, type Target } from './target.ts';
import { encodeClientFrame } from './websocket-frame.ts';

export const protocols = ['http-json', 'http-binary', 'http-msgpack', 'stream'] as const;
export type Protocol = (typeof protocols)[number];

const encodings: Readonly<Record<Exclude<Protocol, 'stream'>, HttpEncoding>> = {
  'http-json': 'json',
  'http-binary': 'binary',
  'http-msgpack': 'msgpack',
};

/** How the client speaks where this protocol is measured. */
export function encodingOf(protocol: Protocol): HttpEncoding {
  return protocol === 'stream' ? 'msgpack' : encodings[protocol];
}

/** `deadlineMs` of a call is sent with it; without one the gateway may take as long as it wants. */
export function prepareRequests(
  target: Target,
  { protocol, calls }: { readonly protocol: Protocol; readonly calls: readonly InferCall[] },
): RequestCycle {
  const messages = calls.map((call) =>
    protocol === 'stream'
      ? encodeClientFrame(streamMessage(call))
      : httpMessage(target, call, encodings[protocol]),
  );
  let at = 0;
  return {
    next: () => {
      const message = messages[at];
      if (message === undefined) throw new RangeError('There is no request to send.');
      at = (at + 1) % messages.length;
      return message;
    },
  };
}

/** Without the frame around it; its id is the smallest one. */
export function streamMessage(call: InferCall): Uint8Array {
  return encodeRequest(firstStreamId, fieldsOf(call));
}

function httpMessage(target: Target, call: InferCall, encoding: HttpEncoding): Uint8Array {
  const { body, headers } = encodeHttpRequest(fieldsOf(call), encoding);
  const bytes = Buffer.from(body);
  const version = call.version === undefined ? '' : `/versions/${encodeURIComponent(call.version)}`;
  const path = `${target.basePath}/v2/models/${encodeURIComponent(call.model)}${version}/infer`;
  const head = requestHead(target, {
    line: `POST ${path}`,
    headers: { ...headers, 'Content-Length': String(bytes.length) },
  });
  return Buffer.concat([Buffer.from(head), bytes]);
}

function fieldsOf({ model, version, inputs, outputs, deadlineMs, parameters }: InferCall): RequestFields {
  return {
    model,
    version,
    inputs: Object.entries(inputs).map(([name, input]) => ({ name, ...input })),
    outputs: outputs ?? [],
    remainingMs: deadlineMs ?? Infinity,
    priority: undefined,
    parameters: parameters ?? {},
  };
}
