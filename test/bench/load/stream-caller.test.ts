/** The closed loop of one socket against a puppet server that answers by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../cli/bench/load/latency-histogram.ts';
import { StreamCaller, firstId } from '../../../bench/load/stream-caller.ts';
import { streamRequest, unpackAnswer } from '../../../bench/workload.ts';
import { numberField } from '../../../bench/json-field.ts';

const template = streamRequest({ input: 'features', values: [1, 2, 3, 4], label: 0 });
const frameBytes = template.length + (template.length < 126 ? 6 : 8);
const answerBytes = 20;

/** An answer that begins as the gateway's do: a map whose first pair is the id. */
function answer(id: number, length: number = answerBytes): Uint8Array {
  const bytes = Buffer.alloc(length);
  bytes.set([0x84, 0xa2, 0x69, 0x64, 0xce]);
  bytes.writeUInt32BE(id, 5);
  return bytes;
}

function start(ids: 'echoed' | 'fixed', inflight: number) {
  const asked: number[] = [];
  const latency = new LatencyHistogram();
  const send = (frames: Uint8Array): void => {
    for (let at = 0; at < frames.length; at += frameBytes) {
      const message = frames.subarray(at + frameBytes - template.length, at + frameBytes);
      asked.push(numberField(unpackAnswer(message), 'id'));
    }
  };
  const caller = new StreamCaller({ template, inflight, answerBytes, ids, send, latency });
  caller.start(0);
  return { caller, asked, latency };
}

describe('a caller on one socket', () => {
  it('fills its places at once and asks again for each answer', () => {
    const { caller, asked } = start('echoed', 3);
    expect(asked).toEqual([firstId, firstId + 1, firstId + 2]);
    caller.answered(answer(firstId + 1), 10);
    caller.answered(answer(firstId), 10);
    expect(asked).toHaveLength(3);
    caller.flush(11);
    expect(asked.slice(3)).toEqual([firstId + 4, firstId + 3]);
    expect(caller.outstanding).toBe(3);
  });

  it('gives every request an id of its own and counts each answer once, in whatever order they come', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.nat(100), { maxLength: 60 }),
        (inflight, picks) => {
          const { caller, asked, latency } = start('echoed', inflight);
          caller.measuring = true;
          const open = [...asked];
          for (const [turn, pick] of picks.entries()) {
            const [id] = open.splice(pick % open.length, 1);
            caller.answered(answer(id!), turn + 1);
            caller.flush(turn + 1);
            open.push(asked.at(-1)!);
          }
          expect(new Set(asked).size).toBe(asked.length);
          expect(latency.count).toBe(picks.length);
          expect(caller.outstanding).toBe(inflight);
          expect(caller.failures).toBe(0);
        },
      ),
    );
  });

  it('measures from sending to answer, and only while it is told to', () => {
    const { caller, latency } = start('echoed', 1);
    caller.answered(answer(firstId), 50);
    caller.flush(100);
    caller.measuring = true;
    caller.answered(answer(firstId + 1), 130);
    expect(latency.count).toBe(1);
    expect(latency.summary().p50Us).toBe(30);
  });

  it('stops asking when it is told to, and knows what is still open', () => {
    const { caller, asked } = start('echoed', 2);
    caller.sending = false;
    caller.answered(answer(firstId), 1);
    caller.flush(1);
    expect(asked).toHaveLength(2);
    expect(caller.outstanding).toBe(1);
  });

  it('counts an answer of another length as a failure', () => {
    const { caller, latency } = start('echoed', 1);
    caller.measuring = true;
    caller.answered(answer(firstId, answerBytes + 1), 1);
    expect(caller.failures).toBe(1);
    expect(latency.count).toBe(0);
  });

  it.each([
    ['an id that was never sent', firstId + 5],
    ['an id from before the first', firstId - 1],
  ])('refuses %s', (_what, id) => {
    const { caller } = start('echoed', 2);
    expect(() => {
      caller.answered(answer(id), 1);
    }).toThrow('not in flight');
  });

  it('refuses a second answer, before and after the place is used again', () => {
    const { caller } = start('echoed', 1);
    caller.answered(answer(firstId), 1);
    const again = (): void => {
      caller.answered(answer(firstId), 2);
    };
    expect(again).toThrow('not in flight');
    caller.flush(1);
    expect(again).toThrow('not in flight');
  });

  it('takes fixed answers in the order of the requests, and no more than it asked for', () => {
    const { caller, latency } = start('fixed', 2);
    caller.measuring = true;
    caller.sending = false;
    caller.answered(answer(1), 5);
    caller.answered(answer(1), 6);
    expect(latency.count).toBe(2);
    expect(() => {
      caller.answered(answer(1), 7);
    }).toThrow('more than it was asked');
  });
});
