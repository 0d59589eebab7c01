/**
 * Frames on their way out, of all sockets: they gather until the current turn of work is done and then leave socket by
 * socket, those of one socket in one system call. The answers of a batch are for many sockets; sending each by itself
 * costs as much as all the rest. While further batches are about to be run in this turn their answers are waited for
 * too: most of a system call is waking up whoever reads.
 */
import type { WebSocket } from 'uWebSockets.js';
import { FrameSpace } from '../wire/stream-space.ts';

/** A socket, as far as the outbox is concerned. */
export interface OutboxMember {
  /** Undefined once it is closed: what was for it is dropped. */
  readonly socket: WebSocket<unknown> | undefined;
  /** Belongs to the outbox: its first and last frame of this turn, -1 for none. */
  firstFrame: number;
  lastFrame: number;
  /** Its frames of this turn were handed to the library. */
  flushed(): void;
}

/** With so many bytes waiting they leave before the turn is over: readers have something to do by then. */
const flushBytes = 64 * 1024;
/** Frames shorter than this are not worth compressing. */
const compressedBytesMin = 512;

export interface OutboxOptions {
  readonly compress: boolean;
  /** Whether more answers may come in this turn of the event loop. */
  readonly moreToCome: () => boolean;
}

export class StreamOutbox {
  readonly space: FrameSpace = new FrameSpace();
  readonly #options: OutboxOptions;
  readonly #members: OutboxMember[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #texts: boolean[] = [];
  /** The next frame for the same socket, -1 behind the last. */
  readonly #next: number[] = [];
  /** Views of the space by frame: frames of one batch have the same places again in the next, and views are dear. */
  readonly #views: Uint8Array[] = [];
  readonly #viewStarts: number[] = [];
  readonly #viewEnds: number[] = [];
  #viewed: Uint8Array | undefined;
  #frames = 0;
  #scheduled = false;
  #current: OutboxMember | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Ends a frame that was written into the space from `start` on. */
  end(member: OutboxMember, start: number, isText: boolean): void {
    const frame = this.#frames;
    this.#frames += 1;
    this.#starts[frame] = start;
    this.#ends[frame] = this.space.length;
    this.#texts[frame] = isText;
    this.#next[frame] = -1;
    if (member.firstFrame === -1) {
      member.firstFrame = frame;
      this.#members.push(member);
    } else {
      this.#next[member.lastFrame] = frame;
    }
    member.lastFrame = frame;
    if (this.space.length > flushBytes) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(this.#flushLater);
    }
  }

  /** Sends everything that was ended. Nothing may be half written. */
  flush(): void {
    if (this.#frames === 0) return;
    const members = this.#members.splice(0);
    for (const member of members) this.#send(member);
    this.#frames = 0;
    this.space.empty();
    // These may write again, and close sockets.
    for (const member of members) member.flushed();
  }

  readonly #flushLater = (): void => {
    if (this.#options.moreToCome()) {
      setImmediate(this.#flushNow);
      return;
    }
    this.#scheduled = false;
    this.flush();
  };

  /** The turn is over, whatever still waits. */
  readonly #flushNow = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  #send(member: OutboxMember): void {
    const { socket, firstFrame, lastFrame } = member;
    if (socket !== undefined) {
      this.#current = member;
      // A single frame leaves in one system call anyway.
      if (firstFrame === lastFrame) this.#sendFrames();
      else socket.cork(this.#sendFrames);
    }
    member.firstFrame = -1;
    member.lastFrame = -1;
  }

  readonly #sendFrames = (): void => {
    const member = this.#current;
    if (member === undefined) return;
    for (let frame = member.firstFrame; frame !== -1; frame = this.#next[frame] ?? -1) {
      const view = this.#view(frame);
      const compress = this.#options.compress && view.length >= compressedBytesMin;
      // A reader so slow that the backlog limit is hit is disconnected by the library; the close event ends the rest.
      member.socket?.send(view, this.#texts[frame] !== true, compress);
    }
  };

  #view(frame: number): Uint8Array {
    const { bytes } = this.space;
    if (this.#viewed !== bytes) {
      this.#viewed = bytes;
      this.#views.length = 0;
    }
    const start = this.#starts[frame] ?? 0;
    const end = this.#ends[frame] ?? start;
    const known = this.#views[frame];
    if (known !== undefined && this.#viewStarts[frame] === start && this.#viewEnds[frame] === end)
      return known;
    const view = bytes.subarray(start, end);
    this.#views[frame] = view;
    this.#viewStarts[frame] = start;
    this.#viewEnds[frame] = end;
    return view;
  }
}
