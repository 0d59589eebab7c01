/**
 * Every limit of the gateway by name, with its default and its bounds. Only numbers: who enforces one is said there.
 * Invariant: `Limits` values come from `parseLimits`, so they are whole numbers within bounds that fit each other.
 */

export interface Limits {
  /** Rows that one request may have. Also the largest batch a single request can force. 1 to 1 048 576, default 1024. */
  readonly requestRowsMax: number;
  /** Bytes of all input tensors of one request once they are packed. 1 byte to 1 GiB, default 64 MiB. */
  readonly requestBytesMax: number;
  /** Bytes of one HTTP body as sent. 1 KiB to 1 GiB, default 64 MiB. */
  readonly bodyBytesMax: number;
  /** Bytes that a compressed HTTP body may inflate to. 1 KiB to 1 GiB, default 64 MiB. */
  readonly inflatedBytesMax: number;
  /**
   * Bytes of all HTTP bodies together that are not whole yet, as sent and as inflated; further ones are refused with
   * QUEUE_FULL. A body that comes in one piece does not count, and the only one may always go on. 1 KiB to 64 GiB, default
   * 512 MiB.
   */
  readonly receivingBytesMax: number;
  /**
   * Bytes of JSON that are read on the event loop; larger bodies are read on a thread of their own, which costs each of
   * them more and the others nothing. 0 to 1 GiB, default 64 KiB, which take about 0.4 ms to read.
   */
  readonly inlineJsonBytesMax: number;
  /** Bytes of the request line and headers of one HTTP request. 1 KiB to 64 KiB, default 16 KiB. */
  readonly headerBytesMax: number;
  /** Bytes of one WebSocket frame. 1 KiB to 1 GiB, default 16 MiB. */
  readonly frameBytesMax: number;
  /**
   * Bytes that wait to be sent on one connection; a client that reads slower than it asks is cut off there.
   * 64 KiB to 1 GiB, default 16 MiB.
   */
  readonly connectionBacklogBytesMax: number;
  /** Requests of one WebSocket that are not answered yet; more are CALLER_LIMIT. 1 to 1 048 576, default 1024. */
  readonly connectionInflightMax: number;
  /** Rows of all models that wait for a worker. At least `requestRowsMax`; up to 16 777 216, default 65 536. */
  readonly queueRowsMax: number;
  /** Bytes of packed inputs that wait for a worker. At least `requestBytesMax`; up to 64 GiB, default 256 MiB. */
  readonly queueBytesMax: number;
  /**
   * Rows of one caller that are taken and not answered yet, over all models and connections; 0 does not bound them. Who has
   * nothing here may always send one request. 0 to 16 777 216, default 0.
   */
  readonly callerRowsMax: number;
  /**
   * Bytes of the same: packed inputs of requests that are not answered yet, and what bodies hold that still arrive or are
   * read; 0 does not bound them. Who has nothing here may always send one request. 0 to 64 GiB, default 0.
   */
  readonly callerBytesMax: number;
  /**
   * Rows of different requests that one run may join; the deployment of a model can ask for fewer. 1 switches joining off.
   * 1 to 65 536 and at most `queueRowsMax`, default 64.
   */
  readonly batchRowsMax: number;
  /** Sequences of stateful models that may be open. 1 to 1 048 576, default 1024. */
  readonly sequencesMax: number;
  /** Those of one caller, where `callerRowsMax` or `callerBytesMax` bounds callers. 1 to 1 048 576, default 128. */
  readonly callerSequencesMax: number;
  /**
   * Bytes that open sequences may hold together: their states, and the inputs of calls that wait for their turn.
   * 1 KiB to 64 GiB, default 64 MiB.
   */
  readonly sequenceBytesMax: number;
  /** Calls of one sequence that may wait for the one that runs; more are CALLER_LIMIT. 0 to 65 536, default 16. */
  readonly sequenceWaitingMax: number;
  /** Milliseconds between two calls of a sequence, after which it is forgotten. 10 to 86 400 000, default 60 000. */
  readonly sequenceIdleMsMax: number;
  /** Rows of all requests that wait for a model to be loaded. 0 to 16 777 216, default 4096; with 0 nobody waits. */
  readonly coldRowsMax: number;
  /** Bytes that those requests keep meanwhile. 0 to 64 GiB, default 64 MiB. */
  readonly coldBytesMax: number;
  /** Milliseconds for which a request waits for a model to be loaded, if it sets no earlier time. 0 to 3 600 000, default 30 000. */
  readonly coldWaitMsMax: number;
  /** Milliseconds without a request after which a model leaves memory; 0 for never. 0 to 2 592 000 000 (30 days), default 600 000. */
  readonly modelIdleMsMax: number;
  /**
   * Milliseconds for which a model that was loaded for a request stays, whoever else needs the room. 0 to 86 400 000,
   * default 300 000.
   */
  readonly modelChurnMsMin: number;
  /** Milliseconds a WebSocket may be silent; pings count. 8000 to 960 000, default 120 000. */
  readonly websocketIdleMsMax: number;
  /**
   * Milliseconds after SIGTERM in which clients that keep a connection hear with their next request that they should go
   * elsewhere; what is in flight may take longer. Counts as part of `shutdownGraceMs`. 0 to 60 000, default 500.
   */
  readonly shutdownLingerMs: number;
  /**
   * Milliseconds that one run may take before its thread is ended as hanging; a model that was measured to take long gets
   * many times that instead. 100 to 3 600 000, default 10 000.
   */
  readonly runMsMax: number;
  /** Milliseconds that loading and warming a model may take on one thread. 1000 to 3 600 000, default 300 000. */
  readonly loadMsMax: number;
  /**
   * Milliseconds that a load beside a thread at work takes only time that nothing else wants; after that it goes on like
   * any other. 0 to 3 600 000, 0 for never, default 2000: what is deployed shall
   * be there soon on a machine that is busy all the time.
   */
  readonly loadBehindMsMax: number;
  /**
   * Milliseconds that a thread is kept whose place another took, with the models in it: the next load beside a thread at work
   * happens there, and has to load nothing but what is new. 0 to 3 600 000, 0 for never, default 30 000.
   */
  readonly spareMsMax: number;
  /**
   * Percent of the time that a shadow may run copies; further ones are dropped. A node with a processor that is never needed
   * otherwise can give it all. 1 to 100, default 10.
   */
  readonly shadowBusyPercentMax: number;
  /** Threads that a version may cost within a minute before it is no longer run for a while; 0 to 1000, 0 for no end, default 5. */
  readonly threadLossesMax: number;
  /**
   * Bytes of WebAssembly memory above which a thread is replaced by a fresh one, because it gives nothing back.
   * 64 MiB to 4 GiB, default 1 GiB.
   */
  readonly threadMemoryBytesMax: number;
  /**
   * Milliseconds for which one of several processes that serve may say nothing to their supervisor, before it is killed as
   * hanging and another one started. 1000 to 3 600 000, default 10 000.
   */
  readonly processSilentMsMax: number;
  /** Milliseconds after SIGTERM for held requests to finish; 0 closes at once. 0 to 3 600 000, default 10 000. */
  readonly shutdownGraceMs: number;
}

export type ParsedLimits =
  | { readonly ok: true; readonly value: Limits }
  /** Every problem found, each a sentence for the operator. */
  | { readonly ok: false; readonly problems: readonly string[] };

export interface LimitBound {
  readonly min: number;
  readonly max: number;
  /** The default. */
  readonly initial: number;
}

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;

export const limitBounds: Readonly<Record<keyof Limits, LimitBound>> = {
  requestRowsMax: { min: 1, max: 1_048_576, initial: 1024 },
  requestBytesMax: { min: 1, max: gib, initial: 64 * mib },
  bodyBytesMax: { min: kib, max: gib, initial: 64 * mib },
  inflatedBytesMax: { min: kib, max: gib, initial: 64 * mib },
  receivingBytesMax: { min: kib, max: 64 * gib, initial: 512 * mib },
  inlineJsonBytesMax: { min: 0, max: gib, initial: 64 * kib },
  headerBytesMax: { min: kib, max: 64 * kib, initial: 16 * kib },
  frameBytesMax: { min: kib, max: gib, initial: 16 * mib },
  connectionBacklogBytesMax: { min: 64 * kib, max: gib, initial: 16 * mib },
  connectionInflightMax: { min: 1, max: 1_048_576, initial: 1024 },
  queueRowsMax: { min: 1, max: 16_777_216, initial: 65_536 },
  queueBytesMax: { min: 1, max: 64 * gib, initial: 256 * mib },
  callerRowsMax: { min: 0, max: 16_777_216, initial: 0 },
  callerBytesMax: { min: 0, max: 64 * gib, initial: 0 },
  batchRowsMax: { min: 1, max: 65_536, initial: 64 },
  sequencesMax: { min: 1, max: 1_048_576, initial: 1024 },
  callerSequencesMax: { min: 1, max: 1_048_576, initial: 128 },
  sequenceBytesMax: { min: kib, max: 64 * gib, initial: 64 * mib },
  sequenceWaitingMax: { min: 0, max: 65_536, initial: 16 },
  sequenceIdleMsMax: { min: 10, max: 86_400_000, initial: 60_000 },
  coldRowsMax: { min: 0, max: 16_777_216, initial: 4096 },
  coldBytesMax: { min: 0, max: 64 * gib, initial: 64 * mib },
  coldWaitMsMax: { min: 0, max: 3_600_000, initial: 30_000 },
  modelIdleMsMax: { min: 0, max: 2_592_000_000, initial: 600_000 },
  modelChurnMsMin: { min: 0, max: 86_400_000, initial: 300_000 },
  websocketIdleMsMax: { min: 8000, max: 960_000, initial: 120_000 },
  shutdownLingerMs: { min: 0, max: 60_000, initial: 500 },
  runMsMax: { min: 100, max: 3_600_000, initial: 10_000 },
  loadMsMax: { min: 1000, max: 3_600_000, initial: 300_000 },
  loadBehindMsMax: { min: 0, max: 3_600_000, initial: 2000 },
  spareMsMax: { min: 0, max: 3_600_000, initial: 30_000 },
  shadowBusyPercentMax: { min: 1, max: 100, initial: 10 },
  threadLossesMax: { min: 0, max: 1000, initial: 5 },
  threadMemoryBytesMax: { min: 64 * mib, max: 4 * gib, initial: gib },
  processSilentMsMax: { min: 1000, max: 3_600_000, initial: 10_000 },
  shutdownGraceMs: { min: 0, max: 3_600_000, initial: 10_000 },
};

/** Fills in the defaults and checks every value, alone and against the others. `given` may hold anything. */
export function parseLimits(given: Readonly<Record<string, unknown>> = {}): ParsedLimits {
  const problems: string[] = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(limitBounds, name)) {
      problems.push(
        `There is no limit ${JSON.stringify(name)}; there are ${Object.keys(limitBounds).join(', ')}.`,
      );
    }
  }
  const read = (name: keyof Limits): number => readLimit(given, name, problems);
  const value: Limits = {
    requestRowsMax: read('requestRowsMax'),
    requestBytesMax: read('requestBytesMax'),
    bodyBytesMax: read('bodyBytesMax'),
    inflatedBytesMax: read('inflatedBytesMax'),
    receivingBytesMax: read('receivingBytesMax'),
    inlineJsonBytesMax: read('inlineJsonBytesMax'),
    headerBytesMax: read('headerBytesMax'),
    frameBytesMax: read('frameBytesMax'),
    connectionBacklogBytesMax: read('connectionBacklogBytesMax'),
    connectionInflightMax: read('connectionInflightMax'),
    queueRowsMax: read('queueRowsMax'),
    queueBytesMax: read('queueBytesMax'),
    callerRowsMax: read('callerRowsMax'),
    callerBytesMax: read('callerBytesMax'),
    batchRowsMax: read('batchRowsMax'),
    sequencesMax: read('sequencesMax'),
    callerSequencesMax: read('callerSequencesMax'),
    sequenceBytesMax: read('sequenceBytesMax'),
    sequenceWaitingMax: read('sequenceWaitingMax'),
    sequenceIdleMsMax: read('sequenceIdleMsMax'),
    coldRowsMax: read('coldRowsMax'),
    coldBytesMax: read('coldBytesMax'),
    coldWaitMsMax: read('coldWaitMsMax'),
    modelIdleMsMax: read('modelIdleMsMax'),
    modelChurnMsMin: read('modelChurnMsMin'),
    websocketIdleMsMax: read('websocketIdleMsMax'),
    shutdownLingerMs: read('shutdownLingerMs'),
    runMsMax: read('runMsMax'),
    loadMsMax: read('loadMsMax'),
    loadBehindMsMax: read('loadBehindMsMax'),
    spareMsMax: read('spareMsMax'),
    shadowBusyPercentMax: read('shadowBusyPercentMax'),
    threadLossesMax: read('threadLossesMax'),
    threadMemoryBytesMax: read('threadMemoryBytesMax'),
    processSilentMsMax: read('processSilentMsMax'),
    shutdownGraceMs: read('shutdownGraceMs'),
  };
  // Otherwise a request that is allowed by its own limit could never be taken into an empty queue.
  requireAtMost(value, 'requestRowsMax', 'queueRowsMax', problems);
  requireAtMost(value, 'requestBytesMax', 'queueBytesMax', problems);
  requireAtMost(value, 'batchRowsMax', 'queueRowsMax', problems);
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems };
}

function readLimit(given: Readonly<Record<string, unknown>>, name: keyof Limits, problems: string[]): number {
  const { min, max, initial } = limitBounds[name];
  const value = Object.hasOwn(given, name) ? given[name] : undefined;
  if (value === undefined) return initial;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  problems.push(`${name} must be a whole number from ${min} to ${max}.`);
  return initial;
}

function requireAtMost(limits: Limits, small: keyof Limits, large: keyof Limits, problems: string[]): void {
  if (limits[small] <= limits[large]) return;
  problems.push(`${small} (${limits[small]}) must not be larger than ${large} (${limits[large]}).`);
}
