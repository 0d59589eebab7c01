/**
 * Content encodings by name (RFC 9110 sections 8.4 and 12.5.3): which one a body claims to be in, and which one a client
 * prefers for its answer. Values in, values out; compressing is in compress-answer.ts and inflate-body.ts.
 */
import { fail, type Result, succeed } from '../wire/error-code.ts';

/** In the order in which they are chosen when the client does not mind. */
export const contentEncodings = ['br', 'gzip', 'deflate'] as const;
export type ContentEncoding = (typeof contentEncodings)[number];

/** What a client is told that sent something else; answers name it in `Accept-Encoding` (RFC 7694). */
export const acceptedEncodings = 'gzip, deflate, br';

const notEncoded = succeed(undefined);

/** Undefined for a body that is not encoded. `header` is the value of Content-Encoding. */
export function requestEncoding(header: string): Result<ContentEncoding | undefined> {
  if (header === '') return notEncoded;
  const name = header.trim().toLowerCase();
  if (name === '' || name === 'identity') return notEncoded;
  const known = name === 'x-gzip' ? 'gzip' : contentEncodings.find((encoding) => encoding === name);
  if (known !== undefined) return succeed(known);
  const shown = header.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
  const problem = name.includes(',') ? 'More than one content encoding' : `The content encoding '${shown}'`;
  return fail(
    'UNSUPPORTED_ENCODING',
    `${problem} is not read here. Send the body with one of ${acceptedEncodings}, or uncompressed.`,
  );
}

/** The best encoding that both sides know, or undefined for none. `header` is the value of Accept-Encoding. */
export function answerEncoding(header: string): ContentEncoding | undefined {
  if (header === '') return undefined;
  const weights = readWeights(header);
  const anyOther = weights.get('*') ?? 0;
  const identity = weights.get('identity') ?? weights.get('*');
  let best: ContentEncoding | undefined;
  // Uncompressed is always acceptable unless it is ruled out, but anything that was asked for goes before it.
  let bestWeight = 0;
  for (const encoding of contentEncodings) {
    const weight = weights.get(encoding) ?? anyOther;
    if (weight > bestWeight) {
      best = encoding;
      bestWeight = weight;
    }
  }
  return identity !== undefined && identity > bestWeight ? undefined : best;
}

/** Names with their q-values; what is not one counts as 0. */
function readWeights(header: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const part of header.slice(0, headerLengthMax).split(',')) {
    const [name = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    if (name === '') continue;
    weights.set(name === 'x-gzip' ? 'gzip' : name, weightOf(parameters));
  }
  return weights;
}

/** Longer headers than any client sends need not be read to their end. */
const headerLengthMax = 1024;

function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  if (weight === undefined) return 1;
  const value = weight.slice(2);
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(value) ? Number(value) : 0;
}
