/**
 * Large answers beside the event loop: which are taken, that what is handed over is not the batch's memory, and that a lost
 * thread loses no answer. That the text is right is in test/e2e/large-bodies.test.ts, with the compiled thread.
 */
import { describe, expect, it } from 'vitest';
import type { Written } from '../../../../gateway/dispatch/bodies/body-lane.ts';
import { LateAnswers } from '../../../../gateway/dispatch/bodies/late-answer.ts';
import type { InferReply, OutputColumn } from '../../../../gateway/wire/infer-request.ts';

/** 100 elements a row, 800 bytes as text by the estimate. */
function replyOf(rows: number, extra: Partial<InferReply> = {}): InferReply {
  const data = Float32Array.from({ length: 1_000 }, (_, index) => index);
  const column: OutputColumn = { name: 'y', datatype: 'FP32', rowShape: [100], rowElements: 100, data };
  const names = { id: 7, modelName: 'm', modelVersion: '1' };
  return { ...names, columns: [column], batched: true, rowStart: 2, rows, options: undefined, ...extra };
}

function answersOf(limits: { readonly inlineJsonBytesMax: number; readonly queueBytesMax: number }) {
  const asked: InferReply[] = [];
  const settle: ((written: Written | undefined | Promise<never>) => void)[] = [];
  const answers = new LateAnswers(
    {
      write: (_format, reply) => {
        asked.push(reply);
        return new Promise((resolve) => settle.push(resolve));
      },
    },
    limits,
  );
  return { answers, asked, settle };
}

describe('a large answer', () => {
  it('is taken by what its own rows are as text, not by those of the batch', () => {
    const { answers } = answersOf({ inlineJsonBytesMax: 1_600, queueBytesMax: 1e6 });
    expect(answers.takes(replyOf(2))).toBe(false);
    expect(answers.takes(replyOf(3))).toBe(true);
  });

  it('keeps its rows when the memory of the batch is used again', async () => {
    const { answers, asked, settle } = answersOf({ inlineJsonBytesMax: 0, queueBytesMax: 1e6 });
    const reply = replyOf(2);
    const waiting = answers.write('oip-json', reply);
    (reply.columns[0]?.data as Float32Array).fill(-1);
    expect(asked[0]?.columns[0]?.data.slice(0, 3)).toEqual(Float32Array.of(200, 201, 202));
    const written = { body: new Uint8Array(3), jsonBytes: undefined };
    settle[0]?.(written);
    expect(await waiting).toBe(written);
  });

  it('comes back with its rows when the thread is lost, to be written elsewhere', async () => {
    const { answers, settle } = answersOf({ inlineJsonBytesMax: 0, queueBytesMax: 1e6 });
    const reply = replyOf(2);
    const waiting = answers.write('oip-json', reply);
    (reply.columns[0]?.data as Float32Array).fill(-1);
    settle[0]?.(undefined);
    const kept = await waiting;
    if (!('columns' in kept)) throw new Error('no reply');
    expect(kept).toMatchObject({ id: 7, rowStart: 0, rows: 2 });
    expect(kept.columns[0]?.data).toHaveLength(200);
    expect(kept.columns[0]?.data[199]).toBe(399);
  });

  it('is written by the event loop while the thread has as much as may wait', async () => {
    const { answers, settle } = answersOf({ inlineJsonBytesMax: 0, queueBytesMax: 2_000 });
    const first = answers.write('oip-json', replyOf(2));
    expect(answers.takes(replyOf(1))).toBe(false);
    settle[0]?.({ body: new Uint8Array(1), jsonBytes: undefined });
    await first;
    expect(answers.takes(replyOf(1))).toBe(true);
  });

  it('holds no room once it could not be handed over', async () => {
    const { answers, settle } = answersOf({ inlineJsonBytesMax: 0, queueBytesMax: 2_000 });
    const first = answers.write('oip-json', replyOf(2));
    settle[0]?.(Promise.reject(new Error('cannot be cloned')));
    await expect(first).rejects.toThrow('cannot be cloned');
    expect(answers.takes(replyOf(2))).toBe(true);
  });
});
