/**
 * The client over one WebSocket: many calls in flight, answered by id and in any order. It holds calls back when the
 * gateway or the network asks for it, moves to another socket when one ends, and repeats there what was not answered.
 * Invariant: every call settles exactly once: answered, failed, aborted, past its deadline or closed.
 */
import { queueFull } from './call-gate.ts';
import { CallScope } from './call-scope.ts';
import { checkCall, type InferCall, type InferenceClient } from './infer-call.ts';
import { InferResult } from './infer-result.ts';
import { RetryPolicy } from './retry-policy.ts';
import { asStepError } from './sequence-step.ts';
import { CallQueue } from './stream/call-queue.ts';
import { Dialer } from './stream/dialer.ts';
import { GatewayLine } from './stream/gateway-line.ts';
import type { PendingCall, Shipment } from './stream/pending-call.ts';
import { joinKeyOf, joinRows, splitRows } from './stream/row-joiner.ts';
import type { ConnectionEnd, StreamConnection } from './stream/stream-connection.ts';
import { type StreamClientOptions, type StreamSettings, streamSettings } from './stream/stream-options.ts';
import { asTidegateError, TidegateError } from './tidegate-error.ts';
import { encodeRequest } from './wire/stream-frame.ts';

export interface StreamStatus {
  /** `idle` connects with the next call; `paused` is open and held back by the gateway. */
  readonly state: 'idle' | 'connecting' | 'open' | 'paused' | 'closed';
  /** Requests that the gateway owes an answer. */
  readonly inflight: number;
  /** Calls that are not sent yet. */
  readonly waiting: number;
}

const reconnectDefaults = { attemptsMax: 8, baseMs: 100, capMs: 5000 };
/** Until the gateway says its own limit: a quarter of what it allows by default. */
const unknownInflightMax = 256;
/** There is no event for an emptier send buffer, so it is looked at again after this many milliseconds. */
const bufferLookMs = 4;
const tooLargeCode = 1009;

export class StreamClient implements InferenceClient {
  readonly #settings: StreamSettings;
  readonly #retry: RetryPolicy;
  readonly #line: GatewayLine;
  readonly #queue = new CallQueue();
  /** All that are not settled. */
  readonly #calls = new Set<PendingCall>();
  /** Models whose answers cannot be told apart by rows. */
  readonly #unjoinable = new Set<string>();
  #cancelBufferLook: (() => void) | undefined;
  #pumpAsked = false;
  #lastId = 0;
  #closed = false;
  #onIdle: (() => void) | undefined;

  /** Connects with the first call. Throws INVALID_ARGUMENT. */
  constructor(options: StreamClientOptions) {
    const settings = streamSettings(options);
    this.#settings = settings;
    this.#retry = new RetryPolicy(settings.retry, settings.random);
    const reconnect = new RetryPolicy(settings.reconnect, settings.random, reconnectDefaults);
    this.#line = new GatewayLine({
      settings,
      dialer: new Dialer(settings.urls, reconnect, settings.random),
      nextId: () => this.#nextId(),
      listener: {
        ready: () => {
          this.#askPump();
        },
        answered: (shipment, outcome) => {
          this.#answered(shipment, outcome);
        },
        unanswered: (end) => {
          this.#unanswered(end);
        },
        gaveUp: (error) => {
          this.#gaveUp(error);
        },
      },
    });
  }

  get status(): StreamStatus {
    return { state: this.#state(), inflight: this.#line.inflight, waiting: this.#queue.size };
  }

  /**
   * See {@link InferenceClient.infer}. Waits while the socket is full, paused or away, but never in a line longer than
   * `waitingMax`. Elements are read when the request is sent, and again if it is repeated: leave them as they are until
   * the call has settled.
   */
  infer(call: InferCall): Promise<InferResult> {
    return new Promise((resolve, reject) => {
      checkCall(call);
      if (this.#closed) throw closed();
      if (this.#queue.size >= this.#settings.waitingMax + this.#roomOf(this.#line.current)) {
        throw queueFull(this.#settings.waitingMax);
      }
      const { deadlineMs = this.#settings.deadlineMs, signal } = call;
      const scope = new CallScope({ deadlineMs, signal, clock: this.#settings.clock });
      const pending: PendingCall = {
        fields: {
          model: call.model,
          version: call.version,
          inputs: Object.entries(call.inputs).map(([name, input]) => ({ name, ...input })),
          outputs: call.outputs ?? [],
          priority: call.priority,
          parameters: call.parameters ?? {},
        },
        scope,
        resolve,
        reject,
        joinKey: this.#joinKeyOf(call),
        attempts: 0,
        shipment: undefined,
        wake: undefined,
        settled: false,
      };
      this.#calls.add(pending);
      this.#queue.add(pending);
      scope.onEnd((error) => {
        this.#settle(pending, error);
      });
      this.#askPump();
    });
  }

  /**
   * Takes no new calls, waits for those there are, then closes the socket. With `abort` the calls there are end with
   * CLIENT_CLOSED at once.
   */
  close(options: { readonly abort?: boolean } = {}): Promise<void> {
    this.#closed = true;
    if (options.abort === true) {
      for (const call of [...this.#calls]) this.#settle(call, closed());
    }
    return new Promise((resolve) => {
      const before = this.#onIdle;
      this.#onIdle = () => {
        before?.();
        resolve();
      };
      this.#finishWhenIdle();
    });
  }

  // From the queue onto the socket.

  /** Once for each turn: what was asked for in one turn leaves together. */
  #askPump(): void {
    if (this.#pumpAsked) return;
    this.#pumpAsked = true;
    queueMicrotask(() => {
      this.#pumpAsked = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#queue.size === 0) return;
    const connection = this.#line.current;
    if (connection === undefined) {
      this.#line.want();
      return;
    }
    if (!connection.isOpen) return;
    const rowsMax = Math.min(this.#settings.batchRowsMax, connection.hello?.requestRowsMax ?? Infinity);
    while (this.#queue.size > 0 && this.#roomOf(connection) > 0) {
      if (connection.bufferedBytes > this.#settings.sendBufferBytesMax) {
        this.#lookAgainSoon();
        return;
      }
      this.#ship(connection, this.#queue.take(rowsMax));
    }
  }

  /** Requests that may be sent now. */
  #roomOf(connection: StreamConnection | undefined): number {
    if (connection?.isOpen !== true || connection.isPaused) return 0;
    const allowed = connection.hello?.inflightMax ?? unknownInflightMax;
    return Math.max(0, Math.min(this.#settings.inflightMax, allowed) - connection.inflight);
  }

  #ship(connection: StreamConnection, calls: readonly PendingCall[]): void {
    const [first, ...others] = calls;
    if (first === undefined) return;
    const remainingMs = Math.max(...calls.map(({ scope }) => scope.remainingMs()));
    const fields =
      others.length === 0 ? first.fields : joinRows([first.fields, ...others.map((call) => call.fields)]);
    let frame: Uint8Array<ArrayBuffer>;
    const id = this.#nextId();
    try {
      frame = encodeRequest(id, { ...fields, remainingMs });
    } catch (thrown) {
      const error = asTidegateError(thrown, 'INVALID_ARGUMENT', 'The request could not be written');
      for (const call of calls) this.#settle(call, error);
      return;
    }
    const frameBytesMax = connection.hello?.frameBytesMax ?? Infinity;
    if (frame.length > frameBytesMax) {
      this.#tooLarge(
        calls,
        `The request takes ${frame.length} bytes; the gateway reads ${frameBytesMax} in a frame.`,
      );
      return;
    }
    const shipment: Shipment = { id, connection, calls, frameBytes: frame.length };
    for (const call of calls) {
      call.attempts += 1;
      call.shipment = shipment;
    }
    connection.send(shipment, frame);
  }

  #lookAgainSoon(): void {
    this.#cancelBufferLook ??= this.#settings.clock.after(bufferLookMs, () => {
      this.#cancelBufferLook = undefined;
      this.#pump();
    });
  }

  // Answers.

  #answered({ calls }: Shipment, outcome: InferResult | TidegateError): void {
    for (const call of calls) call.shipment = undefined;
    const [first, ...others] = calls;
    if (first === undefined) return;
    if (outcome instanceof InferResult) {
      const results = others.length === 0 ? [outcome] : splitRows(outcome, calls.length);
      if (results === undefined) this.#unjoinable.add(first.fields.model);
      for (const [index, call] of calls.entries()) {
        const result = results?.[index];
        if (result === undefined) this.#sendAlone(call);
        else this.#settle(call, result);
      }
    } else if (others.length > 0 && !outcome.isRetryable) {
      // One bad row must not fail the others.
      for (const call of calls) this.#sendAlone(call);
    } else {
      for (const call of calls) this.#repeatLater(call, outcome);
    }
    this.#askPump();
  }

  #sendAlone(call: PendingCall): void {
    if (call.settled) return;
    call.joinKey = undefined;
    this.#queue.putBack(call);
    this.#askPump();
  }

  #repeatLater(call: PendingCall, error: TidegateError): void {
    if (call.settled) return;
    const delayMs = this.#retry.delayMs(error, call.attempts);
    if (delayMs === undefined || delayMs >= call.scope.remainingMs()) {
      this.#settle(call, error);
      return;
    }
    call.wake = this.#settings.clock.after(delayMs, () => {
      call.wake = undefined;
      this.#queue.putBack(call);
      this.#pump();
    });
  }

  #tooLarge(calls: readonly PendingCall[], message: string): void {
    for (const call of calls) {
      if (calls.length > 1) this.#sendAlone(call);
      else this.#settle(call, new TidegateError('BODY_TOO_LARGE', `${message} Send fewer rows.`));
    }
  }

  /** The only place where a call ends. */
  #settle(call: PendingCall, outcome: InferResult | TidegateError): void {
    if (call.settled) return;
    call.settled = true;
    this.#calls.delete(call);
    this.#queue.remove(call);
    call.scope.dispose();
    call.wake?.();
    const { shipment } = call;
    if (shipment?.calls.every(({ settled }) => settled) === true) shipment.connection.cancel(shipment.id);
    if (outcome instanceof InferResult) call.resolve(outcome);
    else call.reject(outcome);
    this.#finishWhenIdle();
  }

  // Sockets that ended.

  #unanswered({ error, code, unanswered }: ConnectionEnd): void {
    const largest = unanswered.reduce((most, { frameBytes }) => Math.max(most, frameBytes), 0);
    for (const { calls, frameBytes } of unanswered) {
      for (const call of calls) call.shipment = undefined;
      if (code === tooLargeCode && frameBytes === largest) {
        this.#tooLarge(calls, 'The gateway refused a frame of this size.');
      } else {
        for (const call of calls) this.#sendElsewhere(call, error);
      }
    }
  }

  /** Inference changes nothing but the state of a sequence, so what else was not answered may be asked again. */
  #sendElsewhere(call: PendingCall, ended: TidegateError): void {
    if (call.settled) return;
    const error = asStepError(call.fields, ended);
    if (error.isRetryable && call.attempts < this.#retry.attemptsMax) this.#queue.putBack(call);
    else this.#settle(call, error);
  }

  /** No gateway can be reached: whoever waits is told, and the next call starts anew. */
  #gaveUp(error: TidegateError): void {
    for (const call of this.#queue.drain()) this.#settle(call, error);
  }

  // Small questions.

  #joinKeyOf(call: InferCall): string | undefined {
    if (this.#settings.batchRowsMax === 1 || this.#unjoinable.has(call.model)) return undefined;
    return joinKeyOf(call);
  }

  #state(): StreamStatus['state'] {
    if (this.#closed && this.#calls.size === 0) return 'closed';
    if (this.#line.isConnecting) return 'connecting';
    const { current } = this.#line;
    if (current === undefined) return 'idle';
    return current.isPaused ? 'paused' : 'open';
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #finishWhenIdle(): void {
    if (!this.#closed || this.#calls.size > 0) return;
    this.#cancelBufferLook?.();
    this.#line.close(closed());
    this.#onIdle?.();
    this.#onIdle = undefined;
  }
}

function closed(): TidegateError {
  return new TidegateError('CLIENT_CLOSED', 'The client is closed.');
}
