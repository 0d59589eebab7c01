/**
 * The routes that run models: `/v2/models/.../infer` and `/predict/...`. They read what the request line and headers
 * say, which is only possible while the library's handler runs, and leave the rest to the exchange.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { RequestDoor } from '../dispatch/request-door.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { fail, type WireError } from '../wire/error-code.ts';
import { type MessageFormat, oipJson, oipMsgpack, predictJson } from '../wire/message-format.ts';
import { type ExchangeServices, HttpExchange } from './http-exchange.ts';
import { pathParameter } from './path-parameter.ts';
import type { RouteRegistry } from './route-registry.ts';

export interface InferenceRoutesOptions {
  readonly registry: RouteRegistry;
  readonly door: RequestDoor;
  readonly dispatcher: Dispatcher;
  readonly bodyBytesMax: number;
}

export function addInferenceRoutes(options: InferenceRoutesOptions): void {
  const services = exchangeServices(options);
  const handle =
    (json: MessageFormat) =>
    (res: HttpResponse, req: HttpRequest): void => {
      const chosen = chooseFormat(req, json);
      const target = {
        modelName: pathParameter(req, 0) ?? '',
        modelVersion: pathParameter(req, 1),
        format: chosen.format,
        declaredBytes: declaredBytes(req),
      };
      // The exchange lives on in the handlers it attaches.
      new HttpExchange(res, target, services).begin(chosen.error);
    };
  options.registry.add('post', '/v2/models/:model/infer', handle(oipJson));
  options.registry.add('post', '/v2/models/:model/versions/:version/infer', handle(oipJson));
  options.registry.add('post', '/predict/:model', handle(predictJson));
  options.registry.add('post', '/predict/:model/:version', handle(predictJson));
}

function exchangeServices({ door, dispatcher, bodyBytesMax }: InferenceRoutesOptions): ExchangeServices {
  return {
    bodyBytesMax,
    writer: new ByteWriter(),
    accept: (exchange, body) => {
      const { format, modelName, modelVersion } = exchange.target;
      return door.accept({
        protocol: format.protocol,
        modelName,
        modelVersion,
        decode: (signature) => format.decode(body, signature),
        sink: exchange,
      });
    },
    abandon: (pending) => {
      dispatcher.abandon(pending);
    },
    refuse: (exchange, error) => {
      door.refuse(exchange.target.format.protocol, error);
    },
  };
}

/** What a body claims to be. Clients that say nothing, or what curl says by default, mean JSON. */
const jsonTypes = new Set([
  '',
  'application/json',
  'application/x-www-form-urlencoded',
  'application/octet-stream',
  'text/plain',
  'text/json',
]);
const msgpackTypes = new Set(['application/msgpack', 'application/x-msgpack', 'application/vnd.msgpack']);

interface Chosen {
  readonly format: MessageFormat;
  /** Set when the request is to be refused, in the format that the client can read. */
  readonly error: WireError | undefined;
}

/** Bytes, because the library takes half as long to look those up as it does for text. */
const headers = {
  contentEncoding: Buffer.from('content-encoding'),
  binaryTensors: Buffer.from('inference-header-content-length'),
  contentType: Buffer.from('content-type'),
  contentLength: Buffer.from('content-length'),
};

function chooseFormat(req: HttpRequest, json: MessageFormat): Chosen {
  const encoding = req.getHeader(headers.contentEncoding);
  if (encoding !== '' && encoding !== 'identity') {
    return refused(
      json,
      `The content encoding '${printable(encoding)}' is not read here. Send the body uncompressed.`,
    );
  }
  if (req.getHeader(headers.binaryTensors) !== '') {
    return refused(
      json,
      'The binary tensor extension is not read here. Send the tensors as JSON or msgpack.',
    );
  }
  const header = req.getHeader(headers.contentType);
  if (header === 'application/json') return { format: json, error: undefined };
  const type = (header.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (jsonTypes.has(type) || type.endsWith('+json')) return { format: json, error: undefined };
  if (msgpackTypes.has(type)) {
    if (json === oipJson) return { format: oipMsgpack, error: undefined };
    return refused(json, 'This path reads JSON only. Send msgpack to /v2/models/{model}/infer.');
  }
  return refused(
    json,
    `The content type '${printable(type)}' is not read here. Send application/json or application/msgpack.`,
  );
}

function refused(format: MessageFormat, message: string): Chosen {
  return { format, error: fail('UNSUPPORTED_MEDIA_TYPE', message) };
}

/** Header text that is repeated to the client, cut to what a message needs. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
}

function declaredBytes(req: HttpRequest): number | undefined {
  const header = req.getHeader(headers.contentLength);
  return header === '' ? undefined : Number(header);
}
