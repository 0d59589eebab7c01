/**
 * Finds the queue of a request: one per loaded generation and batch key. The common queue of a generation stays until
 * the generation is forgotten; queues of other keys live only while in use, so that odd shapes cannot pile up.
 */
import type { PageArena } from '../../runtime/tensor/page-arena.ts';
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { type BatchTuning, ModelLine } from '../batch/model-line.ts';
import { type AdmittedRequest, batchKeyOf } from '../admission/check-request.ts';
import type { ModelGeneration } from './model-generation.ts';
import { RequestQueue } from './request-queue.ts';

/** What a deployment says about the batches of its model; what is left out is as the limits say. */
export interface ModelTuning {
  /** Most rows that requests may join to; no more than the limit of the gateway. */
  readonly rowsMax?: number;
  /** Sizes that batches are cut down to, ascending; default any. */
  readonly allowedRows?: readonly number[];
  /** Microseconds that a worker may wait for more rows; default 0. */
  readonly delayUsMax?: number;
  /** Share of the workers' time in proportion to that of other models; default 1. */
  readonly weight?: number;
  /** For requests without a deadline of their own, milliseconds; default none. */
  readonly defaultTimeoutMs?: number;
  /** After which a run counts as hanging, milliseconds; default as the pool says. */
  readonly runMsMax?: number;
}

export class QueueDirectory {
  readonly #arena: PageArena;
  readonly #batchRowsMax: number;
  /** By model, as it is deployed. */
  readonly #tunings = new Map<string, ModelTuning>();
  /** By model, while it has queues. */
  readonly #lines = new Map<string, ModelLine<RequestQueue>>();
  readonly #queues = new Map<ModelGeneration, Map<string, RequestQueue>>();

  constructor(options: { readonly arena: PageArena; readonly batchRowsMax: number }) {
    this.#arena = options.arena;
    this.#batchRowsMax = options.batchRowsMax;
  }

  /** The queue for this request, with one more request in flight; give it back with `leave`. */
  enter(generation: ModelGeneration, request: AdmittedRequest): RequestQueue {
    const key = batchKeyOf(generation.runSignature, request);
    let queues = this.#queues.get(generation);
    if (queues === undefined) {
      queues = new Map();
      this.#queues.set(generation, queues);
    }
    let queue = queues.get(key);
    if (queue === undefined) {
      queue = this.#open(generation, request, key);
      queues.set(key, queue);
    }
    queue.inflight += 1;
    return queue;
  }

  leave(queue: RequestQueue): void {
    queue.inflight -= 1;
    if (queue.inflight > 0 || queue.isCommon) return;
    queue.slabs.close();
    this.#queues.get(queue.generation)?.delete(queue.key);
  }

  /** How the requests of a model are batched from now on; undefined is as the limits say. */
  tune(modelName: string, tuning: ModelTuning | undefined): void {
    if (tuning === undefined) this.#tunings.delete(modelName);
    else this.#tunings.set(modelName, tuning);
    const line = this.#lines.get(modelName);
    if (line !== undefined) line.tuning = this.#tuningOf(tuning);
  }

  /** Gives the memory of a generation's queues back. Only legal once no request holds it. */
  forget(generation: ModelGeneration): void {
    for (const queue of this.#queues.get(generation)?.values() ?? []) queue.slabs.close();
    this.#queues.delete(generation);
    const { modelName } = generation;
    if ([...this.#queues.keys()].every((other) => other.modelName !== modelName))
      this.#lines.delete(modelName);
  }

  /** How many requests of each generation wait to be run; cancelled ones may count until they are swept. */
  *waiting(): Generator<{ readonly generation: ModelGeneration; readonly requests: number }> {
    for (const [generation, queues] of this.#queues) {
      let requests = 0;
      for (const queue of queues.values()) requests += queue.waiting.length;
      yield { generation, requests };
    }
  }

  /** All that are open. */
  *all(): Generator<RequestQueue> {
    for (const queues of this.#queues.values()) yield* queues.values();
  }

  #open(generation: ModelGeneration, request: AdmittedRequest, key: string): RequestQueue {
    const batched = generation.signature.batching === 'rows';
    const inputRowShapes = request.inputs.map((input) => (batched ? input.shape.slice(1) : input.shape));
    const rowBytes = request.inputs.map(
      (input, index) => elementBytes(input.datatype) * elementCount(inputRowShapes[index] ?? []),
    );
    return new RequestQueue({
      key,
      generation,
      arena: this.#arena,
      line: this.#lineOf(generation.modelName),
      inputRowShapes,
      rowBytes,
      outputs: request.outputIndexes,
    });
  }

  #lineOf(modelName: string): ModelLine<RequestQueue> {
    let line = this.#lines.get(modelName);
    if (line === undefined) {
      line = new ModelLine(this.#tuningOf(this.#tunings.get(modelName)));
      this.#lines.set(modelName, line);
    }
    return line;
  }

  #tuningOf({ rowsMax, allowedRows, delayUsMax, weight, ...rest }: ModelTuning = {}): BatchTuning {
    return {
      rowsMax: Math.min(rowsMax ?? this.#batchRowsMax, this.#batchRowsMax),
      allowedRows: allowedRows ?? [],
      delayMsMax: (delayUsMax ?? 0) / 1000,
      weight: weight ?? 1,
      timeoutMs: rest.defaultTimeoutMs,
      runMsMax: rest.runMsMax,
    };
  }
}
