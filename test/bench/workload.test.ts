/** The request in its two forms, and which answers count as right. */
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeStreamFrame } from '../../gateway/wire/stream-frame.ts';
import { jsonRequest, requireLabel, streamRequest, unpackAnswer } from '../../bench/workload.ts';

const sample = { input: 'features', values: [6.3, 3.3, 6, 2.5], label: 2 };
const packr = new Packr({ useRecords: false });

function answer(label: unknown, probabilities: unknown): object {
  return {
    outputs: [
      { name: 'label', datatype: 'INT64', shape: [1], data: label },
      { name: 'probabilities', datatype: 'FP32', shape: [1, 3], data: probabilities },
    ],
  };
}

describe('the workload', () => {
  it('asks for one row in JSON', () => {
    expect(JSON.parse(jsonRequest(sample))).toEqual({
      inputs: [{ name: 'features', shape: [1, 4], datatype: 'FP32', data: [6.3, 3.3, 6, 2.5] }],
    });
  });

  it('asks for one row in a frame that the gateway reads', () => {
    const decoded = decodeStreamFrame(streamRequest(sample));
    expect(decoded).toMatchObject({ ok: true, value: { id: 0x10000, model: 'iris' } });
  });

  it('accepts the label with probabilities that say the same, in JSON and in msgpack', () => {
    requireLabel(answer([2], [0.1, 0.2, 0.7]), 2);
    const label = Buffer.from(BigInt64Array.of(2n).buffer);
    const probabilities = Buffer.from(Float32Array.of(0.1, 0.2, 0.7).buffer);
    requireLabel(unpackAnswer(packr.pack(answer(label, probabilities))), 2);
  });

  it.each([
    ['another label', answer([1], [0.1, 0.2, 0.7])],
    ['probabilities that say something else', answer([2], [0.7, 0.2, 0.1])],
    ['probabilities of nothing', answer([2], [0, 0, 1e-9])],
    ['no label', { outputs: [{ name: 'probabilities', data: [0, 0, 1] }] }],
    ['an error', { error: 'no', code: 'QUEUE_FULL' }],
  ])('refuses %s', (_what, wrong) => {
    expect(() => {
      requireLabel(wrong, 2);
    }).toThrow();
  });
});
