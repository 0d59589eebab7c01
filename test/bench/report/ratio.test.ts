/** Which numbers are divided by which. */
import { describe, expect, it } from 'vitest';
import { latencyRatios, throughputRatios } from '../../../bench/report/ratio.ts';
import { resultOf } from './result-example.ts';

const series = 'json-256-wrk';

describe('throughput ratios', () => {
  it('compare runs of the same round and the same series', () => {
    const result = resultOf(2, [
      { series, peer: 'gateway', round: 0, answers: 60 },
      { series, peer: 'bare-uws', round: 0, answers: 100 },
      { series, peer: 'bare-uws', round: 1, answers: 50 },
      { series, peer: 'gateway', round: 1, answers: 40 },
      { series: 'json-256-autocannon', peer: 'bare-uws', round: 1, answers: 1 },
    ]);
    expect(throughputRatios(result, series, 'bare-uws')).toEqual([0.6, 0.8]);
  });

  it('leave out rounds in which a run is missing, had failures, or a peer answered nothing', () => {
    const result = resultOf(4, [
      { series, peer: 'gateway', round: 0 },
      { series, peer: 'gateway', round: 1, failures: 1 },
      { series, peer: 'bare-uws', round: 1 },
      { series, peer: 'gateway', round: 2 },
      { series, peer: 'bare-uws', round: 2, failures: 1 },
      { series, peer: 'gateway', round: 3 },
      { series, peer: 'bare-uws', round: 3, answers: 0 },
    ]);
    expect(throughputRatios(result, series, 'bare-uws')).toEqual([]);
  });
});

describe('latency ratios', () => {
  it('put the gateway over bare server plus bare run of one row', () => {
    const one = 'json-1-wrk';
    const runs = [0, 1].flatMap((round) => [
      { series: one, peer: 'gateway', round, p50Us: 300 } as const,
      { series: one, peer: 'bare-uws', round, p50Us: 140 } as const,
    ]);
    expect(latencyRatios(resultOf(2, runs, [60, 10]), one)).toEqual([1.5, 2]);
    expect(latencyRatios(resultOf(2, runs), one)).toEqual([]);
  });
});
