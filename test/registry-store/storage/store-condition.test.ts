/** How old is too old: what a condition says about expiry, as a function of what was signed and of the time. */
import { describe, expect, test } from 'vitest';
import {
  conditionOf,
  isSameCondition,
  lifetimesOf,
  modelRoles,
} from '../../../registry-store/storage/store-condition.ts';
import type { VerifiedMetadata } from '../../../registry-store/storage/verified-metadata.ts';

const signedAtMs = Date.parse('2026-01-01T00:00:00Z');
const dayMs = 24 * 3600_000;

/** Roles that were signed for 100 days on the first of January, with or without saying so. */
function metadata(roles: Readonly<Record<string, { days: number; lifetimeS?: number }>>): VerifiedMetadata {
  const at = (days: number): string => `${new Date(signedAtMs + days * dayMs).toISOString().slice(0, 19)}Z`;
  const entries = Object.entries(roles);
  return {
    roles: new Map(entries.map(([role, { days }]) => [role, { version: 1, expires: at(days) }])),
    files: new Map(
      entries.map(([role, { lifetimeS }]) => [
        role === 'timestamp' ? 'metadata/timestamp.json' : `metadata/1.${role}.json`,
        Buffer.from(JSON.stringify({ signed: { 'x-tidegate-lifetime-s': lifetimeS } })),
      ]),
    ),
  } as unknown as VerifiedMetadata;
}

function conditionAfter(days: number, of: VerifiedMetadata): ReturnType<typeof conditionOf> {
  const lifetimes = lifetimesOf(of, signedAtMs);
  const nowMs = signedAtMs + days * dayMs;
  return conditionOf({ lifetimes, nowMs, lastVerifiedAtMs: nowMs, lastError: undefined });
}

describe('a condition', () => {
  const plain = metadata({ timestamp: { days: 100, lifetimeS: 100 * 86_400 }, root: { days: 1000 } });

  test.each([
    [0, true, []],
    [74, true, []],
    [76, true, ['timestamp']],
    [99, true, ['timestamp']],
    [100, false, ['timestamp']],
  ] as const)('after %i of 100 days', (days, fresh, expiresSoon) => {
    expect(conditionAfter(days, plain)).toMatchObject({ fresh, expiresSoon });
  });

  test('counts from when the node accepted a file that does not say its lifetime', () => {
    const silent = metadata({ timestamp: { days: 100 } });
    expect(conditionAfter(74, silent).expiresSoon).toEqual([]);
    expect(conditionAfter(76, silent).expiresSoon).toEqual(['timestamp']);
  });

  test('believes what is signed, not what is left when it is first seen', () => {
    const old = metadata({ timestamp: { days: 10, lifetimeS: 100 * 86_400 } });
    expect(conditionAfter(0, old).expiresSoon).toEqual(['timestamp']);
  });

  test('sums the roles of single models up as the one that ends first', () => {
    const many = metadata({ models: { days: 90 }, 'models-a': { days: 80 }, 'models-b': { days: 70 } });
    const { expires, expiresSoon } = conditionAfter(55, many);
    expect([...expires.keys()]).toEqual(['models', modelRoles]);
    expect(expires.get(modelRoles)).toBe('2026-03-12T00:00:00Z');
    expect(expiresSoon).toEqual(['models-b']);
  });

  test('is not fresh while something stands in the way, whatever the time', () => {
    const lastError = { code: 'SOURCE_UNREACHABLE', message: 'gone', atMs: 0 } as const;
    const lifetimes = lifetimesOf(plain, signedAtMs);
    const facts = { lifetimes, nowMs: signedAtMs, lastVerifiedAtMs: signedAtMs };
    expect(conditionOf({ ...facts, lastError }).fresh).toBe(false);
    const well = conditionOf({ ...facts, lastError: undefined });
    expect(isSameCondition(well, conditionOf({ ...facts, lastVerifiedAtMs: 1, lastError: undefined }))).toBe(
      true,
    );
    expect(isSameCondition(well, conditionOf({ ...facts, lastError }))).toBe(false);
  });
});
