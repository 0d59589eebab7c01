/** The requests of one socket by id: whatever comes and goes, it holds what a map would hold. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { StreamInflight } from '../../../gateway/socket/stream-inflight.ts';

const anyId = fc.oneof(
  fc.nat(40),
  fc.constantFrom(16, 32, 48, 2 ** 31, 2 ** 32, 2 ** 32 + 16, Number.MAX_SAFE_INTEGER),
  fc.constantFrom('16', 'a', ''),
);
const anyStep = fc.record({ id: anyId, kind: fc.constantFrom('add', 'add', 'remove', 'takeAll') });

it('holds what a map holds', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 200 }), (steps) => {
      const inflight = new StreamInflight<{ readonly id: number | string }>();
      const model = new Map<number | string, { readonly id: number | string }>();
      for (const { id, kind } of steps) {
        const known = model.get(id);
        if (kind === 'takeAll') {
          expect(new Set(inflight.takeAll())).toEqual(new Set(model.values()));
          model.clear();
        } else if (kind === 'remove') {
          if (known !== undefined) inflight.remove(known);
          model.delete(id);
        } else if (known === undefined) {
          const call = { id };
          inflight.add(call);
          model.set(id, call);
        }
        expect(inflight.size).toBe(model.size);
        for (const [wanted, call] of model) expect(inflight.get(wanted)).toBe(call);
        if (!model.has(id)) expect(inflight.get(id)).toBeUndefined();
      }
    }),
  );
});

it('does not mind a call that is not in it', () => {
  const inflight = new StreamInflight<{ readonly id: number | string }>();
  inflight.add({ id: 1 });
  inflight.remove({ id: 1 });
  inflight.remove({ id: 'a' });
  expect(inflight.size).toBe(1);
});
