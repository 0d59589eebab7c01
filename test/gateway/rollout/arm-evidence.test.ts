/** Constants from an independent computation of the same mixture; merging by addition. */
import { describe, expect, test } from 'vitest';
import {
  addCounts,
  type Arm,
  ArmEvidence,
  logEvidence,
  logEvidenceFewer,
  logEvidenceNotWorse,
  logMean,
} from '../../../gateway/rollout/arm-evidence.ts';

describe('evidence from failures', () => {
  test.each([
    [2, 2, 0.05, 1, 4.1589980477],
    [5, 20, 0.05, 1, 3.2004663112],
    [10, 100, 0.05, 1, 0.904222199],
    [30, 300, 0.1, 1, -2.6333986221],
    [30, 300, 0.1, 1.2, -4.0319047742],
    [0, 200, 0.05, 1, -4.4808540402],
    [12, 12, 0.5, 1, 6.9490011917],
  ])('%i of %i failures at a share of %f against %f', (candidate, all, share, tolerated, expected) => {
    expect(logEvidence([{ share, candidate, stable: all - candidate }], tolerated)).toBeCloseTo(expected, 9);
  });

  test('is the same for two nodes whose counts are added as for one that saw everything', () => {
    const nodes = [new ArmEvidence(), new ArmEvidence()] as const;
    const one = new ArmEvidence();
    for (let event = 0; event < 60; event += 1) {
      const arm: Arm = event % 7 === 0 ? 'candidate' : 'stable';
      const share = event < 30 ? 0.05 : 0.25;
      nodes[event % 3 === 0 ? 0 : 1].add(arm, share);
      one.add(arm, share);
    }
    const added = addCounts([...nodes[0].counts], [...nodes[1].counts]);
    expect(added.map(({ share }) => share)).toEqual([0.05, 0.25]);
    expect(logEvidence(added, 1.2)).toBeCloseTo(logEvidence(one.counts, 1.2), 9);
  });

  test('says nothing where the candidate has all the traffic', () => {
    expect(logEvidence([{ share: 1, candidate: 500, stable: 0 }], 1.2)).toBeCloseTo(0, 9);
  });

  test('points in the direction in which the counts lie, and only there', () => {
    const often = [{ share: 0.5, candidate: 90, stable: 30 }];
    const seldom = [{ share: 0.5, candidate: 30, stable: 90 }];
    expect(logEvidence(often, 1.2)).toBeGreaterThan(Math.log(100));
    expect(logEvidence(seldom, 1.2)).toBeLessThan(0);
    expect(logEvidenceFewer(seldom, 1 / 1.2)).toBeGreaterThan(Math.log(100));
    expect(logEvidenceFewer(often, 1 / 1.2)).toBeLessThan(0);
    // With the share at a half, the two versions may change places.
    expect(logEvidenceFewer(seldom, 1 / 1.2)).toBeCloseTo(logEvidence(often, 1.2), 9);
    expect(logEvidenceNotWorse([{ share: 0.5, candidate: 90, stable: 90 }], 1.5)).toBeGreaterThan(
      Math.log(5),
    );
    expect(logEvidenceNotWorse(often, 1.5)).toBeLessThan(0);
  });

  test('is none where nothing was counted', () => {
    expect(logEvidence([], 1.2)).toBe(0);
    expect(logMean([-Infinity, -Infinity])).toBe(-Infinity);
    expect(logMean([Math.log(1), Math.log(3)])).toBeCloseTo(Math.log(2), 12);
  });
});
