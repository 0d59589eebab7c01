/**
 * The routes that run models: `/v2/models/.../infer` and `/predict/...`. They read what the request line and headers
 * say, which is only possible while the library's handler runs, and leave the rest to the exchange.
 */
import type { HttpRequest } from 'uWebSockets.js';
import type { Limits } from '../admission/limits.ts';
import type { IncomingRequest, RequestDoor } from '../dispatch/request-door.ts';
import { BodyKey } from '../wire/body-key.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { fail, type Result, succeed, type WireError } from '../wire/error-code.ts';
import { type MessageFormat, oipBinary, oipJson, oipMsgpack, predictJson } from '../wire/message-format.ts';
import { readJsonBytes } from '../wire/oip-binary.ts';
import { dueWithinMsMax } from '../wire/request-options.ts';
import { requestEncoding } from './content-encoding.ts';
import { readContentType } from './content-type.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { type ExchangeServices, HttpExchange, type InferTarget } from './http-exchange.ts';
import type { OpenExchanges } from './open-exchanges.ts';
import { pathParameter } from './path-parameter.ts';
import type { HeadKeySource, KeyPlan } from '../route/routing-key.ts';
import type { ForcePermission } from './force-permission.ts';
import type { TrustedProxies } from './client-address.ts';
import { headerValues, routingKey } from './request-key.ts';
import type { ReceivingBytes } from './receiving-bytes.ts';
import type { RawHandler, RouteRegistry } from './route-registry.ts';

export interface InferenceRoutesOptions {
  readonly registry: RouteRegistry;
  readonly door: RequestDoor;
  readonly limits: Pick<Limits, 'bodyBytesMax' | 'inflatedBytesMax' | 'inlineJsonBytesMax'>;
  readonly receiving: ReceivingBytes;
  readonly open: OpenExchanges;
  readonly crossOrigin: CrossOrigin;
  readonly keys: KeyPlan;
  /** What tells callers apart; empty where they are not bound. */
  readonly callers: readonly HeadKeySource[];
  readonly proxies: TrustedProxies;
  readonly force: ForcePermission;
}

export function addInferenceRoutes(options: InferenceRoutesOptions): void {
  const services = exchangeServices(options);
  const { crossOrigin, door, keys, callers, proxies, force } = options;
  const handle = (json: MessageFormat, namesVersion: boolean): RawHandler => {
    const usual = succeed({ format: json, jsonBytes: 0 });
    return (res, req) => {
      const encoding = requestEncoding(req.getHeader(headers.contentEncoding));
      const format = chooseFormat(req, usual);
      const chosen = format.ok ? format.value : usual.value;
      const dueWithin = readDeadline(req);
      const modelName = pathParameter(req, 0) ?? '';
      const inPath = namesVersion ? pathVersion(req) : undefined;
      const inHeader = inPath === undefined ? headerVersion(req) : undefined;
      const mayChoose = inHeader === undefined || force.allows(req);
      const { routes } = door;
      const key = routes.divides ? routingKey(req, res, { sources: keys.before, proxies }) : undefined;
      const target: InferTarget = {
        modelName,
        modelVersion: mayChoose ? (inPath ?? inHeader) : undefined,
        expectedVersion: mayChoose ? undefined : inHeader,
        routingKey: key,
        lateKey:
          routes.divides && key === undefined
            ? routingKey(req, res, { sources: keys.after, proxies })
            : undefined,
        headers: routes.divides ? headerValues(req, routes.cohortHeaders(modelName)) : undefined,
        caller: callers.length === 0 ? undefined : routingKey(req, res, { sources: callers, proxies }),
        format: chosen.format,
        jsonBytes: chosen.jsonBytes,
        dueWithinMs: dueWithin.ok ? dueWithin.value : undefined,
        declaredBytes: declaredBytes(req),
        encoding: encoding.ok ? encoding.value : undefined,
        acceptEncoding: req.getHeader(headers.acceptEncoding),
        allowOrigin: crossOrigin.isConfigured ? crossOrigin.allows(req.getHeader(headers.origin)) : undefined,
      };
      // The exchange lives on in the handlers it attaches.
      new HttpExchange(res, target, services).begin(
        refusalOf(encoding) ?? refusalOf(format) ?? refusalOf(dueWithin),
      );
    };
  };
  options.registry.addRaw('post', '/v2/models/:model/infer', handle(oipJson, false));
  options.registry.addRaw('post', '/v2/models/:model/versions/:version/infer', handle(oipJson, true));
  options.registry.addRaw('post', '/predict/:model', handle(predictJson, false));
  options.registry.addRaw('post', '/predict/:model/:version', handle(predictJson, true));
}

function exchangeServices(options: InferenceRoutesOptions): ExchangeServices {
  const { door, limits, receiving, open, crossOrigin, keys } = options;
  return {
    bodyBytesMax: limits.bodyBytesMax,
    inflatedBytesMax: limits.inflatedBytesMax,
    receiving,
    open,
    crossOrigin,
    writer: new ByteWriter(),
    late: door.lateAnswers,
    reportFault: (fault) => door.reportFault(fault),
    accept: (exchange, body, isOwned) => {
      const { format, jsonBytes, modelName, modelVersion, expectedVersion, headers: named } = exchange.target;
      const { routingKey: key, lateKey, dueWithinMs, caller } = exchange.target;
      const { protocol } = format;
      const textBytes = protocol === 'oip-binary' ? jsonBytes : body.length;
      if (textBytes > limits.inlineJsonBytesMax && protocol !== 'oip-msgpack') {
        return door.acceptLarge({
          protocol,
          modelName,
          modelVersion,
          expectedVersion,
          routingKey: key ?? lateKey,
          headers: named,
          body: isOwned ? ownMemory(body) : body.slice(),
          jsonBytes,
          sink: exchange,
          held: exchange.held,
          dueWithinMs,
          caller,
        });
      }
      const inBody = key === undefined && named !== undefined && keys.inBody.length > 0;
      return door.accept({
        protocol,
        modelName,
        modelVersion,
        expectedVersion,
        routingKey: key ?? lateKey,
        headers: named,
        decodeWithKey: inBody ? withKey(exchange.target, body, keys.inBody) : undefined,
        decode: (signature) => format.decode(body, signature, jsonBytes),
        sink: exchange,
        held: exchange.held,
        dueWithinMs,
        caller,
      });
    },
    abandon: (pending) => {
      door.abandon(pending);
    },
    refuse: (exchange, error) => {
      door.refuse(exchange.target.format.protocol, error);
    },
  };
}

/** Reads a body and the key in it; undefined for formats in whose bodies nobody looks. */
function withKey(
  { format, lateKey }: InferTarget,
  body: Uint8Array,
  paths: KeyPlan['inBody'],
): IncomingRequest['decodeWithKey'] {
  const { decodeWithKey } = format;
  if (decodeWithKey === undefined) return undefined;
  return (signature) => {
    const found = new BodyKey(paths);
    const request = decodeWithKey(body, signature, found);
    return request.ok ? succeed({ request, key: found.key ?? lateKey }) : request;
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
/** ASCII is UTF-8 too. */
const jsonCharsets = new Set(['utf-8', 'utf8', 'us-ascii']);
const msgpackTypes = new Set(['application/msgpack', 'application/x-msgpack', 'application/vnd.msgpack']);

/** Bytes, because the library takes half as long to look those up as it does for text. */
const headers = {
  contentEncoding: Buffer.from('content-encoding'),
  acceptEncoding: Buffer.from('accept-encoding'),
  origin: Buffer.from('origin'),
  binaryTensors: Buffer.from('inference-header-content-length'),
  deadline: Buffer.from('x-deadline-ms'),
  modelVersion: Buffer.from('x-model-version'),
  contentType: Buffer.from('content-type'),
  contentLength: Buffer.from('content-length'),
};

interface BodyForm {
  readonly format: MessageFormat;
  /** How much of the body is JSON, for one with binary tensors. */
  readonly jsonBytes: number;
}

type Chosen = Result<BodyForm>;
type Usual = Extract<Chosen, { ok: true }>;

const msgpackForm = succeed({ format: oipMsgpack, jsonBytes: 0 });

/** The format of the answer too; a refusal is answered in JSON, which every client can read. */
function chooseFormat(req: HttpRequest, usual: Usual): Chosen {
  // Clients that send binary tensors say it by this header, and any content type or none.
  const jsonBytes = req.getHeader(headers.binaryTensors);
  if (jsonBytes !== '') return chooseBinary(jsonBytes, usual);
  const header = req.getHeader(headers.contentType);
  if (header === 'application/json') return usual;
  const { type, charset } = readContentType(header);
  if (jsonTypes.has(type) || type.endsWith('+json')) {
    if (charset === undefined || jsonCharsets.has(charset)) return usual;
    return unsupported(`JSON is read as UTF-8 here, not as '${printable(charset)}'. Send it as UTF-8.`);
  }
  if (msgpackTypes.has(type)) {
    if (usual.value.format === oipJson) return msgpackForm;
    return unsupported('This path reads JSON only. Send msgpack to /v2/models/{model}/infer.');
  }
  return unsupported(
    `The content type '${printable(type)}' is not read here. Send application/json or application/msgpack.`,
  );
}

function pathVersion(req: HttpRequest): string | undefined {
  const version = pathParameter(req, 1);
  return version === '' ? undefined : version;
}

/** What the header asks for; it counts where the path names no version. */
function headerVersion(req: HttpRequest): string | undefined {
  const version = req.getHeader(headers.modelVersion);
  return version === '' ? undefined : version;
}

const noDeadline = succeed(undefined);

/** Milliseconds within which the request must be answered. */
function readDeadline(req: HttpRequest): Result<number | undefined> {
  const header = req.getHeader(headers.deadline);
  if (header === '') return noDeadline;
  const ms = /^[0-9]{1,7}$/.test(header) ? Number(header) : 0;
  if (ms >= 1 && ms <= dueWithinMsMax) return succeed(ms);
  return fail(
    'INVALID_REQUEST',
    `The header x-deadline-ms must be a whole number of milliseconds from 1 to ${dueWithinMsMax}.`,
  );
}

/** Memory that can be given away: the bytes themselves when nothing else is in their buffer. */
function ownMemory(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = body;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
    ? new Uint8Array(buffer)
    : new Uint8Array(body);
}

function chooseBinary(header: string, usual: Usual): Chosen {
  if (usual.value.format !== oipJson) {
    return unsupported('This path reads JSON only. Send binary tensors to /v2/models/{model}/infer.');
  }
  const jsonBytes = readJsonBytes(header);
  return jsonBytes.ok ? succeed({ format: oipBinary, jsonBytes: jsonBytes.value }) : jsonBytes;
}

function unsupported(message: string): WireError {
  return fail('UNSUPPORTED_MEDIA_TYPE', message);
}

function refusalOf(result: Result<unknown>): WireError | undefined {
  return result.ok ? undefined : result;
}

/** Header text that is repeated to the client, cut to what a message needs. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
}

function declaredBytes(req: HttpRequest): number | undefined {
  const header = req.getHeader(headers.contentLength);
  return header === '' ? undefined : Number(header);
}
