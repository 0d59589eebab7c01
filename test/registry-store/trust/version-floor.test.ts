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

test.each(['timestamp', 'snapshot'])('new keys for %s start everything below root anew', (role) => {
  const before = floor({ root: 2, timestamp: 9, snapshot: 9, targets: 9, models: 9 });
  const now = new Map([
    ...floor({ root: 3, timestamp: 1, snapshot: 1, targets: 1, models: 1 }),
    ...floor({ [role]: 1 }, keyB),
  ]);
  expect(checkFloor(before, now).ok).toBe(true);
  expect(checkFloor(before, new Map([...now, ...floor({ root: 1 })])).ok).toBe(false);
});

test('new keys for one role say nothing of the others', () => {
  const before = floor({ models: 9, deployments: 9 });
  const now = new Map([...floor({ models: 9 }, keyB), ...floor({ deployments: 8 })]);
  expect(checkFloor(before, now)).toMatchObject({ ok: false, check: 'rollback' });
});

test('root never starts anew', () => {
  expect(checkFloor(floor({ root: 3 }), floor({ root: 2 }, keyB)).ok).toBe(false);
});

test('survives being written down', () => {
  const before = floor({ root: 1, timestamp: 12, 'models-vision': 3 });
  const json: unknown = JSON.parse(JSON.stringify(floorJson(before)));
  expect(readFloor(new FieldReader(json, 'x'))).toEqual(before);
});
