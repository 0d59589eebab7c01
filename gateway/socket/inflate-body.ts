/**
 * Reads a compressed body on the threads of the system, piece by piece as it arrives, and gives up as soon as it becomes
 * larger than it may: a few bytes that inflate to gigabytes cost no more than the limit.
 */
import {
  type BrotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  type Gunzip,
  type Inflate,
} from 'node:zlib';
import { fail, type Result, succeed, type WireError } from '../wire/error-code.ts';
import { CollectedBody } from './collected-body.ts';
import type { ContentEncoding } from './content-encoding.ts';

export interface InflaterOptions {
  readonly encoding: ContentEncoding;
  /** Most bytes that may come out. */
  readonly bytesMax: number;
  /** Told of each piece that came out; an error ends it. */
  readonly hold?: (bytes: number) => WireError | undefined;
  /** Called once, unless `cancel` was called before: in a turn of its own, never within `write`. */
  readonly done: (body: Result<Uint8Array>) => void;
}

/** Output is made in pieces of this size: fewer trips to the threads than with the default of 16 KiB. */
const chunkSize = 64 * 1024;

export class BodyInflater {
  readonly #options: InflaterOptions;
  readonly #stream: Gunzip | Inflate | BrotliDecompress;
  readonly #collected: CollectedBody;
  #givenBytes = 0;
  #allGiven = false;
  /** The compressed data has come to its end, which the body may do later. */
  #inflated = false;
  #over = false;

  constructor(options: InflaterOptions) {
    this.#options = options;
    this.#collected = new CollectedBody(options.bytesMax);
    this.#stream = streamOf(options.encoding);
    this.#stream.on('data', (piece: Buffer) => {
      if (this.#over) return;
      const refusal = options.hold?.(piece.length);
      if (refusal !== undefined) this.#end(refusal);
      else if (!this.#collected.add(piece)) this.#end(tooLarge(options.bytesMax));
    });
    this.#stream.once('end', () => {
      this.#inflated = true;
      this.#endWithBody();
    });
    this.#stream.on('error', () => {
      this.#end(malformed(options.encoding));
    });
  }

  /** The piece may be reused when this returns. */
  write(piece: Uint8Array, isLast: boolean): void {
    if (this.#over) return;
    this.#givenBytes += piece.length;
    this.#allGiven = isLast;
    if (this.#inflated) {
      setImmediate(() => {
        this.#endWithBody();
      });
      return;
    }
    if (piece.length > 0) this.#stream.write(Buffer.from(piece));
    if (isLast) this.#stream.end();
  }

  /** Node reports bytes behind the end of gzip itself, and leaves those of the other two unread without a word. */
  #endWithBody(): void {
    if (this.#stream.bytesWritten < this.#givenBytes) this.#end(malformed(this.#options.encoding));
    else if (this.#allGiven) this.#end(succeed(this.#collected.bytes()));
  }

  /** The client is gone: nobody waits for the body any more. */
  cancel(): void {
    this.#over = true;
    this.#stream.destroy();
  }

  #end(result: Result<Uint8Array>): void {
    if (this.#over) return;
    this.cancel();
    this.#options.done(result);
  }
}

function streamOf(encoding: ContentEncoding): Gunzip | Inflate | BrotliDecompress {
  switch (encoding) {
    case 'gzip':
      return createGunzip({ chunkSize });
    case 'deflate':
      return createInflate({ chunkSize });
    case 'br':
      return createBrotliDecompress({ chunkSize });
  }
}

function malformed(encoding: ContentEncoding): Result<never> {
  return fail(
    'MALFORMED_COMPRESSION',
    `The body is not whole or not in the content encoding '${encoding}' that its header names.`,
  );
}

function tooLarge(bytesMax: number): Result<never> {
  return fail(
    'INFLATED_TOO_LARGE',
    `The body inflates to more than ${bytesMax} bytes. Send fewer rows, or ask the operator to raise inflatedBytesMax.`,
  );
}
