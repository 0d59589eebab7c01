/**
 * A store on an HTTP(S) file server: any server that gives out the files of a store folder under one address.
 * The one file that changes in place, timestamp.json, is asked for conditionally. "Not modified" gives the bytes that
 * came last time and proves nothing about their age: whoever reads them checks what they say themselves.
 */
import { StoreError, refusal } from '../store-error.ts';
import { timestampFile } from '../trust/store-file.ts';
import { type HttpAnswer, HttpClient } from './http-request.ts';
import type { StoreSource } from './store-source.ts';
import { type TransferLimits, transferLimits } from './transfer-limits.ts';

export interface HttpSourceOptions {
  /** `http://` or `https://`, where `metadata/` and `targets/` are found. */
  readonly address: string;
  /** Certificates to trust instead of those of the system, PEM. */
  readonly ca?: string;
  readonly limits?: Partial<TransferLimits>;
}

/** A file from some byte on. */
export interface FileRest {
  /** Where the bytes begin; 0 when the server sends the whole file, whatever was asked for. */
  readonly offset: number;
  /** What to show when asking for the rest of this very file later; undefined when the server names nothing fit. */
  readonly validator: string | undefined;
  /** Length of what follows, when the server says so. */
  readonly sizeBytes: number | undefined;
  readonly body: AsyncGenerator<Uint8Array, void, undefined>;
  /** Lets go of a body that nobody began to read. */
  readonly discard: () => void;
}

/** Requests at a time: the few parallel downloads, and metadata beside them. */
const connectionsMax = 8;

export class HttpSource implements StoreSource {
  readonly address: string;
  readonly #base: URL;
  readonly #client: HttpClient;
  #timestamp:
    { readonly conditions: Readonly<Record<string, string>>; readonly bytes: Uint8Array } | undefined;

  constructor(options: HttpSourceOptions) {
    this.#base = parseAddress(options.address);
    this.address = this.#base.href;
    this.#client = new HttpClient({
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      limits: { ...transferLimits, ...options.limits },
      connectionsMax,
    });
  }

  async read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    if (path === timestampFile) return this.#readTimestamp(bytesMax);
    const answer = await this.#client.get(this.#url(path), {});
    return answer === undefined ? undefined : whole(answer, { path, bytesMax });
  }

  async *stream(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const rest = await this.readRest(path, { offset: 0, validator: undefined });
    if (rest === undefined) throw refusal('file-present', `${path} is missing.`);
    yield* rest.body;
  }

  /** The file from `offset` on, if it is still the one that had this validator; from its start otherwise. */
  async readRest(
    path: string,
    from: { readonly offset: number; readonly validator: string | undefined },
  ): Promise<FileRest | undefined> {
    const { offset, validator } = from;
    const isRest = offset > 0 && validator !== undefined;
    const headers = isRest ? { range: `bytes=${offset}-`, 'if-range': validator } : {};
    const answer = await this.#client.get(this.#url(path), headers);
    if (answer === undefined) return undefined;
    if (answer.status === 304) throw unasked(answer, path);
    const begins = answer.status === 206 ? rangeStart(answer) : 0;
    // The start of the file, or exactly what is missing; anything else would end up in the wrong place.
    if (begins !== 0 && (!isRest || begins !== offset)) throw unasked(answer, path);
    const { body, discard } = answer;
    return { offset: begins, validator: validatorOf(answer), sizeBytes: lengthOf(answer), body, discard };
  }

  close(): void {
    this.#client.close();
  }

  async #readTimestamp(bytesMax: number): Promise<Uint8Array | undefined> {
    const held = this.#timestamp;
    const headers = { 'cache-control': 'no-cache', ...held?.conditions };
    const answer = await this.#client.get(this.#url(timestampFile), headers);
    if (answer === undefined) return undefined;
    if (answer.status === 304) {
      if (held === undefined) throw unasked(answer, timestampFile);
      answer.discard();
      return held.bytes;
    }
    const bytes = await whole(answer, { path: timestampFile, bytesMax });
    this.#timestamp = { conditions: conditionsOf(answer), bytes };
    return bytes;
  }

  #url(path: string): URL {
    // A plus sign means a space to some servers, so every name is escaped as a whole.
    return new URL(path.split('/').map(encodeURIComponent).join('/'), this.#base);
  }
}

/** Throws INVALID_ARGUMENT for what is not the plain address of a folder. */
export function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isPlain =
    (url?.protocol === 'http:' || url?.protocol === 'https:') &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === '';
  if (url === undefined || !isPlain) {
    throw new StoreError(
      'INVALID_ARGUMENT',
      'The address of a store is http://host/path or https://host/path, without user, password, query or fragment.',
    );
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

export async function whole(
  answer: HttpAnswer,
  { path, bytesMax }: { readonly path: string; readonly bytesMax: number },
): Promise<Uint8Array> {
  if (answer.status !== 200) throw unasked(answer, path);
  const announced = lengthOf(answer);
  if (announced !== undefined && announced > bytesMax) {
    answer.discard();
    throw refusal('file-size', `${path} has ${announced} bytes, more than the ${bytesMax} it may have.`);
  }
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of answer.body) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > bytesMax)
      throw refusal('file-size', `${path} goes on after the ${bytesMax} bytes it may have.`);
    pieces.push(piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function unasked(answer: HttpAnswer, path: string): Error {
  answer.discard();
  return refusal(
    'source-answer',
    `${path} is answered with ${answer.status} to a question that was not asked.`,
  );
}

function conditionsOf({ headers }: HttpAnswer): Readonly<Record<string, string>> {
  if (headers.etag !== undefined) return { 'if-none-match': headers.etag };
  const modified = headers['last-modified'];
  return modified === undefined ? {} : { 'if-modified-since': modified };
}

/** A weak tag says "much the same", which is not enough to put two halves together. */
function validatorOf({ headers }: HttpAnswer): string | undefined {
  const { etag } = headers;
  return etag === undefined || etag.startsWith('W/') ? headers['last-modified'] : etag;
}

function lengthOf({ headers }: HttpAnswer): number | undefined {
  const text = headers['content-length'];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function rangeStart({ headers }: HttpAnswer): number {
  const start = /^bytes (\d{1,15})-\d{1,15}\/(?:\d{1,15}|\*)$/.exec(headers['content-range'] ?? '')?.[1];
  return start === undefined ? -1 : Number(start);
}
