/** Bodies that arrive share one bound and another one of their caller, and the only one there is may always go on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CallerShares } from '../../../gateway/admission/caller-shares.ts';
import { type ArrivingBody, ReceivingBytes } from '../../../gateway/socket/receiving-bytes.ts';

const bodyOf = (caller?: string): ArrivingBody => ({ caller, rows: 0, bytes: 0 });

test('bodies that arrive are refused beyond the bound, except the only one', () => {
  const receiving = new ReceivingBytes(100, new CallerShares({ rowsMax: 0, bytesMax: 0 }));
  const codeOf = (body: ArrivingBody, more: number): unknown => receiving.hold(body, more)?.code;
  const [first, second, third] = [bodyOf(), bodyOf(), bodyOf()];
  expect([codeOf(first, 80), codeOf(first, 80), codeOf(second, 1)]).toEqual([
    undefined,
    undefined,
    'QUEUE_FULL',
  ]);
  receiving.letGo(first);
  expect([codeOf(first, 60), codeOf(second, 40), codeOf(third, 1)]).toEqual([
    undefined,
    undefined,
    'QUEUE_FULL',
  ]);
  receiving.letGo(second);
  receiving.letGo(second);
  expect([codeOf(first, 1), receiving.bytes]).toEqual([undefined, 61]);
});

test('those of a caller are bounded together with what he has waiting, and others are not bound by it', () => {
  const callers = new CallerShares({ rowsMax: 0, bytesMax: 100 });
  const receiving = new ReceivingBytes(1000, callers);
  const [mine, another, others] = [bodyOf('ada'), bodyOf('ada'), bodyOf('bob')];
  const codeOf = (body: ArrivingBody, more: number): unknown => receiving.hold(body, more)?.code;
  const waiting = { caller: 'ada', rows: 1, bytes: 30 };
  expect([codeOf(mine, 90), codeOf(mine, 90), codeOf(another, 1)]).toEqual([
    undefined,
    undefined,
    'CALLER_LIMIT',
  ]);
  expect(callers.lackOf(waiting)).toBe('bytes');
  expect([codeOf(others, 300), receiving.bytes]).toEqual([undefined, 480]);
  receiving.letGo(mine);
  callers.take(waiting);
  expect([codeOf(mine, 70), receiving.hold(mine, 1)?.message]).toEqual([
    undefined,
    expect.stringContaining('callerBytesMax'),
  ]);
  callers.release(waiting);
  expect(codeOf(mine, 1)).toBeUndefined();
  for (const body of [mine, another, others]) receiving.letGo(body);
  expect([receiving.bytes, callers.size]).toEqual([0, 0]);
});

test('whatever comes, is refused and goes, what is counted is what is held', () => {
  const piece = fc.record({ body: fc.nat({ max: 5 }), bytes: fc.nat({ max: 70 }), ends: fc.boolean() });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const callers = new CallerShares({ rowsMax: 0, bytesMax: 100 });
      const receiving = new ReceivingBytes(200, callers);
      const bodies = [0, 1, 2, 3, 4, 5].map((index) => bodyOf(['ada', 'bob', undefined][index % 3]));
      for (const { body: index, bytes, ends } of pieces) {
        const body = bodies[index]!;
        const before = body.bytes;
        const refusal = receiving.hold(body, bytes);
        expect(body.bytes).toBe(refusal === undefined ? before + bytes : before);
        if (ends) receiving.letGo(body);
        expect(receiving.bytes).toBe(bodies.reduce((sum, { bytes: held }) => sum + held, 0));
        const named = bodies.filter(({ caller, bytes: held }) => caller !== undefined && held > 0);
        expect(callers.size).toBe(new Set(named.map(({ caller }) => caller)).size);
      }
      for (const body of bodies) receiving.letGo(body);
      expect([receiving.bytes, callers.size]).toEqual([0, 0]);
    }),
  );
});
