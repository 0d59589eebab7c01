/** What was accepted once is the least that is accepted from then on. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';
import {
  type VersionFloor,
  checkFloor,
  floorJson,
  readFloor,
} from '../../../registry-store/trust/version-floor.ts';

const [keyA, keyB] = ['a'.repeat(64), 'b'.repeat(64)];

function floor(versions: Readonly<Record<string, number>>, keyId = keyA): VersionFloor {
  return new Map(Object.entries(versions).map(([role, version]) => [role, { version, keyIds: [keyId] }]));
}

test('passes exactly when no role went back', () => {
  const versions = fc.record({
    root: fc.integer({ min: 1, max: 5 }),
    timestamp: fc.integer({ min: 1, max: 5 }),
    models: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(versions, versions, (before, now) => {
      const wentBack =
        now.root < before.root || now.timestamp < before.timestamp || now.models < before.models;
      const checked = checkFloor(floor(before), floor(now));
      expect(checked.ok).toBe(!wentBack);
      if (!checked.ok) expect(checked.check).toBe('rollback');
    }),
  );
});

test('a role with new keys starts anew, so that a number pushed up by a thief does not lock the node out', () => {
  expect(checkFloor(floor({ timestamp: 999_999 }), floor({ timestamp: 2 }, keyB)).ok).toBe(true);
});

test('root never starts anew', () => {
  expect(checkFloor(floor({ root: 3 }), floor({ root: 2 }, keyB)).ok).toBe(false);
});

test('survives being written down', () => {
  const before = floor({ root: 1, timestamp: 12, 'models-vision': 3 });
  const json: unknown = JSON.parse(JSON.stringify(floorJson(before)));
  expect(readFloor(new FieldReader(json, 'x'))).toEqual(before);
});
