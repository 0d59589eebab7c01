/**
 * Answers that models gave, by question, in so many bytes: when there are more, those that were not asked for the longest
 * go. An answer is kept as it left the model, so that each caller gets it in a format and with an id of its own.
 *
 * Nothing here refers to a generation. Answers of one that is gone are never asked for again, and so they are the first
 * to go.
 */
import { performance } from 'node:perf_hooks';
import { LRUCache } from 'lru-cache';
import { elementBytes } from '../../../runtime/tensor/dtype.ts';
import type { Gauge, MetricsPage } from '../../telemetry/metrics-page.ts';
import { copyOfRows } from '../../wire/classification.ts';
import type { InferReply, OutputColumn } from '../../wire/infer-request.ts';

export interface KeptAnswer {
  readonly modelName: string;
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
  #expired = 0;

  /** `bytesMax` 1 or more; `nowMs` is the clock that answers age by. */
  constructor(bytesMax: number, nowMs: () => number = () => performance.now()) {
    this.bytesMax = bytesMax;
    this.#answers = new LRUCache<string, KeptAnswer>({
      maxSize: bytesMax,
      perf: { now: nowMs },
      // A reading of the clock for each look costs less than the timer that would save it.
      ttlResolution: 0,
      dispose: (_answer, _key, reason) => {
        if (reason === 'evict') this.#evicted += 1;
        if (reason === 'expire') this.#expired += 1;
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
    page.counter(
      single(
        'tidegate_cache_expired_total',
        'Answers that were asked for again after their time.',
        () => this.#expired,
      ),
    );
  }

  get(key: string): KeptAnswer | undefined {
    return this.#answers.get(key);
  }

  /** Drops all answers of a model. Takes time in proportion to all that are kept. */
  forget(modelName: string): void {
    const keys = [...this.#answers.entries()].filter(([, answer]) => answer.modelName === modelName);
    for (const [key] of keys) this.#answers.delete(key);
  }

  /**
   * Copies the answer, whose data may be reused when this returns. One that is too large is not kept. `ttlMs` 0 keeps it as
   * long as there is room.
   */
  keep(key: string, reply: InferReply, ttlMs = 0): void {
    const { modelName, batched, rowStart } = reply;
    const rows = batched ? reply.rows : 1;
    const size = sizeOf(key, reply, rows);
    if (size > this.bytesMax * largestPart) return;
    const columns = reply.columns.map((column) => copyOfRows(column, { rowStart, rows }));
    this.#answers.set(key, { modelName, columns, batched, rows: reply.rows }, { size, ttl: ttlMs });
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
