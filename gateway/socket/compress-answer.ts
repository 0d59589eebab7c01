/**
 * Compresses an answer on the threads of the system. Speed before size: the usual reader of a large answer is a program
 * in the same network, and the threads are shared with everything else.
 */
import { brotliCompress, constants, deflate, gzip } from 'node:zlib';
import type { ContentEncoding } from './content-encoding.ts';

/** Smaller answers are sent as they are: they fit into one or two packets anyway. Bytes. */
export const compressedAnswerBytesMin = 2048;

/** Fastest levels of each that still shrink numbers in text to less than half. */
const zlibLevel = 1;
const brotliQuality = 3;
const chunkSize = 64 * 1024;

/** `body` must not change before `done` is called, which is in a later turn; it gets undefined when that failed. */
export function compressAnswer(
  body: Uint8Array,
  encoding: ContentEncoding,
  done: (compressed: Uint8Array | undefined) => void,
): void {
  const finish = (error: Error | null, compressed: Uint8Array): void => {
    done(error === null ? compressed : undefined);
  };
  switch (encoding) {
    case 'gzip':
      gzip(body, { level: zlibLevel, chunkSize }, finish);
      return;
    case 'deflate':
      deflate(body, { level: zlibLevel, chunkSize }, finish);
      return;
    case 'br': {
      const params = {
        [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
        [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
      };
      brotliCompress(body, { chunkSize, params }, finish);
    }
  }
}
