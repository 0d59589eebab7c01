/**
 * The HTTP message formats as one table row each: how a body is read for a model, how an answer and an error are
 * written. A transport picks a row and otherwise does not know what it carries.
 */
import type { ModelSignature } from '../../runtime/tensor/signature.ts';
import type { BodyKey } from './body-key.ts';
import type { ByteWriter } from './byte-writer.ts';
import { encodeError } from './error-body.ts';
import type { Result, WireError } from './error-code.ts';
import type { InferReply, InferRequest } from './infer-request.ts';
import { decodeOipBinary } from './oip-binary.ts';
import { encodeOip } from './oip-binary-answer.ts';
import { decodeOipJson } from './oip-json.ts';
import { decodeRepeated } from './oip-json-repeat.ts';
import { decodeOipMsgpack, encodeMsgpackError, encodeOipMsgpack } from './oip-msgpack.ts';
import { decodePredict, encodePredict } from './predict-json.ts';

export interface MessageFormat {
  /** Stands in metrics. */
  readonly protocol: 'oip-json' | 'oip-binary' | 'predict-json' | 'oip-msgpack';
  /** Of answers without binary tensors and of errors. As bytes, which the server library takes faster than text. */
  readonly contentType: Uint8Array;
  /** The request points into `body` and lives only as long as that. `jsonBytes` is for bodies that have binary tensors. */
  readonly decode: (body: Uint8Array, signature: ModelSignature, jsonBytes: number) => Result<InferRequest>;
  /** The same in one pass with the key of a rollout, for formats that are JSON throughout. */
  readonly decodeWithKey?: (
    body: Uint8Array,
    signature: ModelSignature,
    key: BodyKey,
  ) => Result<InferRequest>;
  /**
   * An answer in which outputs stand as binary tensors behind JSON says how many bytes are JSON: it goes out as
   * `application/octet-stream`, with that number in the header Inference-Header-Content-Length.
   */
  readonly encode: (reply: InferReply, writer: ByteWriter) => number | undefined;
  readonly encodeError: (error: WireError, writer: ByteWriter) => void;
}

export const oipJson: MessageFormat = {
  protocol: 'oip-json',
  contentType: Buffer.from('application/json'),
  decode: decodeRepeated,
  decodeWithKey: (body, _, key) => decodeOipJson(body, key),
  encode: encodeOip,
  encodeError,
};

/** For requests with the header Inference-Header-Content-Length. */
export const oipBinary: MessageFormat = {
  protocol: 'oip-binary',
  contentType: Buffer.from('application/json'),
  decode: decodeOipBinary,
  encode: encodeOip,
  encodeError,
};

export const oipMsgpack: MessageFormat = {
  protocol: 'oip-msgpack',
  contentType: Buffer.from('application/msgpack'),
  decode: decodeOipMsgpack,
  encode: wholly(encodeOipMsgpack),
  encodeError: encodeMsgpackError,
};

export const predictJson: MessageFormat = {
  protocol: 'predict-json',
  contentType: Buffer.from('application/json'),
  decode: (body, signature) => decodePredict(body, signature),
  decodeWithKey: decodePredict,
  encode: wholly(encodePredict),
  encodeError,
};

/** A format that has no binary tensors behind its text. */
function wholly(encode: (reply: InferReply, writer: ByteWriter) => void): MessageFormat['encode'] {
  return (reply, writer) => {
    encode(reply, writer);
    return undefined;
  };
}
