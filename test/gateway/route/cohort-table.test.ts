/** Whom the rules of a rollout send where, and what comes before what when several have something to say. */
import { describe, expect, test } from 'vitest';
import { type Caller } from '../../../gateway/route/caller.ts';
import { CohortTable } from '../../../gateway/route/cohort-table.ts';
import { RouteTable } from '../../../gateway/route/route-table.ts';
import { TrafficSplit } from '../../../gateway/route/traffic-split.ts';
import type { Cohorts } from '../../../registry-store/main.ts';

const cohorts: Cohorts = {
  candidate: {
    headers: [
      { header: 'x-tenant', value: 'beta-', isPrefix: true },
      { header: 'x-ring', value: 'inner', isPrefix: false },
    ],
    keys: ['ada', 'eve'],
  },
  stable: { headers: [{ header: 'x-tier', value: 'gold', isPrefix: false }], keys: ['bob', 'eve'] },
};
const table = new CohortTable(cohorts);

/** As a transport captures them: '' for what was not sent. */
function sent(headers: Readonly<Record<string, string>> = {}): ReadonlyMap<string, string> {
  return new Map(table.headers.map((name) => [name, headers[name] ?? '']));
}

describe('CohortTable', () => {
  test('names each header once that has to be looked at', () => {
    expect(table.headers).toEqual(['x-tenant', 'x-ring', 'x-tier']);
  });

  test.each<[string, Caller, string | undefined]>([
    ['nobody', { headers: sent() }, undefined],
    ['a key that no rule names', { key: 'cy', headers: sent() }, undefined],
    ['a key of the candidate', { key: 'ada', headers: sent() }, 'candidate'],
    ['another case', { key: 'Ada', headers: sent() }, undefined],
    ['a key of the stable version', { key: 'bob', headers: sent() }, 'stable'],
    ['a key in both', { key: 'eve', headers: sent() }, 'stable'],
    ['a drawn key, which is nobody', { drawnKey: 'ada', headers: sent() }, undefined],
    ['a header that begins as a rule says', { headers: sent({ 'x-tenant': 'beta-7' }) }, 'candidate'],
    ['a header that is the prefix', { headers: sent({ 'x-tenant': 'beta-' }) }, 'candidate'],
    ['a header that only contains it', { headers: sent({ 'x-tenant': 'a-beta-7' }) }, undefined],
    ['a header that is the value', { headers: sent({ 'x-ring': 'inner' }) }, 'candidate'],
    ['a header that begins with the value', { headers: sent({ 'x-ring': 'inner-2' }) }, undefined],
    ['a header of the stable version', { headers: sent({ 'x-tier': 'gold' }) }, 'stable'],
    ['both headers', { headers: sent({ 'x-tier': 'gold', 'x-ring': 'inner' }) }, 'stable'],
    ['a banned header and an allowed key', { key: 'ada', headers: sent({ 'x-tier': 'gold' }) }, 'stable'],
    ['headers that nobody looked for', { key: 'ada' }, 'unknown'],
    ['headers of which one is not known', { headers: new Map([['x-tier', '']]) }, 'unknown'],
    ['unknown headers, and a key that is banned', { key: 'bob' }, 'stable'],
  ])('%s', (_, caller, side) => {
    expect(table.sideOf(caller)).toBe(side);
  });

  test('without rules about headers nobody has to look for any', () => {
    const byKey = new CohortTable({
      ...cohorts,
      candidate: { headers: [], keys: ['ada'] },
      stable: { headers: [], keys: [] },
    });
    expect(byKey.headers).toEqual([]);
    expect(byKey.sideOf({ key: 'ada' })).toBe('candidate');
    expect(byKey.sideOf({ key: 'cy' })).toBeUndefined();
  });
});

describe('what comes first', () => {
  const versions = new Map([
    ['1', 'one'],
    ['2', 'two'],
  ]);
  const routes = (trafficBps: number): RouteTable<string> => {
    const split = new TrafficSplit({ rolloutId: 'r', stable: 'one', candidate: 'two', trafficBps, cohorts });
    return new RouteTable(new Map([['iris', { live: 'one', versions, split }]]), new Map());
  };
  const answer = (trafficBps: number, caller: Caller, version?: string): unknown => {
    const routed = routes(trafficBps).resolve('iris', version, { headers: sent(), ...caller });
    return routed.ok
      ? [routed.value, routed.rollout?.variant, routed.rollout?.evidence !== undefined]
      : routed.code;
  };

  // Everybody's bucket is the stable version's at 0, and the candidate's at 10,000.
  test.each<[string, number, Caller, string | undefined, unknown]>([
    ['a named version before a ban', 0, { key: 'bob' }, '2', ['two', 'forced', false]],
    ['a named version before an invitation', 0, { key: 'ada' }, '1', ['one', 'forced', false]],
    ['a ban before an invitation', 10_000, { key: 'eve' }, undefined, ['one', 'cohort', false]],
    ['a ban before the bucket', 10_000, { key: 'bob' }, undefined, ['one', 'cohort', false]],
    ['an invitation before the bucket', 0, { key: 'ada' }, undefined, ['two', 'cohort', false]],
    ['the bucket before the stable version', 10_000, { key: 'cy' }, undefined, ['two', 'canary', true]],
    ['the stable version at last', 10_000, {}, undefined, ['one', 'stable', false]],
    ['a ban in doubt', 10_000, { key: 'cy', headers: undefined }, undefined, ['one', 'stable', false]],
  ])('%s', (_, trafficBps, caller, version, expected) => {
    expect(answer(trafficBps, caller, version)).toEqual(expected);
  });

  test('a table says which headers a model needs', () => {
    expect(routes(0).cohortHeaders('iris')).toEqual(table.headers);
    expect(routes(0).cohortHeaders('other')).toEqual([]);
  });
});
