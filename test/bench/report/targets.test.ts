/** When a target counts as met. */
import { describe, expect, it } from 'vitest';
import { judge } from '../../../bench/report/targets.ts';
import { resultOf, type Run } from './result-example.ts';

/** One round for each ratio: the gateway gives this many answers for each of the peer's. */
function capacity(peer: 'bare-uws' | 'fastify-ort', ratios: readonly number[]): readonly Run[] {
  return ratios.flatMap((ratio, round) => [
    { series: 'json-256-wrk', peer: 'gateway', round, answers: ratio * 1000 },
    { series: 'json-256-wrk', peer, round, answers: 1000 },
  ]);
}

function latency(series: string, gatewayUs: number): readonly Run[] {
  return [
    { series, peer: 'gateway', round: 0, p50Us: gatewayUs },
    { series, peer: 'bare-uws', round: 0, p50Us: 150 },
  ];
}

const outcomes = (result: ReturnType<typeof resultOf>): readonly string[] =>
  judge(result).map(({ outcome }) => outcome);

describe('the targets', () => {
  it.each([
    ['at the bound', [0.55], 'met', 1],
    ['by the median', [0.4, 0.6, 0.7], 'met', 2],
    ['not by the best round', [0.4, 0.5, 0.7], 'missed', 1],
  ] as const)('judge throughput over the bare server %s', (_how, ratios, outcome, roundsMet) => {
    const [verdict] = judge(resultOf(ratios.length, capacity('bare-uws', ratios)));
    expect(verdict).toMatchObject({ outcome, roundsMet, rounds: ratios.length });
  });

  it('judge throughput over Fastify', () => {
    expect(outcomes(resultOf(1, capacity('fastify-ort', [5])))).toEqual(['open', 'met', 'open']);
    expect(outcomes(resultOf(1, capacity('fastify-ort', [4.9])))).toEqual(['open', 'missed', 'open']);
  });

  it.each(['json-1-wrk', 'json-1-autocannon'])('judge latency by %s', (series) => {
    expect(outcomes(resultOf(1, latency(series, 400), [50]))).toEqual(['open', 'open', 'met']);
    expect(outcomes(resultOf(1, latency(series, 401), [50]))).toEqual(['open', 'open', 'missed']);
  });

  it('stay open without wrk, whatever autocannon says, and when answers were wrong', () => {
    const runs = capacity('bare-uws', [0.9]);
    const autocannon = runs.map((run) => ({ ...run, series: 'json-256-autocannon' }));
    expect(outcomes(resultOf(1, autocannon))).toEqual(['open', 'open', 'open']);
    expect(
      outcomes(
        resultOf(
          1,
          runs.map((run) => ({ ...run, failures: 1 })),
        ),
      ),
    ).toEqual(['open', 'open', 'open']);
  });
});
