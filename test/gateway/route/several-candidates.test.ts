/** Several candidates of one canary: 100,000 keys, their shares, and that none moves that need not. */
import { beforeAll, describe, expect, test } from 'vitest';
import { TrafficSplit } from '../../../gateway/route/traffic-split.ts';
import { armFields, type CandidateArm } from '../../../registry-store/manifest/candidate-arms.ts';
import type { Deployment } from '../../../registry-store/main.ts';

const headers = new Map<string, string>();
const keys = Array.from({ length: 100_000 }, (_, key) => `user-${key}`);

function arm(name: string, trafficBps: number): CandidateArm {
  return { version: name, sha256: name.repeat(64), trafficBps, rolloutId: `r:${name}` };
}

/** As the store signs it, one change after the other. */
function signed(...changes: readonly (readonly [CandidateArm, ...CandidateArm[]])[]): Deployment {
  const live = { model: 'iris', version: 'stable', sha256: 's'.repeat(64), strategy: 'canary' } as const;
  const [first, ...rest] = changes;
  if (first === undefined) throw new Error('nothing was signed');
  return rest.reduce<Deployment>((before, arms) => ({ ...live, ...armFields(arms, before) }), {
    ...live,
    ...armFields(first, undefined),
  });
}

function splitOf(deployment: Deployment, dropped: readonly string[] = []): TrafficSplit<string> {
  const { rolloutId = '', candidate, trafficBps = 0, others = [], layout } = deployment;
  return new TrafficSplit({
    ...{ rolloutId, trafficBps, layout, dropped, stable: 'stable', candidate: candidate?.version ?? '' },
    others: others.map((other) => ({ ...other, candidate: other.version })),
  });
}

function ownersIn(split: TrafficSplit<string>): readonly string[] {
  return keys.map((key) => split.choose({ headers, key }).value);
}

function share(owners: readonly string[], name: string): number {
  return owners.filter((owner) => owner === name).length / owners.length;
}

/** Keys that met another version before, by where they came from and went to. */
function moves(before: readonly string[], after: readonly string[]): readonly string[] {
  const found = before.flatMap((owner, index) =>
    owner === after[index] ? [] : [`${owner} > ${after[index] ?? ''}`],
  );
  return [...new Set(found)].sort();
}

const [a10, a20, b10, c5] = [arm('a', 1000), arm('a', 2000), arm('b', 1000), arm('c', 500)];
let two: readonly string[];
beforeAll(() => {
  two = ownersIn(splitOf(signed([a10, b10])));
});

test('each gets its share, within three standard errors', () => {
  const within = (wanted: number): number => 3 * Math.sqrt((wanted * (1 - wanted)) / keys.length);
  const owners = ownersIn(splitOf(signed([a20, b10, c5])));
  for (const [name, wanted] of [
    ['a', 0.2],
    ['b', 0.1],
    ['c', 0.05],
    ['stable', 0.65],
  ] as const) {
    expect(Math.abs(share(owners, name) - wanted)).toBeLessThanOrEqual(within(wanted));
  }
});

describe('no key moves that need not', () => {
  test('when one grows: it takes from the stable version only', () => {
    expect(moves(two, ownersIn(splitOf(signed([a10, b10], [a20, b10]))))).toEqual(['stable > a']);
  });

  test('when one shrinks, comes, or goes', () => {
    expect(moves(two, ownersIn(splitOf(signed([a10, b10], [arm('a', 400), b10]))))).toEqual(['a > stable']);
    expect(moves(two, ownersIn(splitOf(signed([a10, b10], [a10, b10, c5]))))).toEqual(['stable > c']);
    expect(moves(two, ownersIn(splitOf(signed([a10, b10], [b10]))))).toEqual(['a > stable']);
  });

  test('when the second comes to one that was alone', () => {
    const alone = ownersIn(splitOf(signed([a10])));
    expect(moves(alone, ownersIn(splitOf(signed([a10], [a10, b10]))))).toEqual(['stable > b']);
  });

  test('when this node drops one: its keys meet the stable version, also while the others change', () => {
    const dropped = splitOf(signed([a10, b10])).without('r:a');
    const owners = ownersIn(dropped ?? splitOf(signed([c5])));
    expect(moves(two, owners)).toEqual(['a > stable']);
    expect(dropped?.arms.map(({ candidate }) => candidate)).toEqual(['b']);
    const later = ownersIn(splitOf(signed([a10, b10], [a10, arm('b', 3000)]), ['r:a']));
    expect(moves(owners, later)).toEqual(['stable > b']);
    expect(dropped?.without('r:b')).toBeUndefined();
  });
});

test('an outcome says something about those whom it is compared with', () => {
  const split = splitOf(signed([a20, b10, c5]));
  const chosen = new Map(
    keys
      .slice(0, 500)
      .map((key) => split.choose({ headers, key }))
      .map((one) => [one.value, one]),
  );
  expect(chosen.get('b')?.rollout).toEqual({
    ...{ id: 'r:a', variant: 'canary' },
    evidence: { arm: 'candidate', of: ['r:b'] },
  });
  expect(chosen.get('stable')?.rollout?.evidence).toEqual({ arm: 'stable', of: ['r:a', 'r:b', 'r:c'] });
  // Of the keys that meet b or the stable version: 10 of 75.
  expect(split.arms[1]?.share).toBeCloseTo(0.1 / 0.75, 12);
  expect(split.without('r:a')?.arms[0]?.share).toBeCloseTo(0.1 / 0.95, 12);
});

test('the salt stays when the candidate that it is named after goes', () => {
  const { layout, rolloutId } = signed([a10, b10], [b10]);
  expect([layout?.salt, rolloutId]).toEqual(['r:a', 'r:b']);
});
