/**
 * One WebSocket of `/v2/stream` with many requests under way, in msgpack. A request is a frame that was encoded once, with
 * the four bytes of its id written over; an answer that looks like the last good one and has an id that is under way is
 * good, anything else is read as a whole.
 *
 * A slot is a place under way. Its requests have the ids first + slot, first + slot + room, and so on, so that an id leads
 * back to its slot without a search.
 */
import { decodeServerFrame } from '../../../client/wire/stream-frame.ts';
import { type ErrorCode, errorTable } from '../../../gateway/wire/error-code.ts';
import { type Lane, type LaneAnswer, type LaneListener, outcomeOfStatus, type RequestCycle } from './lane.ts';
import { StreamSocket } from './stream-socket.ts';
import type { Target } from './target.ts';

/** The smallest id: from here on msgpack takes five bytes for an id, so all frames have the same length. */
export const firstStreamId = 0x1_0000;
/** Ids are 32 bits; a lane that has used them up begins again with the slots that are free. */
const idMax = 2 ** 32 - 1;
/** Where the four bytes of the id lie in a message whose first pair is `id`: after the map, the key and the type. */
const idAt = 5;

export interface StreamLaneOptions {
  /** Messages whose first pair is `id` with the value `firstStreamId`. */
  readonly requests: RequestCycle;
  readonly room: number;
}

export class StreamLane implements Lane {
  readonly room: number;
  readonly #requests: RequestCycle;
  /** The last good answer that was read as a whole: others that begin and end where it does are good too. */
  #known: Uint8Array = new Uint8Array(0);
  readonly #ids: Float64Array;
  readonly #tokens: (number | undefined)[];
  readonly #free: number[];
  readonly #frames: Uint8Array[] = [];
  #listener: LaneListener = () => undefined;
  #socket: StreamSocket | undefined;

  private constructor({ requests, room }: StreamLaneOptions) {
    this.room = room;
    this.#requests = requests;
    this.#ids = Float64Array.from({ length: room }, (_, slot) => firstStreamId + slot - room);
    this.#tokens = Array.from({ length: room }, () => undefined);
    this.#free = Array.from({ length: room }, (_, slot) => slot);
  }

  /** Rejects when the server does not take the WebSocket. */
  static async open(target: Target, options: StreamLaneOptions): Promise<StreamLane> {
    const lane = new StreamLane(options);
    lane.#socket = await StreamSocket.connect(target, {
      onMessage: (payload) => {
        lane.#answered(payload);
      },
      onChunkEnd: () => {
        lane.flush();
      },
      onLost: (error) => {
        lane.#lost(`WebSocket lost (${error.message})`);
      },
    });
    return lane;
  }

  listen(listener: LaneListener): void {
    this.#listener = listener;
  }

  send(token: number): void {
    const slot = this.#free.pop();
    if (slot === undefined) throw new RangeError('More requests than this WebSocket has room for.');
    const next = (this.#ids[slot] ?? 0) + this.room;
    const id = next > idMax ? firstStreamId + slot : next;
    this.#ids[slot] = id;
    this.#tokens[slot] = token;
    if (this.#socket === undefined) {
      // The answer comes later, as all do: whoever sends is not called back meanwhile.
      setImmediate(() => {
        this.#settle(slot, { outcome: 'failed', reason: 'the WebSocket was lost before' });
      });
      return;
    }
    this.#frames.push(withId(this.#requests.next(), id));
  }

  flush(): void {
    if (this.#frames.length === 0) return;
    this.#socket?.send(
      this.#frames.length === 1 ? (this.#frames[0] ?? new Uint8Array(0)) : Buffer.concat(this.#frames),
    );
    this.#frames.length = 0;
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#tokens.fill(undefined);
  }

  #answered(payload: Uint8Array): void {
    if (looksLike(payload, this.#known)) {
      const id = new DataView(payload.buffer, payload.byteOffset).getUint32(idAt);
      const slot = (id - firstStreamId) % this.room;
      if (this.#ids[slot] === id && this.#tokens[slot] !== undefined) {
        this.#settle(slot, { outcome: 'good' });
        return;
      }
    }
    // A copy that is no Buffer: reading tensors slices it, which of a Buffer gives no copy.
    const message = new Uint8Array(payload);
    const frame = decodeServerFrame(message);
    if (frame.kind !== 'answer' && frame.kind !== 'error') return;
    const slot = ((frame.id ?? 0) - firstStreamId) % this.room;
    if (this.#ids[slot] !== frame.id || this.#tokens[slot] === undefined) {
      throw new Error(`the server answered ${String(frame.id)}, which is not under way`);
    }
    if (frame.kind === 'answer') this.#known = message;
    this.#settle(slot, frame.kind === 'answer' ? { outcome: 'good' } : answerOfError(frame.error.code));
  }

  #lost(reason: string): void {
    this.#socket = undefined;
    this.#frames.length = 0;
    for (let slot = 0; slot < this.room; slot++) this.#settle(slot, { outcome: 'failed', reason });
  }

  #settle(slot: number, answer: Omit<LaneAnswer, 'token'>): void {
    const token = this.#tokens[slot];
    if (token === undefined) return;
    this.#tokens[slot] = undefined;
    this.#free.push(slot);
    this.#listener(this, { token, ...answer });
  }
}

/** Same length, same number of pairs, an id of the same size, and the same key after it. */
function looksLike(payload: Uint8Array, known: Uint8Array): boolean {
  if (payload.length !== known.length || payload.length < idAt + 8) return false;
  for (let at = 0; at < idAt; at++) if (payload[at] !== known[at]) return false;
  for (let at = idAt + 4; at < idAt + 8; at++) if (payload[at] !== known[at]) return false;
  return true;
}

function answerOfError(code: string): Omit<LaneAnswer, 'token'> {
  const status = Object.hasOwn(errorTable, code) ? errorTable[code as ErrorCode].status : 500;
  return { outcome: outcomeOfStatus(status), reason: code };
}

/** The frame of a request is masked with zeros, so that the id can be written over in place. */
function withId(frame: Uint8Array, id: number): Uint8Array {
  const copy = Buffer.from(frame);
  const headBytes = frame[1] === 0xfe ? 8 : frame[1] === 0xff ? 14 : 6;
  copy.writeUInt32BE(id, headBytes + idAt);
  return copy;
}
