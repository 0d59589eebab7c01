/** Pieces put together, for any cut and any limit. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CollectedBody } from '../../../gateway/socket/collected-body.ts';

test('holds all pieces in order and stops at its limit, whatever size was expected', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
  const expected = fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 1e15 }), fc.constant(NaN));
  fc.assert(
    fc.property(pieces, fc.integer({ min: 0, max: 300 }), expected, (given, bytesMax, bytesExpected) => {
      const body = new CollectedBody(bytesMax, bytesExpected);
      let whole = Buffer.alloc(0);
      for (const piece of given) {
        const isTaken = body.add(piece);
        expect(isTaken).toBe(whole.length + piece.length <= bytesMax);
        if (isTaken) whole = Buffer.concat([whole, piece]);
        // The giver may use its memory again.
        piece.fill(0xff);
      }
      expect(whole.equals(body.bytes())).toBe(true);
      expect(body.length).toBe(whole.length);
    }),
  );
});
