/**
 * One WebSocket in a closed loop: a fixed number of requests in flight, each answer followed by the next request.
 * Every request has an id of its own; an answer counts when its id is in flight, so none can count twice. It keeps
 * no clock: the caller says what time it is.
 *
 * A slot is a place in flight. Its requests have the ids first + slot, first + slot + slots, and so on, so that an id
 * leads back to its slot without a search.
 */
import type { LatencyHistogram } from '../../cli/bench/load/latency-histogram.ts';
import { encodeClientFrame } from '../../cli/bench/load/websocket-frame.ts';

/** The smallest id: from here on msgpack takes five bytes for an id, so all frames have the same length. */
export const firstId = 0x1_0000;

/** Where the four bytes of the id lie in a message whose first pair is `id`: after the map, the key and the type. */
const idAt = 5;

export interface StreamCallerOptions {
  /** A request as msgpack, a map whose first pair is `id` with the value `firstId`. */
  readonly template: Uint8Array;
  readonly inflight: number;
  /** Bytes of a good answer: errors have other lengths. */
  readonly answerBytes: number;
  /** `echoed`: answers carry the id, in any order. `fixed`: all answers are the same, in the order of the requests. */
  readonly ids: 'echoed' | 'fixed';
  readonly send: (frames: Uint8Array) => void;
  readonly latency: LatencyHistogram;
}

export class StreamCaller {
  readonly #options: StreamCallerOptions;
  readonly #frame: Uint8Array;
  readonly #frameIdAt: number;
  readonly #ids: Float64Array;
  readonly #sentAtUs: Float64Array;
  /** 1 for a slot whose request is not answered. */
  readonly #waiting: Uint8Array;
  /** Slots that are to send when this chunk is done. */
  readonly #due: number[] = [];
  #nextFixedSlot = 0;
  #outstanding = 0;
  failures = 0;
  /** Answers count and are followed by new requests while this is set. */
  sending = true;
  measuring = false;

  constructor(options: StreamCallerOptions) {
    const { template, inflight } = options;
    if (readId(template) !== firstId) throw new Error('The first pair of the request must be its id.');
    this.#options = options;
    this.#frame = encodeClientFrame(template);
    this.#frameIdAt = this.#frame.length - template.length + idAt;
    this.#ids = Float64Array.from({ length: inflight }, (_, slot) => firstId + slot - inflight);
    this.#sentAtUs = new Float64Array(inflight);
    this.#waiting = new Uint8Array(inflight);
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  start(nowUs: number): void {
    for (let slot = 0; slot < this.#ids.length; slot++) this.#due.push(slot);
    this.flush(nowUs);
  }

  /** Throws when nobody asked for this answer. */
  answered(payload: Uint8Array, nowUs: number): void {
    const slot = this.#options.ids === 'echoed' ? this.#slotOf(payload) : this.#fixedSlot();
    this.#outstanding--;
    this.#waiting[slot] = 0;
    if (payload.length !== this.#options.answerBytes) this.failures++;
    else if (this.measuring) this.#options.latency.record(nowUs - (this.#sentAtUs[slot] ?? nowUs));
    if (this.sending) this.#due.push(slot);
  }

  /** Sends what is due, in one piece. */
  flush(nowUs: number): void {
    if (this.#due.length === 0) return;
    const size = this.#frame.length;
    const frames = Buffer.allocUnsafe(this.#due.length * size);
    for (const [index, slot] of this.#due.entries()) {
      const id = (this.#ids[slot] ?? 0) + this.#ids.length;
      this.#ids[slot] = id;
      this.#sentAtUs[slot] = nowUs;
      this.#waiting[slot] = 1;
      frames.set(this.#frame, index * size);
      frames.writeUInt32BE(id, index * size + this.#frameIdAt);
    }
    this.#outstanding += this.#due.length;
    this.#due.length = 0;
    this.#options.send(frames);
  }

  #slotOf(payload: Uint8Array): number {
    const id = readId(payload);
    const slot = (id - firstId) % this.#ids.length;
    if (this.#ids[slot] !== id || this.#waiting[slot] !== 1) {
      throw new Error(`The server answered ${id}, which is not in flight.`);
    }
    return slot;
  }

  #fixedSlot(): number {
    const slot = this.#nextFixedSlot;
    if (this.#waiting[slot] !== 1) throw new Error('The server answered more than it was asked.');
    this.#nextFixedSlot = (slot + 1) % this.#ids.length;
    return slot;
  }
}

function readId(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(idAt);
}
