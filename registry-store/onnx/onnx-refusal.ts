/**
 * The closed list of reasons why an ONNX file is not taken into the store. Codes are API: never reworded, only added.
 */

/** Closed and part of the API: `tidegate publish` and the control API show it beside the message. */
export type OnnxRefusal =
  /** Not a readable ONNX file: no protobuf message, or one without a graph or an operator set. */
  | 'NOT_ONNX'
  | 'TOO_LARGE'
  | 'TOO_DEEP'
  | 'NO_INPUTS'
  | 'NO_OUTPUTS'
  /** An input or output has no name, or shares it with another. */
  | 'INVALID_NAME'
  | 'INPUT_NOT_TENSOR'
  | 'OUTPUT_NOT_TENSOR'
  | 'UNSUPPORTED_DATATYPE'
  /** An input or output whose rank is unknown. */
  | 'NO_SHAPE'
  | 'EXTERNAL_DATA'
  | 'DISALLOWED_DOMAIN';

export interface OnnxRefused {
  readonly ok: false;
  readonly code: OnnxRefusal;
  /** What is wrong and what to do about it, in whole sentences. */
  readonly message: string;
}

export function refuse(code: OnnxRefusal, message: string): OnnxRefused {
  return { ok: false, code, message };
}

/** A name from the file in quotes, fit for a terminal and a log line: no control characters, and no longer than a line. */
export function quoted(name: string | undefined): string {
  return JSON.stringify(printable(name ?? '').slice(0, 100));
}

/** A text from the file with nothing in it that a terminal would obey or that turns the direction of writing. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/gu, '\ufffd');
}
