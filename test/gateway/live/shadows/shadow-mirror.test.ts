/** What listening to a request may cost its caller: nothing, whatever the candidate or the comparison does. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { ReplySink } from '../../../../gateway/dispatch/request-queue.ts';
import { ShadowMirror } from '../../../../gateway/live/shadows/shadow-mirror.ts';
import { fail } from '../../../../gateway/wire/error-code.ts';
import type { InferReply, InferRequest } from '../../../../gateway/wire/infer-request.ts';

const request: InferRequest = { id: 1, inputs: [], outputs: undefined, options: undefined };

function reply(data: Float32Array): InferReply {
  const columns = [{ name: 'y', datatype: 'FP32', rowShape: [], rowElements: 1, data }] as const;
  const names = { id: 1, modelName: 'm', modelVersion: '1', options: undefined };
  return { ...names, columns, batched: true, rowStart: 0, rows: data.length };
}

const broken = {
  get columns(): never {
    throw new Error('no columns');
  },
} as unknown as InferReply;

let said: unknown[];
let faults: unknown[];
let takes: boolean;
let shadows: ReplySink[];
let mirror: ShadowMirror;
const caller: ReplySink = {
  reply: (answer) => said.push(answer),
  fail: ({ code }) => said.push(code),
};

beforeEach(() => {
  [said, faults, shadows, takes] = [[], [], [], true];
  const lane = {
    modelVersion: '2',
    send: (_: InferRequest, sink: ReplySink): boolean => {
      shadows.push(sink);
      return takes;
    },
    reportFault: (fault: unknown): void => void faults.push(fault),
    close: () => Promise.resolve(),
  };
  mirror = new ShadowMirror({ modelName: 'm', rolloutId: 'm:1', trafficBps: 10_000, lane });
});

describe('a pair', () => {
  test.each(['stable', 'candidate'])('meets whichever answers first: %s', (first) => {
    const { sink, copy } = mirror.pair(caller);
    copy(request);
    const answers = [
      () => {
        sink.reply(reply(Float32Array.of(1)));
      },
      () => {
        shadows[0]?.reply(reply(Float32Array.of(3)));
      },
    ];
    for (const answer of first === 'stable' ? answers : answers.reverse()) answer();
    expect(mirror.counts).toMatchObject({ sent: 1, pairs: 1, differenceMax: 2 });
    expect(said).toHaveLength(1);
  });

  test('whose copy is dropped is not looked at', () => {
    takes = false;
    const { sink, copy } = mirror.pair(caller);
    copy(request);
    // Nothing is read from it.
    sink.reply(broken);
    expect(mirror.counts).toMatchObject({ sent: 0, dropped: 1, pairs: 0 });
    expect([said, faults]).toEqual([[broken], []]);
  });

  test.each([
    ['MODEL_FAILED', { failed: 1, dropped: 0 }],
    ['DEADLINE_EXCEEDED', { failed: 0, dropped: 1 }],
    ['SHUTTING_DOWN', { failed: 0, dropped: 1 }],
  ] as const)('whose candidate says %s counts as %o', (code, counts) => {
    const { sink, copy } = mirror.pair(caller);
    copy(request);
    shadows[0]?.fail(fail(code, ''));
    sink.reply(reply(Float32Array.of(1)));
    expect(mirror.counts).toMatchObject({ ...counts, pairs: 0 });
  });

  test('whose live version failed says nothing about the candidate', () => {
    const { sink, copy } = mirror.pair(caller);
    copy(request);
    shadows[0]?.fail(fail('MODEL_FAILED', ''));
    sink.fail(fail('MODEL_FAILED', ''));
    expect(said).toEqual(['MODEL_FAILED']);
    expect(mirror.counts).toMatchObject({ pairs: 0, failed: 0 });
  });
});

test('a fault of the comparison is logged, and the caller has the answer already', () => {
  const { sink, copy } = mirror.pair(caller);
  copy(request);
  sink.reply(broken);
  expect(said).toEqual([broken]);
  expect(faults).toHaveLength(1);
});

test('a fault of the caller stays one: its answer could not be written', () => {
  const { sink } = mirror.pair({
    ...caller,
    reply: () => {
      throw new Error('not written');
    },
  });
  expect(() => {
    sink.reply(reply(Float32Array.of(1)));
  }).toThrow('not written');
});

test('without a key nothing is copied, and without a share neither', () => {
  expect([mirror.takes('ada'), mirror.takes(undefined)]).toEqual([true, false]);
  mirror.setTraffic(0);
  expect(mirror.takes('ada')).toBe(false);
});
