/**
 * Answers so large that writing them as JSON would stop the event loop: their elements are copied out of the arena, and
 * the thread that reads large bodies writes the text. If it is lost, or has enough to do, the event loop writes it after
 * all: the model has answered, and that must not be lost on the way.
 */
import { typedView } from '../../../runtime/tensor/dtype.ts';
import type { Limits } from '../../admission/limits.ts';
import { isNumericColumn, rowsOf } from '../../wire/classification.ts';
import type { InferReply, OutputColumn } from '../../wire/infer-request.ts';
import { formOf } from '../../wire/request-options.ts';
import type { BodyLane, Written } from './body-lane.ts';
import type { TextFormat } from './body-task.ts';

/** What an element takes as text, roughly; the limit is one of bytes. */
const elementTextBytes = 8;

export class LateAnswers {
  readonly #lane: Pick<BodyLane, 'write'>;
  readonly #limits: Pick<Limits, 'inlineJsonBytesMax' | 'queueBytesMax'>;
  /** As text, of all that the thread has not written yet. */
  #bytesWriting = 0;

  constructor(lane: Pick<BodyLane, 'write'>, limits: Pick<Limits, 'inlineJsonBytesMax' | 'queueBytesMax'>) {
    this.#lane = lane;
    this.#limits = limits;
  }

  /** Whether the reply takes so long to write that it should be given to `write`, and there is room for it. */
  takes(reply: InferReply): boolean {
    const bytes = textBytesOf(reply);
    const { inlineJsonBytesMax, queueBytesMax } = this.#limits;
    return bytes > inlineJsonBytesMax && this.#bytesWriting + bytes <= queueBytesMax;
  }

  /**
   * The text of the reply, whose data may be reused when this returns; when the thread was lost, the reply with data of its
   * own.
   */
  async write(format: TextFormat, reply: InferReply): Promise<Written | InferReply> {
    const bytes = textBytesOf(reply);
    const kept = { ...reply, columns: reply.columns.map((column) => shared(column, reply)), rowStart: 0 };
    this.#bytesWriting += bytes;
    try {
      return (await this.#lane.write(format, kept)) ?? kept;
    } finally {
      this.#bytesWriting -= bytes;
    }
  }
}

function textBytesOf({ columns, options, batched, rows: all }: InferReply): number {
  const rows = batched ? all : 1;
  let elements = 0;
  for (let index = 0; index < columns.length; index++) {
    if (options !== undefined && formOf(options, index).binary) continue;
    elements += rows * (columns[index]?.rowElements ?? 0);
  }
  return elements * elementTextBytes;
}

/** The reply's part of a column, numbers in memory that both threads see. */
function shared(column: OutputColumn, { rowStart, rows, batched }: InferReply): OutputColumn {
  const own = rowsOf(column, { rowStart, rows: batched ? rows : 1 });
  const { data, datatype } = own;
  if (datatype === 'BYTES' || !isNumericColumn(data)) return own;
  const memory = new SharedArrayBuffer(data.byteLength);
  new Uint8Array(memory).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return { ...own, data: typedView(datatype, { buffer: memory, byteOffset: 0, elementCount: data.length }) };
}
