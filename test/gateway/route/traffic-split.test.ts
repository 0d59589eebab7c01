/** Which of two versions a key meets, and what the answer is told of it. */
import { describe, expect, test } from 'vitest';
import { RouteTable } from '../../../gateway/route/route-table.ts';
import { TrafficSplit } from '../../../gateway/route/traffic-split.ts';

function split(trafficBps: number): TrafficSplit<string> {
  return new TrafficSplit({ rolloutId: 'fraud:r1', stable: 'one', candidate: 'two', trafficBps });
}

const toStable = { ok: true, value: 'one', rollout: { id: 'fraud:r1', variant: 'stable' } };
const toCandidate = { ok: true, value: 'two', rollout: { id: 'fraud:r1', variant: 'canary' } };

describe('TrafficSplit', () => {
  // The bucket of user-2 is 25,730 of 100,000.
  test.each([
    [0, toStable],
    [2573, toStable],
    [2574, toCandidate],
    [10_000, toCandidate],
  ])('with %i hundredths of a percent for the candidate', (trafficBps, expected) => {
    expect(split(trafficBps).choose('user-2')).toEqual(expected);
  });

  test('without a key the stable version answers, also when the candidate has every key', () => {
    expect(split(10_000).choose(undefined)).toEqual(toStable);
  });
});

describe('a table with a rollout', () => {
  const versions = new Map([
    ['1', 'one'],
    ['2', 'two'],
  ]);
  const table = new RouteTable(
    new Map([['fraud', { live: 'one', versions, split: split(10_000) }]]),
    new Map(),
  );

  test('a named version comes before the key', () => {
    expect(table.resolve('fraud', '1', 'user-1')).toEqual({
      ok: true,
      value: 'one',
      rollout: { id: 'fraud:r1', variant: 'forced' },
    });
    expect(table.resolve('fraud', undefined, 'user-1')).toEqual(toCandidate);
    expect(table.resolve('fraud', '3', 'user-1')).toMatchObject({ ok: false, code: 'UNKNOWN_VERSION' });
  });

  test('says whether anybody needs a key at all', () => {
    expect(table.divides).toBe(true);
    expect(new RouteTable(new Map([['fraud', { live: 'one', versions }]]), new Map()).divides).toBe(false);
  });
});
