/**
 * The outer form of a metadata file: a list of signatures and the bytes they are over. It is cut apart by position,
 * not parsed, so that signatures are checked over the exact bytes of the file before anything reads their content.
 *
 *     {"signatures":[{"keyid":"..","sig":".."},..],"signed":<the signed bytes>}
 */
import { type Checked, passed, refused } from './check.ts';

export interface EnvelopeSignature {
  /** Digest of the key, lower-case hex. */
  readonly keyId: string;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
}

export interface Envelope {
  /** File name, for messages. */
  readonly name: string;
  readonly signatures: readonly EnvelopeSignature[];
  /** A view into the file. */
  readonly signedBytes: Uint8Array;
}

/** Enough for a threshold of many people; more would only cost time to check. */
const signaturesMax = 32;

/** Hex has two spellings; only lower case is ours. Key ids are in order and differ, so the list has one spelling too. */
const one = '\\{"keyid":"[0-9a-f]{64}","sig":"[0-9a-f]{128}"\\}';
const head = new RegExp(`^\\{"signatures":\\[(${one}(?:,${one}){0,${signaturesMax - 1}})\\],"signed":`);
const headBytesMax = 64 + signaturesMax * 240;
const closingBrace = 0x7d;

export function splitEnvelope(bytes: Uint8Array, name: string): Checked<Envelope> {
  // Latin-1 keeps one character per byte, so positions in the text are positions in the file.
  const start = Buffer.from(bytes.subarray(0, headBytesMax)).toString('latin1');
  const match = head.exec(start);
  if (match?.[1] === undefined || bytes.at(-1) !== closingBrace) {
    return refused('canonical-bytes', `${name} is not signed metadata in its one form.`);
  }
  const signatures = [...match[1].matchAll(/"keyid":"([0-9a-f]+)","sig":"([0-9a-f]+)"/g)].map(
    ([, keyId = '', signature = '']) => ({ keyId, signature: Buffer.from(signature, 'hex') }),
  );
  const inOrder = signatures.every(({ keyId }, index) => keyId > (signatures[index - 1]?.keyId ?? ''));
  if (!inOrder) return refused('canonical-bytes', `${name} lists its signatures out of order or twice.`);
  return passed({ name, signatures, signedBytes: bytes.subarray(match[0].length, -1) });
}
