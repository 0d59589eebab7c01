/**
 * The requests of one batch key, the shared memory their rows live in, and what is known about each of them between the
 * door and its answer. Bookkeeping only: the batcher orders the members, the dispatcher owns them.
 */
import type { PageArena } from '../../runtime/tensor/page-arena.ts';
import { type RowPlace, RowSlabs } from '../../runtime/tensor/row-slabs.ts';
import { type BatchMember, BatchQueue } from '../batch/batch-queue.ts';
import { CostModel } from '../batch/cost-model.ts';
import type { Due } from '../batch/deadline-queue.ts';
import { defaultLevel, levelOf } from '../batch/level-queue.ts';
import type { ModelLine } from '../batch/model-line.ts';
import type { Variant } from '../route/traffic-split.ts';
import type { Protocol } from '../telemetry/version-metrics.ts';
import type { ErrorCode, WireError } from '../wire/error-code.ts';
import type { InferReply, RequestOptions } from '../wire/infer-request.ts';
import type { Seated } from './inflight-requests.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { Answered, Trial } from './trial.ts';

/** The batch key of requests whose shapes are all fixed and who want every output. */
const commonKey = '';

/** Memory a queue takes from the arena at a time, bytes. Two full batches fit, unless rows are very large. */
const slabBytesMin = 64 * 1024;
const slabBytesMax = 8 * 1024 * 1024;

export interface RequestQueueOptions {
  readonly key: string;
  readonly generation: ModelGeneration;
  readonly arena: PageArena;
  /** Of its model. */
  readonly line: ModelLine<RequestQueue>;
  /** Shape of one row of each input: the dimensions behind the batch, or all of them for a model that runs alone. */
  readonly inputRowShapes: readonly (readonly number[])[];
  /** Bytes of one row of each input; 0 for strings, which do not live in the arena. */
  readonly rowBytes: readonly number[];
  /** Indexes into the signature's outputs, in the order wanted; undefined means all. */
  readonly outputs: readonly number[] | undefined;
}

export class RequestQueue extends BatchQueue<PendingRequest, RequestQueue> {
  readonly key: string;
  readonly generation: ModelGeneration;
  readonly inputRowShapes: readonly (readonly number[])[];
  readonly outputs: readonly number[] | undefined;
  readonly slabs: RowSlabs;
  /** Requests that hold rows: waiting or running. */
  inflight = 0;

  constructor(options: RequestQueueOptions) {
    const { generation, line } = options;
    // Of its own: runs of other shapes cost something else.
    const { fixedRows, batching } = generation.signature;
    const costs = new CostModel(generation.costs, fixedRows);
    super({ line, costs, runsAlone: batching === 'none' });
    this.key = options.key;
    this.generation = generation;
    this.inputRowShapes = options.inputRowShapes;
    this.outputs = options.outputs;
    const rowBytesTotal = options.rowBytes.reduce((sum, bytes) => sum + bytes, 0);
    const slabBytes = Math.min(Math.max(2 * this.rowsMax * rowBytesTotal, slabBytesMin), slabBytesMax);
    const slabRows = Math.max(1, Math.floor(slabBytes / Math.max(1, rowBytesTotal)));
    this.slabs = new RowSlabs({ arena: options.arena, rowBytes: options.rowBytes, slabRows });
  }

  get isCommon(): boolean {
    return this.key === commonKey;
  }
}

/**
 * Who waits for the answer. Exactly one of the two is called, once, unless the request was cancelled; only when `reply`
 * throws, `fail` follows it.
 */
export interface ReplySink {
  /** The reply's data is only valid during this call. */
  reply(reply: InferReply): void;
  fail(error: WireError): void;
  /** While a rollout is on: which version was chosen and why. Before the other two, for those who pass it on. */
  routed?(choice: RolloutChoice): void;
  /** While answers of the model are kept: whether this one was there already. Before the other two, as `routed`. */
  cached?(use: CacheUse): void;
}

/** `coalesced`: the same question was being run for another caller, who got the same answer. */
export type CacheUse = 'hit' | 'miss' | 'coalesced';

export interface RolloutChoice {
  readonly id: string;
  readonly variant: Variant;
  readonly modelVersion: string;
}

export interface PendingRequestOptions {
  readonly rows: number;
  /** Of its packed inputs. */
  readonly bytes: number;
  readonly id: string | number | undefined;
  readonly protocol: Protocol;
  readonly queue: RequestQueue;
  readonly sink: ReplySink;
  /** What its outcome is evidence for, while a rollout is on. */
  readonly trial: Trial | undefined;
  readonly place: RowPlace;
  /** Elements of string inputs by input index; undefined when there are none. */
  readonly strings: readonly (readonly string[] | undefined)[] | undefined;
  readonly arrivedMs: number;
  /** Milliseconds after arrival by which its answer is due; undefined is what its model has for such requests. */
  readonly dueWithinMs: number | undefined;
  readonly options: RequestOptions | undefined;
  /** Who is bound by what one caller may have here; undefined where callers are not bound. */
  readonly caller: string | undefined;
}

/** An admitted request. The transport that created it only listens, through its sink, and may abandon it. */
export class PendingRequest implements BatchMember, Seated, Due, Omit<PendingRequestOptions, 'dueWithinMs'> {
  readonly rows: number;
  readonly bytes: number;
  readonly id: string | number | undefined;
  readonly protocol: Protocol;
  readonly queue: RequestQueue;
  readonly sink: ReplySink;
  readonly trial: Trial | undefined;
  readonly place: RowPlace;
  readonly strings: readonly (readonly string[] | undefined)[] | undefined;
  readonly arrivedMs: number;
  /** When its answer is due, on the clock of `arrivedMs`; undefined lets it wait. */
  readonly deadlineMs: number | undefined;
  readonly options: RequestOptions | undefined;
  readonly caller: string | undefined;
  readonly level: number;
  state: BatchMember['state'] = 'new';
  retried = false;
  seat = -1;
  dueSeat = -1;
  /** The client is gone, or was told already: answer nobody. */
  abandoned = false;
  /** Its sink was given an answer or an error; it is given none after that, whatever else goes wrong. */
  replied = false;
  /** What its answer says about the version, where it is a trial. */
  answered: Answered | undefined;
  /** Set when the client was told of a failure before the request could leave. */
  failedWith: ErrorCode | undefined;

  constructor(options: PendingRequestOptions) {
    this.rows = options.rows;
    this.bytes = options.bytes;
    this.id = options.id;
    this.protocol = options.protocol;
    this.queue = options.queue;
    this.sink = options.sink;
    this.trial = options.trial;
    this.place = options.place;
    this.strings = options.strings;
    this.arrivedMs = options.arrivedMs;
    this.deadlineMs = deadlineMsOf(options);
    this.options = options.options;
    this.caller = options.caller;
    this.level = levelOfRequest(options.options);
  }
}

/** What the request does not say, its model may. */
export function deadlineMsOf({
  queue,
  arrivedMs,
  dueWithinMs,
}: Pick<PendingRequestOptions, 'queue' | 'arrivedMs' | 'dueWithinMs'>): number | undefined {
  const withinMs = dueWithinMs ?? queue.line.tuning.timeoutMs;
  return withinMs === undefined ? undefined : arrivedMs + withinMs;
}

export function levelOfRequest(options: RequestOptions | undefined): number {
  return options === undefined ? defaultLevel : levelOf(options.priority);
}
