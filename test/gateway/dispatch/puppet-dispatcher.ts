/**
 * A dispatcher moved by hand for tests of what stands before it: it keeps what it is given until the test runs it, and
 * answers with what a simple model makes of the inputs.
 */
import { CallerShares } from '../../../gateway/admission/caller-shares.ts';
import { elementCount } from '../../../runtime/tensor/signature.ts';
import { ModelGeneration } from '../../../gateway/dispatch/model-generation.ts';
import { PendingRequest, type ReplySink } from '../../../gateway/dispatch/request-queue.ts';
import type { Submission } from '../../../gateway/dispatch/submission.ts';
import { VersionMetrics } from '../../../gateway/telemetry/version-metrics.ts';
import { fail, type WireError } from '../../../gateway/wire/error-code.ts';
import type { InferReply, InputTensor } from '../../../gateway/wire/infer-request.ts';
import { writeElements } from '../../../gateway/wire/tensor-elements.ts';

let lastSession = 0;

/** One input `x` and one output `y` of any number of rows and columns. */
export function puppetGeneration(version = '1'): ModelGeneration {
  return new ModelGeneration({
    costs: [],
    modelName: 'm',
    modelVersion: version,
    sha256: '',
    signature: {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }],
      outputs: [
        { name: 'y', datatype: 'FP32', shape: [-1, -1] },
        { name: 'z', datatype: 'FP32', shape: [-1, -1] },
      ],
      batching: 'rows',
    },
    platform: 'onnx',
    session: ++lastSession,
    metrics: new VersionMetrics('m', version),
  });
}

export function tensorOf(
  values: readonly number[],
  shape: readonly number[] = [1, values.length],
): InputTensor {
  const source = { kind: 'packed', bytes: new Uint8Array(Float32Array.from(values).buffer) } as const;
  return { name: 'x', datatype: 'FP32', shape, source };
}

/** What a generation answers: another thing for every session, input and output. */
export function answerOf({ session }: ModelGeneration, values: readonly number[], output = 0): number[] {
  return values.map((value) => Math.fround(value * 2 + session * 1000 + output * 100_000));
}

export function submissionOf(
  generation: ModelGeneration,
  input: InputTensor,
  sink: ReplySink,
  more: Partial<Submission> & { readonly outputIndexes?: readonly number[] } = {},
): Submission {
  const { outputIndexes, ...others } = more;
  const rows = input.shape[0] ?? 1;
  return {
    generation,
    protocol: 'oip-json',
    request: { rows, bytes: 4 * elementCount(input.shape), inputs: [input], outputIndexes },
    id: undefined,
    sink,
    options: undefined,
    dueWithinMs: undefined,
    ...others,
  };
}

interface Held {
  readonly pending: PendingRequest;
  readonly submission: Submission;
  readonly values: readonly number[];
}

export class PuppetDispatcher {
  readonly held: Held[] = [];
  readonly faults: unknown[] = [];
  /** Only of those who count themselves: what is held here is not in it. */
  readonly callers = new CallerShares({ rowsMax: 3, bytesMax: 32 });
  /** What `submit` answers instead of taking the request. */
  refusal: WireError | undefined;
  /** How many were taken. */
  taken = 0;

  submit(submission: Submission): PendingRequest | WireError {
    if (this.refusal !== undefined) return this.refusal;
    this.taken += 1;
    const { request, generation, sink, id, protocol, options } = submission;
    const [input] = request.inputs;
    if (input === undefined) throw new Error('the puppet model has an input');
    // As the dispatcher does: the bytes may be reused once this returns.
    const values = new Float32Array(input.shape.reduce((product, size) => product * size, 1));
    const error = writeElements(input, values);
    if (error !== undefined) return error;
    generation.acquire();
    const pending = new PendingRequest({
      rows: request.rows,
      bytes: request.bytes,
      id,
      protocol,
      queue: { line: { tuning: { timeoutMs: undefined } } } as never,
      sink,
      trial: undefined,
      place: undefined as never,
      strings: undefined,
      arrivedMs: 0,
      dueWithinMs: undefined,
      options,
      caller: undefined,
    });
    pending.state = 'waiting';
    this.held.push({ pending, submission, values: [...values] });
    return pending;
  }

  abandon(pending: PendingRequest): void {
    const { state } = pending;
    if (state === 'settled') return;
    pending.abandoned = true;
    if (state === 'waiting') this.#take(this.#indexOf(pending));
  }

  cancel(pending: PendingRequest): boolean {
    if (pending.state !== 'waiting') return false;
    this.fail(this.#indexOf(pending), fail('CANCELLED', 'cancelled'));
    return true;
  }

  reportFault(fault: unknown): WireError {
    this.faults.push(fault);
    return fail('INTERNAL', 'fault');
  }

  begin(index = 0): void {
    const held = this.held[index];
    if (held !== undefined) held.pending.state = 'running';
  }

  /** Answers in memory that is written over afterwards, as that of the arena is. */
  run(index = 0): void {
    const { pending, submission, values } = this.#take(index);
    if (pending.abandoned) return;
    const { generation, request, id, options } = submission;
    const wanted = request.outputIndexes ?? [0, 1];
    const [, ...rowShape] = request.inputs[0]?.shape ?? [];
    const rowElements = rowShape.reduce((product, size) => product * size, 1);
    const columns = wanted.map((output) => {
      // Behind the rows of another request of the same batch.
      const others = new Array<number>(rowElements).fill(-1);
      const data = Float32Array.from([...others, ...answerOf(generation, values, output)]);
      return { name: output === 0 ? 'y' : 'z', datatype: 'FP32', rowShape, rowElements, data } as const;
    });
    const { modelName, modelVersion } = generation;
    const reply: InferReply = {
      id,
      modelName,
      modelVersion,
      columns,
      batched: true,
      rowStart: 1,
      rows: request.rows,
      options,
    };
    try {
      pending.sink.reply(reply);
    } catch (fault) {
      pending.sink.fail(this.reportFault(fault));
    }
    for (const { data } of columns) data.fill(NaN);
  }

  fail(index: number, error: WireError): void {
    const { pending } = this.#take(index);
    if (!pending.abandoned) pending.sink.fail(error);
  }

  #indexOf(pending: PendingRequest): number {
    return this.held.findIndex((held) => held.pending === pending);
  }

  #take(index: number): Held {
    const [held] = this.held.splice(index, 1);
    if (held === undefined) throw new Error('nothing is held there');
    held.pending.state = 'settled';
    held.submission.generation.release();
    return held;
  }
}
