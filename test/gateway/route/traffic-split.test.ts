/** Which of two versions a key meets, and what the answer is told of it. */
import { describe, expect, test } from 'vitest';
import { RouteTable } from '../../../gateway/route/route-table.ts';
import { TrafficSplit } from '../../../gateway/route/traffic-split.ts';

function split(trafficBps: number): TrafficSplit<string> {
  return new TrafficSplit({ rolloutId: 'fraud:r1', stable: 'one', candidate: 'two', trafficBps });
}

const id = 'fraud:r1';
const toStable = {
  ok: true,
  value: 'one',
  rollout: { id, variant: 'stable', evidence: { arm: 'stable', of: [id] } },
};
const toCandidate = {
  ok: true,
  value: 'two',
  rollout: { id, variant: 'canary', evidence: { arm: 'candidate', of: [id] } },
};
const headers = new Map<string, string>();
/** Not by chance, so that it is no evidence. */
const kept = { ok: true, value: 'one', rollout: { id, variant: 'stable', lacksKey: true } };

describe('TrafficSplit', () => {
  // The bucket of user-2 is 25,730 of 100,000.
  test.each([
    [0, toStable],
    [2573, toStable],
    [2574, toCandidate],
    [10_000, toCandidate],
  ])('with %i hundredths of a percent for the candidate', (trafficBps, expected) => {
    expect(split(trafficBps).choose({ headers, key: 'user-2' })).toEqual(expected);
  });

  test('without a key the stable version answers, also when the candidate has every key', () => {
    expect(split(10_000).choose({ headers })).toEqual(kept);
  });

  test('a request that came before the rollout meets the stable version, whatever its key is', () => {
    expect(split(10_000).choose({ key: 'user-2' })).toEqual(kept);
  });

  test('an empty key is none', () => {
    expect(split(10_000).choose({ headers, key: '' })).toEqual(kept);
  });

  test('a drawn key stands in for one that is missing, and never for one that is there', () => {
    expect(split(2574).choose({ headers, drawnKey: 'user-2' })).toEqual(toCandidate);
    expect(split(2573).choose({ headers, drawnKey: 'user-2' })).toEqual(toStable);
    expect(split(2574).choose({ headers, key: 'user-2', drawnKey: 'user-1' })).toEqual(toCandidate);
  });
});

describe('a blue/green that is judged', () => {
  const at = (stage: 'preview' | 'promoted', trafficBps: number): TrafficSplit<string> =>
    new TrafficSplit({ rolloutId: id, stable: 'one', candidate: 'two', trafficBps, stage });
  const promoted = {
    ok: true,
    value: 'two',
    rollout: { id, variant: 'promoted', evidence: { arm: 'candidate', of: [id] } },
  };

  // With a key, without one, and of a request that came before the rollout.
  test.each([{ headers, key: 'user-2' }, { headers }, {}])('sends %j to one version', (caller) => {
    expect(at('preview', 0).choose(caller)).toEqual(toStable);
    expect(at('promoted', 10_000).choose(caller)).toEqual(promoted);
  });

  test('learns of the candidate from who names it, until the flip', () => {
    const forced = { id, variant: 'forced' };
    const evident = { ...forced, evidence: { arm: 'candidate', of: [id] } };
    expect(at('preview', 0).forced('two')).toEqual({ ok: true, value: 'two', rollout: evident });
    expect(at('preview', 0).forced('one')).toEqual({ ok: true, value: 'one', rollout: forced });
    expect(at('promoted', 10_000).forced('two')).toEqual({ ok: true, value: 'two', rollout: forced });
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
    expect(table.resolve('fraud', '1', { headers, key: 'user-1' })).toEqual({
      ok: true,
      value: 'one',
      rollout: { id, variant: 'forced' },
    });
    expect(table.resolve('fraud', undefined, { headers, key: 'user-1' })).toEqual(toCandidate);
    expect(table.resolve('fraud', '3', { headers, key: 'user-1' })).toMatchObject({
      ok: false,
      code: 'UNKNOWN_VERSION',
    });
  });

  test('says whether anybody needs a key at all', () => {
    expect(table.divides).toBe(true);
    expect(new RouteTable(new Map([['fraud', { live: 'one', versions }]]), new Map()).divides).toBe(false);
  });
});
