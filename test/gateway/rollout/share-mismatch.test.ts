/** Whether keys fell to the versions as they were meant to: published values, and simulated division. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import {
  logDirichletMultinomial,
  logMultinomial,
  logShareMismatch,
} from '../../../gateway/rollout/share-mismatch.ts';

test('both probabilities are those of ssrm', () => {
  let prior = [1, 1, 1];
  const log = { mixed: 0, known: 0 };
  const wanted = [
    [-7.0282014, -4.0776406],
    [-11.9478477, -8.2659469],
    [-15.471402, -11.6107435],
    [-19.9648452, -15.7810312],
  ] as const;
  const counted = [
    [20, 17, 9],
    [18, 21, 8],
    [4, 6, 4],
    [18, 19, 11],
  ];
  for (const [index, counts] of counted.entries()) {
    log.mixed += logDirichletMultinomial(counts, prior);
    log.known += logMultinomial(counts, [0.4, 0.4, 0.2]);
    prior = prior.map((mass, arm) => mass + (counts[arm] ?? 0));
    expect(log.mixed).toBeCloseTo(wanted[index]?.[0] ?? Number.NaN, 6);
    expect(log.known).toBeCloseTo(wanted[index]?.[1] ?? Number.NaN, 6);
  }
});

describe('a mismatch', () => {
  const runs = 500;

  /** Of 5,000 keys at 5 % and 5,000 more at 25 %, looked at after each hundred. */
  function found(seed: number, factor: number): boolean {
    const random = seededRandom(seed);
    const counts = [0.05, 0.25].map((share) => ({ share, candidate: 0, stable: 0 }));
    for (const step of counts) {
      for (let key = 1; key <= 5000; key += 1) {
        step[random.next() < step.share * factor ? 'candidate' : 'stable'] += 1;
        if (key % 100 === 0 && logShareMismatch(counts) >= Math.log(1000)) return true;
      }
    }
    return false;
  }

  test('is hardly ever found where there is none', () => {
    const wrong = Array.from({ length: runs }, (_, seed) => found(seed + 1, 1)).filter(Boolean);
    expect(wrong.length).toBeLessThanOrEqual(runs * (0.001 + 3 * Math.sqrt(0.001 / runs)));
  });

  test('is mostly found where the candidate gets a fifth more than its share', () => {
    const right = Array.from({ length: 50 }, (_, seed) => found(seed + 1, 1.2)).filter(Boolean);
    expect(right.length).toBeGreaterThanOrEqual(45);
  });

  test('means nothing where all keys are meant for one version', () => {
    expect(logShareMismatch([{ share: 1, candidate: 900, stable: 0 }])).toBe(0);
    expect(logShareMismatch([])).toBe(0);
  });
});
