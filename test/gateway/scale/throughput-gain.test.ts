/** What another replica was seen to bring. */
import { describe, expect, it } from 'vitest';
import { ThroughputGain } from '../../../gateway/scale/throughput-gain.ts';

const options = { gainMin: 0.1, gainRememberedMs: 600_000 };

function measured(rates: Readonly<Record<number, readonly number[]>>): ThroughputGain {
  const gain = new ThroughputGain(options);
  for (const [replicas, list] of Object.entries(rates)) {
    for (const rate of list) gain.measured(Number(replicas), rate, 1000);
  }
  return gain;
}

const cases = [
  { what: 'nothing, from one number alone', rates: { 1: [100, 100, 100] }, ceiling: undefined },
  { what: 'nothing, from two ticks', rates: { 1: [100, 100, 100], 2: [100, 100] }, ceiling: undefined },
  { what: 'that it is worth it', rates: { 1: [100, 100, 100], 2: [150, 150, 150] }, ceiling: undefined },
  { what: 'that it is not', rates: { 1: [100, 100, 100], 2: [105, 109, 104] }, ceiling: 1 },
  {
    what: 'as much of the ninth as of the second',
    rates: { 8: [800, 800, 800], 9: [890, 890, 890] },
    ceiling: undefined,
  },
  {
    what: 'what each of several brought, where they came together',
    rates: { 1: [100, 100, 100], 4: [125, 125, 125] },
    ceiling: 1,
  },
  {
    what: 'the number behind which it ended',
    rates: { 1: [100, 100, 100], 2: [190, 190, 190], 3: [192, 192, 192] },
    ceiling: 2,
  },
  {
    what: 'the same for a tick that stood still',
    rates: { 1: [100, 100, 100], 2: [190, 0, 190] },
    ceiling: undefined,
  },
];

describe('measurements under load say', () => {
  it.each(cases)('$what', ({ rates, ceiling }) => {
    expect(measured(rates as unknown as Record<number, number[]>).ceiling(1000)).toBe(ceiling);
  });

  it('nothing any more once they are old: conditions change, and it is tried again', () => {
    const gain = measured({ 1: [100, 100, 100], 2: [101, 101, 101] });
    expect(gain.ceiling(601_000)).toBe(1);
    expect(gain.ceiling(601_001)).toBeUndefined();
    for (let tick = 0; tick < 2; tick++) gain.measured(2, 101, 700_000);
    // The old ones of the same number do not count as new ones.
    gain.measured(1, 100, 700_000);
    expect(gain.ceiling(700_000)).toBeUndefined();
  });
});
