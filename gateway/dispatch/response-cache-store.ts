/**
 * Answers that models gave, by question, in so many bytes: when there are more, those that were not asked for the longest
 * go. An answer is kept as it left the model, so that each caller gets it in a format and with an id of its own.
 *
 * Nothing here refers to a generation. Answers of one that is gone are never asked for again, and so they are the first
 * to go.
 */
import { LRUCache } from 'lru-cache';
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import { copyOfRows } from '../wire/classification.ts';
import type { Gauge, MetricsPage } from '../telemetry/metrics-page.ts';
import type { InferReply, OutputColumn } from '../wire/infer-request.ts';

export interface KeptAnswer {
  readonly columns: readonly OutputColumn[];
  readonly batched: boolean;
  readonly rows: number;
}

/** One answer may take this part of the cache: a few large ones would throw out everything else. */
const largestPart = 1 / 8;

/** What an entry and each of its outputs take beside key and elements, measured with Node 20 (577 bytes for one small output, 896 for two) and rounded up. Bytes. */
const entryBytes = 300;
const columnBytes = 350;
/** A string is a header and up to two bytes a character. */
const stringBytes = 24;

export class ResponseCacheStore {
  readonly bytesMax: number;
  readonly #answers: LRUCache<string, KeptAnswer>;
  #evicted = 0;

  /** `bytesMax` 1 or more. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.#answers = new LRUCache<string, KeptAnswer>({
      maxSize: bytesMax,
      dispose: (_answer, _key, reason) => {
        if (reason === 'evict') this.#evicted += 1;
      },
    });
  }

  /** In use, keys included. */
  get bytes(): number {
    return this.#answers.calculatedSize;
  }

  get answers(): number {
    return this.#answers.size;
  }

  addTo(page: Pick<MetricsPage, 'gauge' | 'counter'>): void {
    const single = (name: string, help: string, read: () => number): Gauge => {
      return { name, help, read: () => [{ labels: {}, value: read() }] };
    };
    page.gauge(single('tidegate_cache_bytes', 'Memory of the response cache in use.', () => this.bytes));
    page.gauge(
      single('tidegate_cache_bytes_max', 'Memory that the response cache may use.', () => this.bytesMax),
    );
    page.gauge(single('tidegate_cache_answers', 'Answers in the response cache.', () => this.answers));
    page.counter(
      single(
        'tidegate_cache_evicted_total',
        'Answers that left the response cache to make room.',
        () => this.#evicted,
      ),
    );
  }

  get(key: string): KeptAnswer | undefined {
    return this.#answers.get(key);
  }

  /** Copies the answer, whose data may be reused when this returns. One that is too large is not kept. */
  keep(key: string, reply: InferReply): void {
    const { batched, rowStart } = reply;
    const rows = batched ? reply.rows : 1;
    const size = sizeOf(key, reply, rows);
    if (size > this.bytesMax * largestPart) return;
    const columns = reply.columns.map((column) => copyOfRows(column, { rowStart, rows }));
    this.#answers.set(key, { columns, batched, rows: reply.rows }, { size });
  }
}

function sizeOf(key: string, { columns, rowStart }: InferReply, rows: number): number {
  let bytes = entryBytes + key.length;
  for (const { datatype, rowElements, data } of columns) {
    bytes += columnBytes + rows * rowElements * elementBytes(datatype);
    if (ArrayBuffer.isView(data)) continue;
    for (let index = rowStart * rowElements; index < (rowStart + rows) * rowElements; index++) {
      bytes += stringBytes + 2 * (data[index]?.length ?? 0);
    }
  }
  return bytes;
}
