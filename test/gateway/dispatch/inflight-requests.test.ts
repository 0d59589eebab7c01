/** The list of requests in flight holds what a set would. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InflightRequests } from '../../../gateway/dispatch/inflight-requests.ts';

describe('InflightRequests', () => {
  it('holds what a set holds, after any adding and removing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 60 }), (picks) => {
        const requests = Array.from({ length: 10 }, (_, name) => ({ name, seat: -1 }));
        const list = new InflightRequests<(typeof requests)[number]>();
        const set = new Set<(typeof requests)[number]>();
        for (const pick of picks) {
          const request = requests[pick];
          if (request === undefined) continue;
          if (set.delete(request)) {
            list.remove(request);
          } else {
            set.add(request);
            list.add(request);
          }
          expect(list.size).toBe(set.size);
          expect(new Set(list.list())).toEqual(set);
          expect(requests.filter((each) => list.has(each))).toEqual(requests.filter((each) => set.has(each)));
        }
      }),
    );
  });

  it('lets nobody in or out twice', () => {
    const list = new InflightRequests<{ seat: number }>();
    const request = { seat: -1 };
    list.add(request);
    expect(() => {
      list.add(request);
    }).toThrow('twice');
    list.remove(request);
    expect(() => {
      list.remove(request);
    }).toThrow('twice');
  });
});
