/**
 * Frames that are like the one before: a client mostly sends the same map again, with another id and other numbers in its
 * data. What stands around those two is compared with the last frame, and read again only when it differs.
 *
 *     {id: | 7 | , model: "m", inputs: [{name: "x", shape: [1, 4], datatype: "FP32", data: bin 16 | ... | }]}
 *     head   id   middle                                                                            data  tail
 *
 * Invariant: the frame that comes out is the one `decodeStreamFrame` gives. Head, middle and tail are the bytes of a
 * good frame, the length of the data stands in front of it, and where the id stood there is an id.
 * A reader gives out the same objects again for every repeated frame; they are valid until the next one is read.
 */
import type { InferRequest, InputTensor } from './infer-request.ts';
import { MsgpackCursor } from './msgpack-cursor.ts';
import { type DecodedFrame, decodeStreamFrame, type FrameId, type StreamRequest } from './stream-frame.ts';

/** Longer surroundings are not remembered: comparing them would save little, and they would be kept for nothing. */
const surroundingBytesMax = 1024;

type Writable<Fields> = { -readonly [Key in keyof Fields]: Fields[Key] };

/** So little data is copied: that costs less than another view of the frame. */
const copiedBytesMax = 256;

/** What the last frame looked like around its id and its data, and what it said. */
interface Surroundings {
  readonly head: Uint8Array;
  readonly middle: Uint8Array;
  readonly tail: Uint8Array;
  readonly dataBytes: number;
  /** Where the data of the next frame goes. */
  readonly source: { readonly kind: 'packed'; bytes: Uint8Array };
  readonly request: Writable<InferRequest>;
  readonly frame: Writable<StreamRequest>;
  readonly decoded: DecodedFrame;
}

export class StreamFrameReader {
  #last: Surroundings | undefined;

  /** Same as `decodeStreamFrame`. */
  read(bytes: Uint8Array): DecodedFrame {
    const last = this.#last;
    if (last !== undefined && readLike(last, bytes)) return last.decoded;
    const decoded = decodeStreamFrame(bytes);
    if (decoded.ok && decoded.value.kind === 'request') {
      this.#last = surroundingsOf(bytes, decoded.value) ?? this.#last;
    }
    return decoded;
  }
}

/** Puts id and data of this frame in the place of the last one's; false when anything else differs. */
function readLike(last: Surroundings, bytes: Uint8Array): boolean {
  const { head, middle, tail, dataBytes } = last;
  const idAt = head.length;
  const token = bytes[idAt] ?? 0xff;
  let id = token;
  let at = idAt + 1;
  if (token > 0x7f) {
    if (token < 0xcc || token > 0xce) return false;
    const end = at + (1 << (token - 0xcc));
    for (id = 0; at < end; at++) id = id * 256 + (bytes[at] ?? 0);
  }
  const dataAt = at + middle.length;
  const tailAt = dataAt + dataBytes;
  if (bytes.length !== tailAt + tail.length) return false;
  if (!standsAt(bytes, at, middle) || !standsAt(bytes, 0, head) || !standsAt(bytes, tailAt, tail))
    return false;
  if (dataBytes > copiedBytesMax) {
    last.source.bytes = bytes.subarray(dataAt, tailAt);
  } else {
    const { bytes: copied } = last.source;
    for (let index = 0; index < dataBytes; index++) copied[index] = bytes[dataAt + index] ?? 0;
  }
  last.request.id = id;
  last.frame.id = id;
  return true;
}

/**
 * Only frames with one input, packed: where there are several, each would have data among the others. And only those
 * whose id comes first, as every encoder writes it that was given it first.
 */
function surroundingsOf(bytes: Uint8Array, frame: StreamRequest): Surroundings | undefined {
  const { request } = frame;
  const [input] = request.inputs;
  if (input?.source.kind !== 'packed' || request.inputs.length > 1) return undefined;
  const dataAt = input.source.bytes.byteOffset - bytes.byteOffset;
  const tailAt = dataAt + input.source.bytes.length;
  const id = idPlace(bytes);
  if (id === undefined || id.end > dataAt) return undefined;
  if (dataAt + bytes.length - tailAt > surroundingBytesMax) return undefined;
  const dataBytes = tailAt - dataAt;
  const source = {
    kind: 'packed' as const,
    bytes: new Uint8Array(dataBytes > copiedBytesMax ? 0 : dataBytes),
  };
  const { name, datatype, shape } = input;
  const tensor: InputTensor = { name, datatype, shape, source };
  const repeated: Writable<InferRequest> = { ...request, inputs: [tensor] };
  const again: Writable<StreamRequest> = { ...frame, request: repeated };
  return {
    head: bytes.slice(0, id.start),
    middle: bytes.slice(id.end, dataAt),
    tail: bytes.slice(tailAt),
    dataBytes,
    source,
    request: repeated,
    frame: again,
    decoded: { ok: true, value: again },
  };
}

interface Place {
  readonly start: number;
  readonly end: number;
}

/** Where the value of the first pair is, if that is the id and a number. */
function idPlace(bytes: Uint8Array): Place | undefined {
  const cursor = new MsgpackCursor(bytes);
  if (cursor.map('the message') === null || cursor.word('a key') !== 'id') return undefined;
  const start = cursor.position;
  const id: FrameId | null = cursor.isString() ? null : cursor.whole('id');
  return id === null ? undefined : { start, end: cursor.position };
}

function standsAt(bytes: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let index = 0; index < part.length; index++) {
    if (bytes[at + index] !== part[index]) return false;
  }
  return true;
}
