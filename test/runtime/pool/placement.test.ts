/** Which lanes hold a session: the least loaded ones, as many as asked for, and as few changes as can be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeReplicas } from '../../../runtime/pool/placement.ts';

const none = new Set<number>();

describe('a session', () => {
  it.each([
    { what: 'goes where least is', wanted: 2, held: none, loads: [3, 1, 2], lanes: [1, 2] },
    { what: 'goes to the first of equals', wanted: 1, held: none, loads: [1, 1, 1], lanes: [0] },
    {
      what: 'goes everywhere when it asks for more than there is',
      wanted: 9,
      held: none,
      loads: [5, 0],
      lanes: [0, 1],
    },
    { what: 'goes somewhere when it asks for nothing', wanted: 0, held: none, loads: [5, 0], lanes: [1] },
    {
      what: 'stays where it is, however loaded that is',
      wanted: 1,
      held: new Set([0]),
      loads: [9, 0],
      lanes: [0],
    },
    { what: 'grows by one lane', wanted: 2, held: new Set([0]), loads: [9, 5, 4], lanes: [0, 2] },
    {
      what: 'leaves the most loaded lane first',
      wanted: 2,
      held: new Set([0, 1, 2]),
      loads: [1, 9, 3],
      lanes: [0, 2],
    },
  ])('$what', ({ wanted, held, loads, lanes }) => {
    expect(placeReplicas({ wanted, held, loads })).toEqual(lanes);
  });
});

const situation = fc.array(fc.nat(20), { minLength: 1, maxLength: 8 }).chain((loads) =>
  fc.record({
    loads: fc.constant(loads),
    wanted: fc.integer({ min: 1, max: 10 }),
    held: fc.subarray(loads.map((_, lane) => lane)).map((lanes) => new Set(lanes)),
  }),
);

it('the lanes are as many as can be, each once, and differ from those before by no more than they must', () => {
  fc.assert(
    fc.property(situation, ({ wanted, held, loads }) => {
      const lanes = placeReplicas({ wanted, held, loads });
      const size = Math.min(wanted, loads.length);
      expect(new Set(lanes).size).toBe(size);
      expect(lanes.every((lane) => lane >= 0 && lane < loads.length)).toBe(true);
      const kept = lanes.filter((lane) => held.has(lane)).length;
      expect(kept).toBe(Math.min(size, held.size));
      expect(placeReplicas({ wanted, held: new Set(lanes), loads })).toEqual(lanes);
    }),
  );
});
