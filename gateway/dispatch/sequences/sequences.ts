/**
 * Runs the calls of stateful models: one at a time and in order within a sequence, any number of sequences at once. What
 * a sequence remembers is kept here, beside the batcher, as the bytes that the last run gave. So a run needs no certain
 * thread, and a thread that is lost takes no state along: onnxruntime-web copies tensors into and out of its heap on every
 * run anyway, and what is added is one small copy each way.
 *
 * Invariants: of one sequence at most one call is with the dispatcher; a state is replaced only by a run that answered,
 * before its caller hears; every call that was taken is told exactly once, unless its client is gone.
 */
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import { type AdmittedRequest, checkRequest } from '../../admission/check-request.ts';
import type { Limits } from '../../admission/limits.ts';
import { haveSameInputs } from '../../admission/same-inputs.ts';
import type { Protocol } from '../../telemetry/version-metrics.ts';
import type { Result, WireError } from '../../wire/error-code.ts';
import type { InferReply, InferRequest } from '../../wire/infer-request.ts';
import type { Dispatcher } from '../dispatcher.ts';
import { callerLimits, cancelled, deadlineExceeded } from '../failure-answers.ts';
import type { ModelGeneration } from '../model-generation.ts';
import type { ReplySink } from '../request-queue.ts';
import type { Trial } from '../trial.ts';
import { keptInputs } from './sequence-inputs.ts';
import { sequenceLost, sequenceRefusals } from './sequence-refusals.ts';
import { SequenceTable } from './sequence-table.ts';
import { Sequence, SequenceStep, type StatefulVersion } from './sequence.ts';
import { stateBytes, type StateValue } from './state-layout.ts';

export interface SequenceCall {
  readonly protocol: Protocol;
  readonly modelName: string;
  /** As the path says it: a sequence belongs to the address that it was started at. */
  readonly modelVersion: string | undefined;
  /** The version for a sequence that starts now; one that goes on stays with its own. */
  readonly target: ModelGeneration;
  readonly trial: Trial | undefined;
  /** As read for `target`. */
  readonly request: InferRequest;
  /** Reads it for another version. Only valid during the call. */
  readonly decode: (signature: ModelSignature) => Result<InferRequest>;
  readonly sink: ReplySink;
  /** Who sent it, where callers are bound. */
  readonly caller: string | undefined;
  /** Milliseconds after arrival by which it must have begun; undefined lets it wait. */
  readonly dueWithinMs: number | undefined;
}

type UsedLimits =
  | 'requestRowsMax'
  | 'requestBytesMax'
  | 'sequencesMax'
  | 'callerSequencesMax'
  | 'sequenceBytesMax'
  | 'sequenceWaitingMax'
  | 'sequenceIdleMsMax';

export interface SequencesOptions {
  readonly dispatcher: Pick<Dispatcher, 'submit' | 'cancel' | 'callers'>;
  readonly limits: Pick<Limits, UsedLimits>;
  readonly nowMs: () => number;
}

export class Sequences {
  readonly #options: SequencesOptions;
  readonly #table: SequenceTable<Sequence>;

  constructor(options: SequencesOptions) {
    this.#options = options;
    this.#table = new SequenceTable(options.limits, (sequence) => {
      this.#keep(sequence, undefined);
    });
  }

  /** Sequences that are open; those that were silent for too long count until somebody looks for one. */
  get open(): number {
    return this.#table.size;
  }

  /** Bytes that they hold: their states, and the inputs of calls that wait for their turn. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** Whether one is open that this version runs. */
  isOpenOn(generation: ModelGeneration): boolean {
    if (generation.layout === undefined || this.#table.size === 0) return false;
    this.#table.expire(this.#options.nowMs());
    return this.#table.all().some(({ version }) => version.generation === generation);
  }

  /**
   * Codes: SEQUENCE_REQUIRED, SEQUENCE_LOST, TOO_MANY_SEQUENCES, UNSUPPORTED_PARAMETER for a model without state,
   * CALLER_LIMIT, QUEUE_FULL, and those of any request.
   */
  take(call: SequenceCall): SequenceStep | WireError {
    const nowMs = this.#options.nowMs();
    const { target, request } = call;
    const wish = request.options?.sequence;
    if (wish?.id === undefined) {
      return target.layout === undefined ? sequenceRefusals.stateless : sequenceRefusals.required;
    }
    const key = JSON.stringify([call.modelName, call.modelVersion ?? '', wish.id]);
    const found = this.#table.find(key, nowMs);
    const before = found?.last?.about;
    const goesOn = found !== undefined && before?.wish.end !== true && !wish.start;
    const version = goesOn ? (before?.version ?? found.version) : statefulVersion(target);
    if (version === undefined) return sequenceRefusals.stateless;
    if (!goesOn && !wish.start) return sequenceLost(wish.id);
    const admitted = this.#admit(call, version.generation);
    if (!admitted.ok) return admitted;
    const sequence = found ?? new Sequence(key, version, call.caller);
    const { protocol, sink, caller, dueWithinMs } = call;
    const step = new SequenceStep({
      sequence,
      version,
      wish,
      admitted: admitted.value,
      protocol,
      sink,
      caller,
      // What another version does is no evidence for the one that was chosen.
      trial: version.generation === target ? call.trial : undefined,
      id: request.id,
      options: request.options,
      arrivedMs: nowMs,
      deadlineMs: dueWithinMs === undefined ? undefined : nowMs + dueWithinMs,
    });
    if (sequence.busy) return this.#wait(step);
    if (found === undefined && !this.#table.mayOpen(caller)) return sequenceRefusals.callersOwn;
    if (found === undefined && !this.#table.add(sequence, nowMs)) return sequenceRefusals.tooMany;
    this.#table.used(sequence, nowMs);
    const refusal = this.#run(step);
    if (refusal === undefined) return step;
    if (sequence.values === undefined) this.#table.remove(sequence);
    return refusal;
  }

  /** The client is gone: what has not begun is not run. */
  abandon(step: SequenceStep): void {
    if (step.isOver) return;
    step.isOver = true;
    const { sequence, version, protocol } = step.about;
    if (sequence.running === step) {
      if (step.pending !== undefined) this.#options.dispatcher.cancel(step.pending);
    } else version.generation.metrics.outcomes.count(protocol, 'ABANDONED');
  }

  /** The client no longer wants it: one that has not begun is answered CANCELLED. */
  cancel(step: SequenceStep): void {
    if (step.about.sequence.running !== step) this.#refuse(step, cancelled);
    else if (step.pending !== undefined) this.#options.dispatcher.cancel(step.pending);
  }

  /** Sequences of versions that are no longer here end: nothing is left that could run their next call. */
  keepOnly(isHere: (generation: ModelGeneration) => boolean): void {
    for (const sequence of this.#table.all()) {
      if (!isHere(sequence.version.generation))
        this.#end(sequence, ({ wish }) => sequenceLost(wish.id ?? ''));
    }
  }

  /** Answers everything that waits for its turn, because the process will not live to run it. */
  failAll(error: WireError): void {
    for (const sequence of this.#table.all()) this.#end(sequence, () => error);
  }

  #admit(call: SequenceCall, generation: ModelGeneration): Result<AdmittedRequest> {
    const { target, request, decode } = call;
    const { limits } = this.#options;
    const isRead = generation === target || haveSameInputs(generation.signature, target.signature);
    const read = isRead ? ({ ok: true, value: request } as const) : decode(generation.signature);
    return read.ok ? checkRequest(read.value, generation.signature, limits) : read;
  }

  /** Behind the others of its sequence. */
  #wait(step: SequenceStep): SequenceStep | WireError {
    const { callers } = this.#options.dispatcher;
    const { sequence } = step.about;
    if (sequence.waiting.length >= this.#options.limits.sequenceWaitingMax)
      return sequenceRefusals.tooManyWait;
    const lack = callers.lackOf(step.share);
    if (lack !== undefined) return callerLimits[lack];
    const kept = keptInputs(step.admitted.inputs);
    if (!kept.ok) return kept;
    const { inputs, bytes } = kept.value;
    if (!this.#table.take(bytes)) return sequenceRefusals.tooMany;
    step.keptBytes = bytes;
    step.admitted = { ...step.admitted, inputs };
    callers.take(step.share);
    sequence.waiting.push(step);
    return step;
  }

  /** It waits no longer, and gives back what it held meanwhile: the dispatcher counts it anew. */
  #unwait(step: SequenceStep): void {
    this.#table.give(step.keptBytes);
    this.#options.dispatcher.callers.release(step.share);
  }

  /** Gives it to the dispatcher; what is wrong is told by whoever called. A start that fails leaves no state. */
  #run(step: SequenceStep): WireError | undefined {
    const { sequence, version, wish } = step.about;
    const firstSize = step.admitted.inputs[0]?.shape[0] ?? 1;
    if (wish.start) {
      sequence.version = version;
      this.#keep(sequence, undefined);
      if (!this.#keep(sequence, version.layout.initial(firstSize))) return sequenceRefusals.tooMany;
    }
    const problem = this.#submit(step, firstSize);
    if (problem !== undefined && wish.start) this.#keep(sequence, undefined);
    return problem;
  }

  #submit(step: SequenceStep, firstSize: number): WireError | undefined {
    const { sequence, version, wish, protocol, caller, trial, id, options, deadlineMs } = step.about;
    const { generation, layout } = version;
    const { values } = sequence;
    if (values === undefined) return sequenceLost(wish.id ?? '');
    if (!layout.fits(values, firstSize)) return sequenceRefusals.rowsChanged;
    const dueWithinMs = deadlineMs === undefined ? undefined : deadlineMs - this.#options.nowMs();
    if (dueWithinMs !== undefined && dueWithinMs < 0) return deadlineExceeded;
    const request = layout.withState(step.admitted, values);
    const sink: ReplySink = {
      reply: (reply) => {
        this.#answered(step, reply);
      },
      fail: (error) => {
        this.#failed(step, error);
      },
    };
    const pending = this.#options.dispatcher.submit({
      generation,
      protocol,
      request,
      id,
      sink,
      trial,
      options,
      caller,
      dueWithinMs,
    });
    if ('code' in pending) return pending;
    step.pending = pending;
    sequence.running = step;
    return undefined;
  }

  #answered(step: SequenceStep, reply: InferReply): void {
    const { layout } = step.about.version;
    const values = layout.stateOf(reply);
    if (values === undefined) {
      this.#failed(step, sequenceRefusals.stateUnusable);
      return;
    }
    this.#settled(step, values);
    if (step.isOver) return;
    // Should it throw, the dispatcher says so by `fail`, which then has somebody to tell.
    step.about.sink.reply(layout.visibleReply(reply));
    step.isOver = true;
  }

  #failed(step: SequenceStep, error: WireError): void {
    this.#settled(step, undefined);
    if (step.isOver) return;
    step.isOver = true;
    step.about.sink.fail(error);
  }

  /** The dispatcher is done with it. The next one goes in a turn of its own, when this one is told and gone. */
  #settled(step: SequenceStep, values: readonly StateValue[] | undefined): void {
    const { sequence, wish } = step.about;
    if (sequence.running !== step) return;
    sequence.running = undefined;
    // Nothing is kept for one that was ended meanwhile.
    if (!this.#table.has(sequence)) return;
    this.#table.used(sequence, this.#options.nowMs());
    if (values === undefined) {
      sequence.isInterrupted = true;
      if (wish.start) this.#keep(sequence, undefined);
    } else if (wish.end || !this.#keep(sequence, values)) this.#keep(sequence, undefined);
    if (sequence.waiting.length === 0) this.#rest(sequence);
    else {
      queueMicrotask(() => {
        this.#advance(sequence);
      });
    }
  }

  /** Runs the next call, and tells those that cannot be run. */
  #advance(sequence: Sequence): void {
    while (sequence.running === undefined && this.#table.has(sequence)) {
      const step = sequence.waiting.shift();
      if (step === undefined) {
        this.#rest(sequence);
        return;
      }
      this.#unwait(step);
      if (step.about.wish.start && !step.isOver) sequence.isInterrupted = false;
      const refusal = this.#turnOf(step);
      if (refusal === undefined) return;
      sequence.isInterrupted = true;
      this.#refuse(step, refusal);
    }
  }

  #turnOf(step: SequenceStep): WireError | undefined {
    // Its client left or took it back; those behind it count on it all the same.
    if (step.isOver) return cancelled;
    return step.about.sequence.isInterrupted ? sequenceRefusals.interrupted : this.#run(step);
  }

  /** Nothing is under way. Without a state there is nothing to come back to. */
  #rest(sequence: Sequence): void {
    sequence.isInterrupted = false;
    if (sequence.values === undefined) this.#table.remove(sequence);
  }

  /** One that never came to the dispatcher, which counts the others. */
  #refuse(step: SequenceStep, error: WireError): void {
    if (step.isOver) return;
    step.isOver = true;
    const { version, protocol, sink } = step.about;
    version.generation.metrics.outcomes.count(protocol, error.code);
    sink.fail(error);
  }

  #end(sequence: Sequence, reason: (about: SequenceStep['about']) => WireError): void {
    this.#table.remove(sequence);
    for (const step of sequence.waiting.splice(0)) {
      this.#unwait(step);
      this.#refuse(step, reason(step.about));
    }
  }

  /** False, and nothing changes, when there is no room for it. */
  #keep(sequence: Sequence, values: readonly StateValue[] | undefined): boolean {
    const more = stateBytes(values) - stateBytes(sequence.values);
    if (more > 0 && !this.#table.take(more)) return false;
    if (more < 0) this.#table.give(-more);
    sequence.values = values;
    return true;
  }
}

function statefulVersion(generation: ModelGeneration): StatefulVersion | undefined {
  const { layout } = generation;
  return layout === undefined ? undefined : { generation, layout };
}
