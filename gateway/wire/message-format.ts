/**
 * The HTTP message formats as one table row each: how a body is read for a model, how an answer and an error are
 * written. A transport picks a row and otherwise does not know what it carries.
 */
import type { ModelSignature } from '../../runtime/tensor/signature.ts';
import type { ByteWriter } from './byte-writer.ts';
import { encodeError } from './error-body.ts';
import type { Result, WireError } from './error-code.ts';
import type { InferReply, InferRequest } from './infer-request.ts';
import { encodeOipJson } from './oip-json-answer.ts';
import { decodeRepeated } from './oip-json-repeat.ts';
import { decodeOipMsgpack, encodeMsgpackError, encodeOipMsgpack } from './oip-msgpack.ts';
import { decodePredict, encodePredict } from './predict-json.ts';

export interface MessageFormat {
  /** Stands in metrics. */
  readonly protocol: 'oip-json' | 'predict-json' | 'oip-msgpack';
  /** As bytes, which the server library takes faster than text. */
  readonly contentType: Uint8Array;
  /** The request points into `body` and lives only as long as that. */
  readonly decode: (body: Uint8Array, signature: ModelSignature) => Result<InferRequest>;
  readonly encode: (reply: InferReply, writer: ByteWriter) => void;
  readonly encodeError: (error: WireError, writer: ByteWriter) => void;
}

export const oipJson: MessageFormat = {
  protocol: 'oip-json',
  contentType: Buffer.from('application/json'),
  decode: decodeRepeated,
  encode: encodeOipJson,
  encodeError,
};

export const oipMsgpack: MessageFormat = {
  protocol: 'oip-msgpack',
  contentType: Buffer.from('application/msgpack'),
  decode: decodeOipMsgpack,
  encode: encodeOipMsgpack,
  encodeError: encodeMsgpackError,
};

export const predictJson: MessageFormat = {
  protocol: 'predict-json',
  contentType: Buffer.from('application/json'),
  decode: decodePredict,
  encode: encodePredict,
  encodeError,
};
