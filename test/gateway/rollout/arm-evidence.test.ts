/** Constants from an independent computation of the same mixture; merging by addition. */
import { describe, expect, test } from 'vitest';
import { type Arm, ArmEvidence, logEvidence } from '../../../gateway/rollout/arm-evidence.ts';

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
    const added = [...nodes[0].counts, ...nodes[1].counts];
    expect(logEvidence(added, 1.2)).toBeCloseTo(logEvidence(one.counts, 1.2), 9);
  });

  test('says nothing where the candidate has all the traffic', () => {
    expect(logEvidence([{ share: 1, candidate: 500, stable: 0 }], 1.2)).toBeCloseTo(0, 9);
  });
});
