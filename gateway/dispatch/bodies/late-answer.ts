/**
 * Answers so large that writing them as JSON would stop the event loop: their elements are copied out of the arena, and
 * the thread that reads large bodies writes the text.
 */
import { copyOfRows } from '../../wire/classification.ts';
import type { InferReply } from '../../wire/infer-request.ts';
import { formOf } from '../../wire/request-options.ts';
import type { BodyLane, Written } from './body-lane.ts';
import type { TextFormat } from './body-task.ts';

/** What an element takes as text, roughly; the limit is one of bytes. */
const elementTextBytes = 8;

export class LateAnswers {
  readonly #lane: BodyLane;
  readonly #inlineJsonBytesMax: number;

  constructor(lane: BodyLane, limits: { readonly inlineJsonBytesMax: number }) {
    this.#lane = lane;
    this.#inlineJsonBytesMax = limits.inlineJsonBytesMax;
  }

  /** Whether the reply takes so long to write that it should be given to `write`. */
  isLarge(reply: InferReply): boolean {
    const { columns, options } = reply;
    const rows = reply.batched ? reply.rows : 1;
    let elements = 0;
    for (let index = 0; index < columns.length; index++) {
      if (options !== undefined && formOf(options, index).binary) continue;
      elements += rows * (columns[index]?.rowElements ?? 0);
    }
    return elements * elementTextBytes > this.#inlineJsonBytesMax;
  }

  /** The text of the reply, whose data may be reused when this returns; undefined when the thread was lost. */
  write(format: TextFormat, reply: InferReply): Promise<Written | undefined> {
    const rows = reply.batched ? reply.rows : 1;
    const columns = reply.columns.map((column) => copyOfRows(column, { rowStart: reply.rowStart, rows }));
    return this.#lane.write(format, { ...reply, columns, rowStart: 0 });
  }
}
