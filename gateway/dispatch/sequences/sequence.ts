/** A sequence of calls of a stateful model, and one call of it; who runs them is in sequences.ts. */
import type { CallerShare } from '../../admission/caller-shares.ts';
import type { AdmittedRequest } from '../../admission/check-request.ts';
import type { Protocol } from '../../telemetry/version-metrics.ts';
import type { RequestOptions, SequenceWish } from '../../wire/infer-request.ts';
import type { ModelGeneration } from '../model-generation.ts';
import type { PendingRequest, ReplySink } from '../request-queue.ts';
import type { Trial } from '../trial.ts';
import type { Entry } from './sequence-table.ts';
import type { StateLayout, StateValue } from './state-layout.ts';

/** The version that a sequence is on, which has state. */
export interface StatefulVersion {
  readonly generation: ModelGeneration;
  readonly layout: StateLayout;
}

interface StepOptions {
  readonly sequence: Sequence;
  readonly version: StatefulVersion;
  readonly wish: SequenceWish;
  readonly admitted: AdmittedRequest;
  readonly protocol: Protocol;
  readonly sink: ReplySink;
  /** Who sent it, where callers are bound. */
  readonly caller: string | undefined;
  readonly trial: Trial | undefined;
  readonly id: string | number | undefined;
  readonly options: RequestOptions | undefined;
  readonly arrivedMs: number;
  /** When it must have begun to run; undefined lets it wait. */
  readonly deadlineMs: number | undefined;
}

/** One call, from its arrival to its answer. */
export class SequenceStep {
  readonly about: StepOptions;
  /** Its inputs point into what it was read from until they are kept. */
  admitted: AdmittedRequest;
  /** Bytes of the inputs that are kept for its turn. */
  keptBytes = 0;
  /** Once it is with the dispatcher. */
  pending: PendingRequest | undefined;
  /** Told, or its client is gone: nobody is told any more. */
  isOver = false;

  constructor(about: StepOptions) {
    this.about = about;
    this.admitted = about.admitted;
  }

  /** What it counts for its caller while it waits for its turn. */
  get share(): CallerShare {
    const { rows, bytes } = this.about.admitted;
    return { caller: this.about.caller, rows, bytes };
  }
}

export class Sequence implements Entry {
  readonly key: string;
  readonly caller: string | undefined;
  usedMs = 0;
  version: StatefulVersion;
  /** Undefined before its first call, after its last, and after a start that failed. */
  values: readonly StateValue[] | undefined;
  running: SequenceStep | undefined;
  readonly waiting: SequenceStep[] = [];
  /** A call failed: those that were sent in the belief that it would not must not run. */
  isInterrupted = false;

  /** `caller` opened it. */
  constructor(key: string, version: StatefulVersion, caller: string | undefined) {
    this.key = key;
    this.caller = caller;
    this.version = version;
  }

  get busy(): boolean {
    return this.running !== undefined || this.waiting.length > 0;
  }

  /** The call that was sent last, if it is not answered yet. */
  get last(): SequenceStep | undefined {
    return this.waiting.at(-1) ?? this.running;
  }
}
